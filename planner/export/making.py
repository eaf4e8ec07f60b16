"""Who the words of a run come from: one answer for commands, displays, pictures, data and reports."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ramify.planner.work.special_types import CARRY_RUNS
from ramify.planner.workers.registry import is_models
from ramify.tasks import Task

if TYPE_CHECKING:
    from ramify.planner.store import Store
    from ramify.planner.store.records import RunRecord


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
    return _named(models, record) or _workers(_done_by(root)) or record.made_by or "not recorded"


def who_made_in_short(store: "Store", record: "RunRecord") -> str:
    """Return who the words of a run come from without its tree, for lists: `who_made`, but for rare workers.

    Raises:
        StoreError: if the store cannot be read.
    """
    if record.usage.calls:
        return record.made_by or "not recorded"
    asked = _named(store.models_asked(record.id), record)
    return asked or _workers(store.begun_types(record.id)) or record.made_by or "not recorded"


def maker_of(model: str, record: "RunRecord") -> str:
    """Return who a model is, for people to read."""
    from ramify.planner.models.rules.model import RulesModel

    if model == record.model and record.made_by:
        return record.made_by
    return RulesModel.maker if model == RulesModel.name else model


def _named(models: Iterable[str], record: "RunRecord") -> str:
    return ", ".join(dict.fromkeys(maker_of(model, record) for model in models))


def _done_by(root: Task) -> Iterator[str | None]:
    return (task.type for task in root.walk() if task.started_at is not None)


def _workers(types: Iterable[str | None]) -> str:
    """Return the workers, not the model, that do tasks of these types, for people to read."""
    names = (name for name in dict.fromkeys(types) if not is_models(name) and name not in CARRY_RUNS)
    return ", ".join(f"worker {name}" for name in names)
