"""Whether a tree can be run: its graph, its workers, its limits, its permissions; all known before anything starts."""

from ramify.tasks import Task
from ramify.tasks.graph import check_tree

from .errors import UsageError
from .run_settings import RunSettings
from .workers import Workers
from .workers.grants import Grants
from .workers.registry import WorkersGiven
from .workers.sources import load_workers


def check_runnable(root: Task, workers: Workers, grants: Grants) -> None:
    """Raise if the tree of `root` could not be run by `workers` with what `grants` allow them."""
    check_tree(root)
    workers.check_tree(root, grants)
    _refuse_secrets(root, grants)


def workers_of(settings: RunSettings, given: WorkersGiven | None) -> Workers:
    """Return the workers of a run: what its sources define, and over that what is given."""
    loaded = load_workers(settings.worker_sources)
    return Workers({**loaded, **Workers(given).given}) if loaded else Workers(given)


def _refuse_secrets(root: Task, grants: Grants) -> None:
    """Raise `UsageError` if a secret's value stands in a task, where it would be stored."""
    redactor = grants.redactor
    if not redactor:
        return
    for task in root.walk():
        words = f"{task.content}\n{task.inputs}\n{task.metadata}\n{[each.text for each in task.attachments]}"
        if redactor.text(words) != words:
            raise UsageError(
                f"the value of a secret stands in task {task.id}, where it would be stored; leave it out, and have the"
                " worker ask for it with context.secret(NAME)"
            )
