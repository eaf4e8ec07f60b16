"""An answer that has to pass a test in Python: one that does not goes back to the model, with what is wrong.

RAMIFY_MODEL=gpt-5-mini python examples/checked_answer.py
"""

from ramify.planner import Agent, Executor
from ramify.tasks import Check, Task


def is_one_word(answer: str) -> bool | str:
    """Say whether the answer passes; text is a complaint, for the model to read."""
    words = answer.split()
    return len(words) == 1 or f"it has {len(words)} words, and one is asked for"


task = Task(content="What is the capital of Norway?", id="0", checks=[Check(predicate="is_one_word")])
run = Executor(Agent(), checks={"is_one_word": is_one_word}).new_run(task)
run.on(lambda event: print(event.data["outcome"], "-", event.data.get("complaint", "nothing is wrong")), "checked")
run.start().wait()
print(run.result)
