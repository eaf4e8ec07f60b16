"""What has to change in the text of a plan so that it says another tree: as little as possible.

A task stays where it is written if it is still below the same task, in the same order; what is said of it is changed
key by key. All others are taken out, or written anew behind the sibling that comes before them. An id that goes without
saying, as it tells the task's place, is written down once the place is another one.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from ramify.tasks.tree.task import Task

from .data import entry_of, fields_of
from .nodes import Node
from .patch import Patch
from .rows import PlanRow, made_id

_LINKED = ("state", "result")  # a result alone means DONE, so what is said of one depends on the other


@dataclass(slots=True, eq=False)
class _Kept:
    """A task that stays where it is written.

    Attributes:
        row: as the text has it.
        holder: the task in whose list it stands: its parent, but for one that names its parent; None for the goal.
        place: its position in that list.
        stays: the positions of its own list of what stays there.
    """

    row: PlanRow
    holder: "_Kept | None"
    place: int
    stays: set[int] = field(default_factory=set)


def rewrite(text: str, rows: list[PlanRow], old: Task, new: Task, *, is_json: bool) -> str:
    """Return the plan `text`, which has `rows` and says `old`, so changed that it says `new`.

    Raises:
        ValueError: if it cannot be done by changing places of the text.
        LookupError: if the text is laid out in an unforeseen way.
    """
    if old.id != new.id:
        raise ValueError("the goal has another id")
    kept = {each.row.id: each for each in _kept_rows(rows, new).values()}
    patch = Patch(text, is_json=is_json)
    for row in reversed(rows):  # what is further inside comes first
        if row.id in kept:
            _change_task(patch, kept[row.id], kept, old.find(row.id), new.find(row.id))
    return patch.result()


def _kept_rows(rows: list[PlanRow], new: Task) -> dict[PlanRow, _Kept]:
    """Return the rows of the tasks that stay where they are."""
    places = _places(rows)
    children: dict[PlanRow, list[PlanRow]] = {}
    for row in rows[1:]:
        if row.parent is not None:
            children.setdefault(row.parent, []).append(row)
    kept = {rows[0]: _Kept(rows[0], None, 0)}
    for row in rows:
        if row not in kept:
            continue
        position = {child.id: number for number, child in enumerate(new.find(row.id).subtasks)}
        for child in _in_order(children.get(row, []), position):
            holder_row, place = places[child]
            if holder_row in kept:
                kept[child] = _Kept(child, kept[holder_row], place)
                kept[holder_row].stays.add(place)
    return kept


def _places(rows: list[PlanRow]) -> dict[PlanRow, tuple[PlanRow, int]]:
    """Return for each row the one in whose list it stands, and its position there."""
    by_node = {id(row.node): row for row in rows}
    return {by_node[id(item)]: (row, place) for row in rows for place, item in enumerate(_items_of(row.node, "tasks"))}


def _in_order(rows: list[PlanRow], position: dict[str, int]) -> list[PlanRow]:
    """Return the most of `rows` whose new positions rise (a longest increasing subsequence)."""
    candidates = [row for row in rows if row.id in position]
    ends: list[int] = []
    lasts: list[int] = []
    before: list[int | None] = []
    for number, row in enumerate(candidates):
        length = bisect_left(ends, position[row.id])
        ends[length : length + 1] = [position[row.id]]
        lasts[length : length + 1] = [number]
        before.append(lasts[length - 1] if length else None)
    chosen: list[PlanRow] = []
    current = lasts[-1] if lasts else None
    while current is not None:
        chosen.append(candidates[current])
        current = before[current]
    return chosen[::-1]


def _change_task(patch: Patch, kept: _Kept, others: dict[str, _Kept], old: Task, new: Task) -> None:
    """Change what the text says of one task, and of the list below it."""
    node = kept.row.node
    values, gone = _changed_values(kept.row, old, new)
    fresh = _fresh(kept, others, new)
    items = _items_of(node, "tasks")
    if fresh and not kept.stays and fresh[0][0] is None:
        values["tasks"] = fresh.pop(0)[1]
    elif items and not kept.stays:
        gone.add("tasks")
    if node.entries is None:
        is_flow = kept.holder is not None and _value(kept.holder.row.node, "tasks").is_flow
        if set(values) == {"task"}:
            patch.set_text(node, values["task"], is_flow=is_flow)
        elif values:
            patch.widen(node, "task", values, is_flow=is_flow)
        return
    if kept.stays:
        patch.drop_items(_value(node, "tasks"), [place for place in range(len(items)) if place not in kept.stays])
    _change_needs(patch, node, values)
    for key, value in values.items():
        patch.set_key(node, key, value, before="tasks")
    if gone:
        patch.drop_keys(node, gone)
    for after, entries in fresh:
        _add(patch, kept, after, entries)


def _changed_values(row: PlanRow, old: Task, new: Task) -> tuple[dict[str, Any], set[str]]:
    """Return the keys of a task that get another value, and those that go."""
    before, after = fields_of(old), fields_of(new)
    entries = row.node.entries or {}
    values: dict[str, Any] = {}
    number = 0 if new.parent is None else new.parent.subtasks.index(new) + 1
    is_said = "id" in entries and entries["id"][1].value is not None
    if new.parent is not None and not is_said and made_id(new.parent.id, number) != new.id:
        values["id"] = new.id
    if old.content != new.content:
        values[row.content_key] = new.content
    values.update((key, value) for key, value in after.items() if key not in before or before[key] != value)
    gone = {key for key in before if key not in after}
    if any(key in values or key in gone for key in _LINKED):
        gone |= {key for key in _LINKED if key in entries and key not in after}
    return values, gone & set(entries)


def _change_needs(patch: Patch, node: Node, values: dict[str, Any]) -> None:
    """Change the list of needs item by item, if that is enough, and take it out of `values`."""
    items = _items_of(node, "needs")
    if "needs" not in values or not items:
        return
    wanted: list[str] = values["needs"]
    stays = [place for place, item in enumerate(items) if item.text in wanted]
    texts = [items[place].text for place in stays]
    if not stays or wanted[: len(texts)] != texts:
        return
    needs = _value(node, "needs")
    patch.drop_items(needs, [place for place in range(len(items)) if place not in stays])
    if len(wanted) > len(texts):
        patch.add_items(needs, stays[-1], wanted[len(texts) :])
    del values["needs"]


_Fresh = list[tuple[_Kept | None, list[dict[str, Any]]]]
"""What is new in a list, in order: each run of tasks after the one that stays before them."""


def _fresh(kept: _Kept, others: dict[str, _Kept], new: Task) -> _Fresh:
    found: _Fresh = []
    after: _Kept | None = None
    for child in new.subtasks:
        here = others.get(child.id)
        if here is not None and here.row.parent is kept.row:
            after = here
        elif found and found[-1][0] is after:
            found[-1][1].append(entry_of(child))
        else:
            found.append((after, [entry_of(child)]))
    return found


def _add(patch: Patch, kept: _Kept, after: _Kept | None, entries: list[dict[str, Any]]) -> None:
    holder = kept if after is None or after.holder is None else after.holder
    if holder is not kept:
        entries = [{**entry, "parent": kept.row.id} for entry in entries]
    patch.add_items(_value(holder.row.node, "tasks"), None if after is None else after.place, entries)


def _value(node: Node, key: str) -> Node:
    return (node.entries or {})[key][1]


def _items_of(node: Node, key: str) -> list[Node]:
    """Return the items of the list under a key; none if there is no such list."""
    return _value(node, key).items or [] if key in (node.entries or {}) else []
