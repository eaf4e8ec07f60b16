"""What tasks remember: during a run, or for ever."""

from ramify.planner import Executor, WorkContext, worker
from ramify.tasks import Task, TaskManager


@worker
def visit(url: str, *, context: WorkContext) -> dict[str, int]:
    """Add an address to the visited ones, and count them."""
    visited = [*context.memory.get("visited", []), url]
    context.memory.set("visited", visited)
    return {"visited": len(visited)}


def crawl(scope: str) -> str:
    """Visit two pages in one run, and return the counts."""
    root = Task(content="Visit two pages", id="0", type="prompt")
    pages = [
        Task(name=f"page {n}", type="visit", inputs={"url": f"https://example.com/{n}"}, memory_scope=scope)
        for n in (1, 2)
    ]
    TaskManager.set_tasks_dependence(root, pages, "serial")
    return Executor("rules", store="memory.db", workers=[visit]).run(root).result


for scope in ("session", "permanent"):
    print(f"{scope}:", crawl(scope), "- and in another run:", crawl(scope))
