"""What the tasks of one plan must keep: words in each, ids used once, needs that exist, no circle, known types.

Tasks are taken one by one, in the order of the reply, and each rule looks only at what came before, so that a plan that
is still being written is read as the whole one will be. What a need names is looked up in this order: the id of a task
of the plan, an id that was known before, the position of a task in the plan, from 1. A need that nothing answers to yet
waits, and with it the tasks after it. A name that would have changed its meaning by the end is an error, not a guess.
`none`, `nil`, `0` and the like are no needs, unless a task has that id. Where there are no types, a type that a model
has made up is left out, and noted.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypedDict

from ramify.tasks.counting import counted

from .nothing import says_nothing

OnBlank = Literal["refuse", "skip"]

KEY_FIELDS = ("id", "key")
NEED_FIELDS = (
    "needs", "need", "dependson", "depends", "dependencies", "dependency", "requires", "prerequisites", "prerequisite",
    "blockedby", "after",
)  # fmt: skip
TYPE_FIELDS = ("type", "worker")
TEXT_FIELDS = ("content", "description", "task", "title", "name")
"""What the fields of a task are called, in lower case and without `_` and `-`."""

_LIST = re.compile(r"[,;\u3001\uff0c\uff1b]")
_WRAPPING = " \t\r\n[](){}\"'#"
_NAME_LENGTH = 60
_KEYS_SHOWN = 30
_TYPES_SHOWN = 8
_PATH_ENDS = 10
_POSITION_LENGTH = 9


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task of a plan.

    Attributes:
        key: its name in the plan: its id, or else its position in the reply, from 1.
        content: what is to be done.
        needs: the keys of the tasks whose results it needs, or ids that were known before; each once.
        type: the worker that it is meant for; None is the model.
    """

    key: str
    content: str
    needs: tuple[str, ...] = ()
    type: str | None = None


class PlanRules(TypedDict, total=False):
    """What a plan must keep; everything may be left out.

    Attributes:
        max_tasks: the most tasks that it may hold; None, the default, is no limit.
        types: the types that its tasks may have; None, the default, allows every type. If there are none, those that
            a model has made up are left out.
        known_ids: ids of tasks outside of the plan that its tasks may need; none unless given.
        blank: whether an item without words is an error ("refuse", the default) or is left out and counted ("skip").
    """

    max_tasks: int | None
    types: Collection[str] | None
    known_ids: Collection[str]
    blank: OnBlank


