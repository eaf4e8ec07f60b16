"""Read sales from CSV files and write an Excel report: `pip install 'ramify[xlsx]'`."""

import csv
from pathlib import Path

from ramify.planner import Executor, WorkContext, worker
from ramify.tasks import Task, TaskConfig

FOLDER = Path(__file__).parent / "sales"


@worker
def read_sales(file: str) -> dict[str, int]:
    """Add up one file."""
    with (FOLDER / file).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {
        "revenue": sum(int(row["revenue"]) for row in rows),
        "customers": len({row["customer"] for row in rows}),
    }


@worker
def compare_quarters(context: WorkContext) -> dict[str, float]:
    """Compare two quarters."""
    first, second = context.results.values()
    growth = round(second["revenue"] / first["revenue"] - 1, 3)
    return {"revenue": first["revenue"] + second["revenue"], "growth": growth}


root = Task(
    name="process_sales_data",
    id="0",
    description="Read and compare the sales of two quarters",
    type="prompt",
    config=TaskConfig(max_duration_seconds=600),
)
root.add_subtasks(
    [
        Task(content="Read Q1", id="q1", type="read_sales", inputs={"file": "q1.csv"}),
        Task(content="Read Q2", id="q2", type="read_sales", inputs={"file": "q2.csv"}),
        Task(content="Compare", id="all", type="compare_quarters", dependencies=["q1", "q2"]),
    ]
)
run = Executor("rules", workers=[read_sales, compare_quarters]).run(root)
for task in run.task.subtasks:
    print(f"{task.content}: {task.output}")
print("report:", run.report("sales.xlsx"))
