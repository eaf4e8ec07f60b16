"""Where workers of the user's own come from on the command line: Python files and modules, named by whoever runs them.

The names are stored with a run, so that resuming it finds the same workers; nothing is imported that nobody named.
"""

from collections.abc import Iterable

from ramify.planner.checks.predicates import Predicate
from ramify.planner.work.modules import defined_in
from ramify.planner.work.protocol import Worker


def load_workers(sources: Iterable[str]) -> tuple[dict[str, Worker], dict[str, Predicate]]:
    """Return the workers that the files and modules in `sources` define, by name, and the functions for checks.

    A worker is a function under `@worker`, or any other `Worker` that has a `name`, at the top of a module; a function
    for checks is one under `@predicate`. A later one of a name wins.

    Raises:
        UsageError: if a source cannot be imported, or defines neither.
    """
    found: dict[str, Worker] = {}
    predicates: dict[str, Predicate] = {}
    for source in sources:
        for name, value in defined_in(source, (Worker, Predicate), "worker").items():
            if isinstance(value, Worker):
                found[name] = value
            else:
                predicates[name] = value
    return found, predicates
