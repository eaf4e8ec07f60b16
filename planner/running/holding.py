"""The hold of a run on its tree: from when it is stored until it is over here, nobody else changes the tree.

A change that somebody makes by hand would be in memory alone, and gone after a resume.
"""

from ramify.tasks import Task
from ramify.tasks.tree.node import Hold


def hold_tree(root: Task, run_id: str) -> Hold:
    """Take the tree of `root` for a run.

    Raises:
        HeldError: if another run has it.
    """
    resume = f"once it has ended (`ramify cancel {run_id}` stops it), `ramify resume {run_id}"
    return Hold(
        root,
        by=f"run {run_id}",
        ways={
            "state": f"a worker returns its task's result; {resume} --set-result ID=TEXT` sets another one, and"
            " `--from ID` runs a task again",
            "tasks": f"a worker adds tasks with context.spawn(task); {resume} --plan FILE` continues with an edited"
            " plan",
            "words": f"{resume} --set ID=TEXT` changes a task's content, and `--plan FILE` everything else; in"
            " Python: Executor.resume(store, id, set={...}, plan=...)",
        },
    )
