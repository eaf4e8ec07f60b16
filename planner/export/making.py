"""Who the words of a run come from: one answer for commands, displays, pictures, data and reports."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ramify.planner.workers.registry import is_for_model
from ramify.tasks import Task

if TYPE_CHECKING:
    from ramify.planner.store import Store
    from ramify.planner.store.records import RunRecord

_CARRY_RUNS = frozenset({"strategy", "variation", "study", "trial", "script", "list"})
"""Workers that have others do the work: those, or the runs that they carry, say who made the words."""


def who_made(store: "Store", record: "RunRecord", root: Task) -> str:
    """Return who the words of a stored run come from, for people to read.

    Raises:
        StoreError: if the store cannot be read.
    """
    return makers_of(store.models_asked(record.id), record, root)


def makers_of(models: Iterable[str], record: "RunRecord", root: Task) -> str:
    """Return who the words of a run come from: the models that were asked, in order; if none was, its workers.

    Args:
        models: the models that were asked, by name.
        record: the run.
        root: its tree.
    """
    makers = [maker_of(model, record) for model in dict.fromkeys(models)] or workers_of(root)
    return ", ".join(dict.fromkeys(makers)) or record.made_by or "not recorded"


def maker_of(model: str, record: "RunRecord") -> str:
    """Return who a model is, for people to read."""
    from ramify.planner.models.rules.model import RulesModel

    if model == record.model and record.made_by:
        return record.made_by
    return RulesModel.maker if model == RulesModel.name else model


def workers_of(root: Task) -> list[str]:
    """Return the workers, not the model, that have done tasks of a tree, for people to read."""
    done = (task.type for task in root.walk() if task.started_at is not None and not is_for_model(task))
    return [f"worker {name}" for name in dict.fromkeys(done) if name not in _CARRY_RUNS]
