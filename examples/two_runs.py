"""Chain runs in plain Python: the result of one is an argument of the next."""

from ramify.planner import Executor, worker
from ramify.tasks import Task, TaskConfig

LIBRARY = {
    "trams": "Six lines of trams cross the centre of Oslo. They run from five in the morning. Tickets hold for an hour."
}


@worker
def look_up(topic: str) -> str:
    """Find facts about a topic."""
    return LIBRARY[topic]


@worker
def summarize(text: str, max_length: int) -> str:
    """Take as many sentences as fit."""
    kept = ""
    for sentence in text.split(". "):
        longer = f"{kept}{sentence.rstrip('.')}. "
        if len(longer) > max_length:
            break
        kept = longer
    return kept.strip()


executor = Executor("rules", workers=[look_up, summarize])


def research_and_summarize(topic: str) -> str:
    research = executor.run(
        Task(name="research", type="look_up", inputs={"topic": topic}, config=TaskConfig(max_duration_seconds=60))
    )
    summary = executor.run(Task(name="summary", type="summarize", inputs={"text": research.result, "max_length": 90}))
    return summary.result


print(research_and_summarize("trams"))
