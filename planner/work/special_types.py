"""The types of tasks that are not only somebody's work, and which a run treats in ways of their own."""

LIST = "list"
"""The type of a task that is answered by the list of what came of its subtasks."""

SCRIPT = "script"
"""The type of a root that is done by a script, which calls for the tasks below it."""

CARRY_RUNS = frozenset({"strategy", "variation", "study", "trial", SCRIPT, LIST})
"""Types whose workers have others do the work: those, or the runs that they carry, do all that is done."""
