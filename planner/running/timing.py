"""What a run knows of how long its tasks take, and what it leaves to the runs after it: means, by model and kind.

What was taken from a cache took no time, so a run that may do that leaves nothing.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ramify.planner.errors import StoreError
from ramify.planner.planning.expecting import Pace
from ramify.planner.settings.settings import store_place
from ramify.planner.store import Store, StoreReader
from ramify.planner.store.changes import TimesLearned
from ramify.planner.workers.built_in import BUILT_IN
from ramify.tasks import Task
from ramify.tasks.tree.times import Kind, Times

from .run_settings import RunSettings

NO_MODEL = ""
_ASKS_NOBODY = frozenset({"http", "human", "list", "subprocess"})


def times_known(store: StoreReader, model: str | None, settings: RunSettings, root: Task | None = None) -> Times:
    """Return what is known of how long tasks take, when a run begins.

    Args:
        store: where earlier runs are.
        model: the model of the run.
        settings: how it runs.
        root: the tree of a run that is resumed; what is finished in it says most.

    Raises:
        StoreError: if the store cannot be read.
    """
    models = {NO_MODEL, model or NO_MODEL, *(agent.model or NO_MODEL for agent in settings.agents.values())}
    found = store.times(models)
    before = {kind: took for (name, kind), took in found.items() if name == _model_of(kind, model, settings)}
    return Times(before).learn(() if root is None else root.walk())


def pace_of(place: str | Path | None, model: str | None, settings: RunSettings) -> Pace:
    """Return how fast runs with these settings go, by what the store at `place` knows, if there is one to be read."""
    with suppress(StoreError), Store.open(store_place(place), create=False) as store:
        return Pace(settings.jobs, times_known(store, model, settings))
    return Pace(settings.jobs)


def times_left(times: Times, model: str | None, settings: RunSettings) -> Iterator[TimesLearned]:
    """Yield what is written of how long the tasks of a run took."""
    at = time.time()
    for kind, took in () if settings.cache else times.learned.items():
        yield TimesLearned.of(kind, took, model=_model_of(kind, model, settings), at=at)


def _model_of(kind: Kind, model: str | None, settings: RunSettings) -> str:
    """Return the name of the model that does tasks of a kind; empty if none does."""
    name, is_composed = kind
    if name in settings.agents:
        return settings.agents[name].model or model or NO_MODEL
    asks = name in BUILT_IN and name not in _ASKS_NOBODY
    is_for_model = is_composed or asks or any(each in settings.agents for each in name.split("+"))
    return (model or NO_MODEL) if is_for_model else NO_MODEL