@dataclass(frozen=True, slots=True)
class Item:
    """A task as a reply gives it, unchecked.

    Attributes:
        content: what is to be done; may be blank.
        key: its id; None or blank if it has none.
        needs: names of other tasks, also several in one string.
        type: the worker; None or blank if it has none.
    """

    content: str
    key: str | None = None
    needs: tuple[str, ...] = ()
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A plan that is written without tags, unchecked.

    Attributes:
        items: its tasks, in order.
        atomic: whether it says that the task should not be split.
        failed: reason and detail, if it says that there is no plan.
    """

    items: tuple[Item, ...] = ()
    atomic: bool = False
    failed: tuple[str, str] | None = None


@dataclass(slots=True)
class _Draft:
    key: str
    content: str
    names: list[str]
    type: str | None
    needs: dict[str, None] = field(default_factory=dict)
    looked_up: int = 0


class PlanBuilder:
    """Takes the tasks of one plan in order and checks them.

    The arguments are those of `PlanRules`.

    Attributes:
        complaints: what is wrong so far, in words that can be put to a model.
        skipped: how many blank items were left out.
        untyped: the types that tasks were given though there are none.
    """

    def __init__(
        self,
        *,
        max_tasks: int | None = None,
        types: Collection[str] | None = None,
        known_ids: Collection[str] = (),
        blank: OnBlank = "refuse",
    ) -> None:
        self.complaints: list[str] = []
        self.skipped = 0
        self.untyped: dict[str, None] = {}
        self._max_tasks = max_tasks
        self._types = types
        self._known_ids = known_ids if isinstance(known_ids, AbstractSet | Mapping) else frozenset(known_ids)
        self._skips_blank = blank == "skip"
        self._drafts: list[_Draft] = []
        self._keys: dict[str, None] = {}
        self._positions: list[str | None] = []
        self._elsewhere: set[str] = set()
        self._settled = 0  # how many drafts were given out
        self._has_named_tasks = False

    @property
    def count(self) -> int:
        """How many items were taken, blank ones included."""
        return len(self._positions)

    def add(self, item: Item) -> list[PlannedTask]:
        """Take the next item, and return the tasks that are complete by now, in order; none after a complaint."""
        position = str(self.count + 1)
        key = stripped(item.key) or position
        if not has_words(item.content):
            self._positions.append(None)
            self._take_blank(key)
            return []
        self._positions.append(key)
        if key in self._keys:
            self.complaints.append(f"two tasks have the id {shown(key)}; give each its own")
            return []
        self._keys[key] = None
        if key in self._elsewhere:
            self.complaints.append(f"it is not clear which task a need of {shown(key)} means; give the tasks other ids")
        type_ = self._type_of(item, key)
        self._drafts.append(_Draft(key, item.content, list(self._names(item.needs)), type_))
        return self._settle()

    def finish(self) -> tuple[PlannedTask, ...]:
        """Return the whole plan; it is right only if there are no complaints afterwards."""
        for draft in self._drafts[self._settled :]:
            for name in draft.names[draft.looked_up :]:
                if not self._look_up(draft, name):
                    self.complaints.append(self._not_found(draft.key, name))
        cycle = find_cycle({draft.key: draft.needs for draft in self._drafts})
        if cycle:
            self.complaints.append(f"these tasks need each other in a circle: {_path(cycle)}; remove one of the needs")
        if self._has_too_many():
            self.complaints.append(
                f"there are {counted(len(self._drafts), 'task')}, the most is {self._max_tasks:,}; join some of them"
            )
        return tuple(_planned(draft) for draft in self._drafts)

    def notes(self) -> Iterator[str]:
        """Give what was left out, in sentences."""
        if self.untyped:
            types = ", ".join(shown(type_) for type_ in islice(self.untyped, _TYPES_SHOWN))
            more = f" and {len(self.untyped) - _TYPES_SHOWN} more" if len(self.untyped) > _TYPES_SHOWN else ""
            yield f"no workers are listed, so these types are left out: {types}{more}"

    def _type_of(self, item: Item, key: str) -> str | None:
        type_ = stripped(item.type)
        is_known = self._types is None or type_ in self._types
        if "=" in key + type_:
            self.complaints.append(f"the tag of task {shown(key)} cannot be read; put each attribute in quotes")
        elif not type_ or (says_nothing(type_) and not (self._types and is_known)):
            return None
        elif not self._types and not is_known:
            self.untyped[type_] = None
            return None
        elif not is_known:
            known = ", ".join(self._types or ())
            self.complaints.append(
                f"task {shown(key)} has the type {shown(type_)}, which is unknown; the types are {known}"
            )
        return type_

    def _take_blank(self, key: str) -> None:
        if self._skips_blank:
            self.skipped += 1
        else:
            self.complaints.append(f"task {shown(key)} is blank; say what is to be done, or leave it out")

    def _has_too_many(self) -> bool:
        return self._max_tasks is not None and len(self._drafts) > self._max_tasks

    def _settle(self) -> list[PlannedTask]:
        ready: list[PlannedTask] = []
        while self._settled < len(self._drafts) and not self.complaints and not self._has_too_many():
            draft = self._drafts[self._settled]
            while draft.looked_up < len(draft.names) and self._look_up(draft, draft.names[draft.looked_up]):
                draft.looked_up += 1
            if draft.looked_up < len(draft.names) or self.complaints:
                break
            self._settled += 1
            ready.append(_planned(draft))
        return ready

    def _look_up(self, draft: _Draft, name: str) -> bool:
        found: str | None = name
        if name not in self._keys:
            found = name if name in self._known_ids else self._at(name)
            if found is None:
                return False
            self._elsewhere.add(name)
        if found == draft.key:
            self.complaints.append(f"task {shown(name)} needs itself; remove that need")
        elif found is not None:
            draft.needs[found] = None
        return True

    def _at(self, name: str) -> str | None:
        return self._positions[int(name) - 1] if self._is_position(name) else None

    def _is_position(self, name: str) -> bool:
        return name.isdecimal() and len(name) <= _POSITION_LENGTH and 0 < int(name) <= self.count

    def _names(self, needs: Iterable[str]) -> Iterator[str]:
        parts = [stripped(part) for need in needs for part in _LIST.split(need)]
        for part in parts:
            is_word = part in self._keys or says_nothing(part)
            for name in [part] if is_word else map(stripped, part.split()):
                if name in self._keys or name in self._known_ids:
                    yield name
                elif says_nothing(name) or (name == "0" and len(parts) == 1 and part == name):
                    self._elsewhere.add(name)  # no task may have that id any more
                else:
                    yield name

    def _not_found(self, key: str, name: str) -> str:
        if self._is_position(name):
            return f"task {shown(key)} needs {shown(name)}, which is blank; remove the need, or say what is to be done"
        fault = f"task {shown(key)} needs {shown(name)}, which is no task of this reply"
        if self._has_named_tasks:
            return fault
        self._has_named_tasks = True
        tasks = ", ".join(shown(other)[1:-1] for other in islice(self._keys, _KEYS_SHOWN))
        more = f" and {len(self._keys) - _KEYS_SHOWN} more" if len(self._keys) > _KEYS_SHOWN else ""
        return f"{fault}; the tasks are {tasks}{more}"


def item_of(content: str, fields: Mapping[str, str]) -> Item:
    """Return a task from its content and its attributes; some models write the content into one of these."""
    if not has_words(content):
        content = next((fields[name] for name in TEXT_FIELDS if has_words(fields.get(name, ""))), content)
    return Item(
        content,
        key=next((fields[name] for name in KEY_FIELDS if name in fields), None),
        needs=tuple(fields[name] for name in NEED_FIELDS if name in fields),
        type=next((fields[name] for name in TYPE_FIELDS if name in fields), None),
    )


def has_words(text: str) -> bool:
    """Return whether there is anything to see in `text`; white space and zero-width characters are nothing."""
    return any(character.isprintable() and character != " " for character in text)


def stripped(name: str | None) -> str:
    """Return `name` without the brackets, quotes and white space around it; empty for None."""
    return (name or "").strip(_WRAPPING)


def shown(name: str) -> str:
    """Return `name` in quotes, on one line, and cut when it is long."""
    line = " ".join(name[: 2 * _NAME_LENGTH].split())
    return f'"{line}"' if len(line) <= _NAME_LENGTH and len(name) <= 2 * _NAME_LENGTH else f'"{line[:_NAME_LENGTH]}..."'


def _planned(draft: _Draft) -> PlannedTask:
    return PlannedTask(draft.key, draft.content, tuple(draft.needs), draft.type)


def _path(keys: Sequence[str]) -> str:
    if len(keys) <= 2 * _PATH_ENDS:
        return " -> ".join(shown(key) for key in keys)
    first, last = _path(keys[:_PATH_ENDS]), _path(keys[-_PATH_ENDS:])
    return f"{first} -> ({len(keys) - 2 * _PATH_ENDS} more) -> {last}"


def find_cycle(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a circle of needs as a path, its first key again at the end; empty if there is none."""
    done: set[str] = set()
    for first in needs:
        path = [] if first in done else [first]
        places = {first: 0}
        rests = [iter(needs[first])]
        while path:
            following = next(rests[-1], None)
            if following is None:
                rests.pop()
                done.add(path.pop())
            elif following in done or following not in needs:
                continue
            elif following in places:
                return [*path[places[following] :], following]
            else:
                places[following] = len(path)
                path.append(following)
                rests.append(iter(needs[following]))
    return []
