"""Check an answer with a Python function; rejected answers go back to the model with the complaint.

RAMIFY_MODEL=gpt-5-mini python examples/checked_answer.py
"""

from ramify.planner import Agent, Executor
from ramify.tasks import Check, Task


def is_one_word(answer: str) -> bool | str:
    """Return whether the answer passes, or a complaint for the model."""
    words = answer.split()
    return len(words) == 1 or f"it has {len(words)} words, and one is asked for"


task = Task(content="What is the capital of Norway?", id="0", checks=[Check(predicate="is_one_word")])
run = Executor(Agent(), checks={"is_one_word": is_one_word}).new_run(task)
run.on(lambda event: print(event.data["outcome"], "-", event.data.get("complaint", "nothing is wrong")), "checked")
run.start().wait()
print(run.result)
