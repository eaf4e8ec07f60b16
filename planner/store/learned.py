"""How long tasks took in the runs of a store: what a run that begins goes by until it knows better."""

from collections.abc import Collection

from ramify.tasks.tree.times import Kind, Took
from sqlalchemy import Connection, select

from .tables import TIMES
from .texts import decode_text, encode_text

_LOOKED_AT = 1_000
"""How many words of runs are added up, the newest first: what servers and machines were like long ago says little."""


def read_times(connection: Connection, models: Collection[str]) -> dict[tuple[str, Kind], Took]:
    """Return what tasks took that one of `models` did, by model and kind; no model is the empty name."""
    found: dict[tuple[str, Kind], Took] = {}
    columns = (TIMES.c.model, TIMES.c.type, TIMES.c.is_composed, TIMES.c.tasks, TIMES.c.seconds)
    query = select(*columns).where(TIMES.c.model.in_([encode_text(name) for name in models]))
    for model, name, is_composed, tasks, seconds in connection.execute(
        query.order_by(TIMES.c.at.desc()).limit(_LOOKED_AT)
    ):
        place = decode_text(model), (decode_text(name), bool(is_composed))
        before = found.get(place, Took(0, 0.0))
        found[place] = Took(before.count + tasks, before.seconds + seconds)
    return found
