"""The reply grammar of replanning: which changes a model makes to what is open of a plan, by a closed set of operators.

    <retry of="0.2">the same task in other words</retry>
    <replace of="0.2" id="a" needs="0.1">a task that does it in another way</replace>
    <insert before="0.2" id="b">a task whose result it needs first</insert>
    <split of="0.2" id="c">a part of it</split>
    <drop of="0.3">why it is not needed</drop>
    <add to="0">one task more below it</add>             where a person wants the plan changed

Several elements of one operator about one task belong together: two `replace` give it two successors. Instead there may
be `<failed reason="...">`. By a schema the same is said in JSON. What changes may not do is told as complaints that can
be put to the model: each names the task. Knows no tree: `OpenPlan` says what is open.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ramify.tasks.errors import ReplyError

from .answers import Failure, joined_failure, read_failure
from .by_schema import LONGEST_TASK, Schema, failed_schema, object_in, object_schema, text_schema
from .elements import Element, ElementReader, close_reader
from .json_lists import failure_in
from .planned import Item, PlanBuilder, PlannedTask, find_cycle, has_words, item_of, shown, stripped
from .scanner import words_of

REPLAN = "replan"
MOST_CHANGES = 12
"""How many changes one reply may make."""

_MOST_COMPLAINTS = 10
_OF = ("of", "before", "to", "task", "target")


class Operator(StrEnum):
    """What can be changed in a plan."""

    RETRY = "retry"
    """The task is done again, in other words."""
    REPLACE = "replace"
    """Other tasks are done instead; what needed it needs these."""
    INSERT = "insert"
    """Tasks are done before it, and it needs their results."""
    SPLIT = "split"
    """Tasks are done below it, and it is composed from them."""
    DROP = "drop"
    """It is not done."""
    ADD = "add"
    """Tasks are done below it besides those that are there."""


_WITH_TASKS = frozenset({Operator.REPLACE, Operator.INSERT, Operator.SPLIT, Operator.ADD})
"""The operators that bring new tasks."""

BELOW = frozenset({Operator.SPLIT, Operator.ADD})
"""Those whose new tasks stand below the task that they are about; those of the others stand beside it."""

_BESIDES = frozenset({Operator.INSERT, Operator.ADD})
"""Those that leave the task as it is, so that another change may be about it too."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a plan.

    Attributes:
        do: the operator.
        of: the id of the task that it is about.
        words: its new content, or why it is dropped; empty with other operators.
        tasks: the new tasks.
    """

    do: Operator
    of: str
    words: str = ""
    tasks: tuple[PlannedTask, ...] = ()

    @property
    def last(self) -> tuple[str, ...]:
        """The keys of those new tasks that none of the others needs: what waits for the change waits for them."""
        needed = {need for task in self.tasks for need in task.needs}
        return tuple(task.key for task in self.tasks if task.key not in needed)


@dataclass(frozen=True, slots=True)
class Replan:
    """What a reply says about what is open of a plan.

    Attributes:
        changes: the changes, one for each operator and task, in the order of the reply.
        failed: why there is no way on; None if there is one.
    """

    changes: tuple[Change, ...] = ()
    failed: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlan:
    """What may be changed in a plan.

    Attributes:
        failed: the ids of the tasks that failed; each needs a change.
        open: the ids of the others that have not begun, in order.
        kept: the ids of tasks that stay, whose results new tasks may need.
        needs: what each open or failed task needs, of these.
        needed_by: by id, the tasks that need an open or failed one.
        holds: by id, what is below a task and needed from outside, as (task, need).
        splittable: the ids of those that may be split.
        split: the ids of failed ones that have subtasks: others are done instead, also where they are tried again.
        parents: the ids of tasks that may be given more below them; none where nothing may be added.
        above: by id, the open tasks that an open one is a part of.
        most: how many changes one reply may make.
    """

    failed: tuple[str, ...]
    open: tuple[str, ...]
    kept: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]]
    needed_by: Mapping[str, tuple[str, ...]]
    holds: Mapping[str, tuple[tuple[str, str], ...]]
    splittable: frozenset[str]
    split: frozenset[str] = frozenset()
    parents: tuple[str, ...] = ()
    above: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    most: int = MOST_CHANGES

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators that may be used."""
        return tuple(do for do in Operator if do is not Operator.ADD or self.parents)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that changes may be about."""
        return (*self.failed, *self.open)


def replan_schema(plan: OpenPlan, *, max_tasks: int, types: Sequence[str] = ()) -> Schema:
    """Return the schema of a reply that changes `plan`; `types` are what new tasks can be given to, if not the model.

    New tasks go by `new1`, `new2` and so on, in their order.
    """
    names = [*plan.kept, *plan.ids, *(f"new{number}" for number in range(1, max_tasks))]
    change = object_schema(
        do={"type": "string", "enum": [operator.value for operator in plan.operators]},
        of={"type": "string", "enum": list(dict.fromkeys((*plan.parents, *plan.ids)))},
        content=text_schema(LONGEST_TASK),
        needs={"type": "array", "items": {"type": "string", "enum": names}, "maxItems": len(names)},
        **({"type": {"type": "string", "enum": list(types)}} if types else {}),
    )
    changes = {"type": "array", "items": change, "minItems": 1, "maxItems": max(max_tasks, plan.most)}
    return object_schema(replan={"anyOf": [object_schema(changes=changes), failed_schema()]})


def parse_replan(
    reply: str,
    plan: OpenPlan,
    *,
    finish_reason: str = "stop",
    max_tasks: int | None = None,
    types: Collection[str] | None = None,
) -> Replan:
    """Return the changes that a reply makes to `plan`.

    Args:
        reply: the model's words.
        plan: what may be changed.
        finish_reason: why the model stopped.
        max_tasks: the most new tasks.
        types: what they can be given to; see `PlanRules`.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if it holds no changes, or some that may not be made; the complaint names all faults.

    >>> plan = OpenPlan(failed=("0.1",), open=(), needs={}, needed_by={}, holds={}, splittable=frozenset())
    >>> parse_replan('<retry of="0.1">Look twice</retry>', plan).changes[0].words
    'Look twice'
    """
    entries, failures, complaints = _entries(reply, finish_reason, plan.operators)
    entries = [
        replace(each, do=Operator.REPLACE) if each.do is Operator.RETRY and each.of in plan.split else each
        for each in entries
    ]
    builder = PlanBuilder(max_tasks=max_tasks, types=types, known_ids={*plan.kept, *plan.ids})
    for each in entries:
        if each.do in _WITH_TASKS:
            builder.add(each.item)
    tasks = builder.finish()
    complaints += builder.complaints
    if not complaints and failures and entries:
        complaints.append("`<failed>` stands beside changes; give one or the other")
    if not complaints and not failures:
        changes = _joined(entries, tasks)
        complaints += _faults(changes, plan)
        if not complaints:
            return Replan(changes)
    if complaints:
        raise ReplyError("; ".join(dict.fromkeys(complaints[:_MOST_COMPLAINTS])), reply=reply)
    return Replan(failed=joined_failure(failures))


@dataclass(frozen=True, slots=True)
class _Entry:
    do: Operator
    of: str
    item: Item


def _entries(
    reply: str, finish_reason: str, operators: Sequence[Operator]
) -> tuple[list[_Entry], list[Failure], list[str]]:
    """Return what a reply says, one by one, its failures, and what is wrong with its form."""
    said = object_in(reply, REPLAN, finish_reason=finish_reason)
    if said is not None and isinstance(said[REPLAN], dict):
        return _of_json(said[REPLAN], operators)
    reader = ElementReader(containers={*Operator, "failed"})
    elements = reader.feed(reply)
    elements += close_reader(reader, reply, finish_reason)[0]
    complaints = list(reader.complaints)
    failures = [
        read_failure(each.tag.attributes().get("reason"), words_of(each.content))
        for each in elements
        if each.tag.name == "failed"
    ]
    entries = [entry for each in elements if each.tag.name != "failed" for entry in _of_element(each)]
    if not complaints and not entries and not failures:
        *others, last = (f"`<{each}>`" for each in operators)
        complaints.append(f"the reply holds no change: {', '.join(others)} or {last}")
    return entries, failures, complaints


def _of_element(element: Element) -> list[_Entry]:
    """Return the change that an element makes; if its words stand in `<task>` elements, one for each of these."""
    fields = element.tag.attributes()
    of = next((stripped(fields[name]) for name in _OF if name in fields), "")
    own = {name: value for name, value in fields.items() if name not in _OF}
    items = [item_of(words_of(each.content), own | each.tag.attributes()) for each in _tasks_in(element.content)]
    do = Operator(element.tag.name)
    return [_Entry(do, of, item) for item in items or [item_of(words_of(element.content), own)]]


def _tasks_in(content: str) -> list[Element]:
    """Return the `<task>` elements that are all that `content` holds; none if it holds anything else."""
    if not content.lstrip().startswith("<task") or not content.rstrip().endswith("</task>"):
        return []
    reader = ElementReader(containers=("task",))
    return reader.feed(content) + reader.close()[0]


def _of_json(said: Mapping[str, Any], operators: Sequence[Operator]) -> tuple[list[_Entry], list[Failure], list[str]]:
    if "failed" in said:
        return [], [read_failure(*failure_in(said["failed"]))], []
    changes = said.get("changes")
    entries: list[_Entry] = []
    complaints: list[str] = []
    new = 0
    for number, each in enumerate(changes if isinstance(changes, list) else [], 1):
        if not isinstance(each, dict) or each.get("do") not in set(Operator):
            complaints.append(f"change {number} has no `do` that is one of {', '.join(operators)}")
            continue
        do = Operator(each["do"])
        new += do in _WITH_TASKS
        needs = each.get("needs")
        item = Item(
            str(each.get("content") or ""),
            key=f"new{new}" if do in _WITH_TASKS else None,
            needs=tuple(map(str, needs)) if isinstance(needs, list) else (),
            type=None if each.get("type") is None else str(each["type"]),
        )
        entries.append(_Entry(do, stripped(str(each.get("of") or "")), item))
    if not entries and not complaints:
        complaints.append("`changes` holds no change")
    return entries, [], complaints


def _joined(entries: Sequence[_Entry], tasks: Sequence[PlannedTask]) -> tuple[Change, ...]:
    """Return the changes; entries of one operator about one task are one."""
    rest = iter(tasks)
    found: dict[tuple[Operator, str], Change] = {}
    for each in entries:
        new = (next(rest),) if each.do in _WITH_TASKS else ()
        before = found.get((each.do, each.of))
        if before is not None and each.do in _WITH_TASKS:
            found[each.do, each.of] = Change(each.do, each.of, tasks=(*before.tasks, *new))
        else:
            words = each.item.content if each.do not in _WITH_TASKS else ""
            found[each.do, each.of] = Change(each.do, each.of, words, new)
    return tuple(found.values())


def _faults(changes: Sequence[Change], plan: OpenPlan) -> Iterator[str]:
    """Yield what is wrong with changes that are well formed."""
    if len(changes) > plan.most:
        yield f"there are {len(changes)} changes, the most is {plan.most}"
    about: dict[str, Operator] = {}
    for change in changes:
        if not _is_open(change, plan):
            yield _not_open(change, plan)
            continue
        if change.do not in _BESIDES and about.setdefault(change.of, change.do) is not change.do:
            yield f"`{about[change.of]}` and `{change.do}` are both about task {change.of}; keep one of them"
        yield from _own_faults(change, plan)
    named = {change.of for change in changes}
    for task_id in plan.failed:
        if task_id not in named:
            yield f"task {task_id} has failed, and no change is about it"
    gone = {task_id: do for task_id, do in about.items() if do in {Operator.REPLACE, Operator.DROP}}
    lost = {task_id: top for task_id in plan.ids for top in (task_id, *plan.above.get(task_id, ())) if top in gone}
    yield from _lost_needs(changes, lost)
    yield from _needs_of_what_goes(plan, gone, lost)
    yield from _circle(changes, plan, gone)


def _is_open(change: Change, plan: OpenPlan) -> bool:
    return change.of in (plan.parents if change.do is Operator.ADD else plan.ids)


def _not_open(change: Change, plan: OpenPlan) -> str:
    if change.do is Operator.ADD and not plan.parents:
        return f"`{change.do}` cannot be used here; there are {', '.join(plan.operators)}"
    if change.do is Operator.ADD:
        return f"no task can be added to {shown(change.of)}; those that have tasks below are {', '.join(plan.parents)}"
    ids = f"the open tasks are {', '.join(plan.ids)}" if plan.ids else "no task is open"
    return f"`{change.do}` is about {shown(change.of)}, which cannot be changed; {ids}"


def _own_faults(change: Change, plan: OpenPlan) -> Iterator[str]:
    """Yield what is wrong with one change by itself."""
    if change.do is Operator.RETRY and not has_words(change.words):
        yield f"the retry of task {change.of} is blank; say what is to be done"
    if change.do is Operator.INSERT and change.of in plan.split:
        yield f"task {change.of} has a plan that leads nowhere, so a task before it does not help; replace or drop it"
    if change.do is Operator.SPLIT and change.of not in plan.splittable:
        yield f"task {change.of} cannot be split; replace it, or try it again in other words"
    elif change.do is Operator.SPLIT and len(change.tasks) == 1:
        yield f"task {change.of} is split into one task; give two or more, or replace it"


def _lost_needs(changes: Sequence[Change], lost: Mapping[str, str]) -> Iterator[str]:
    """Yield, by name, what is wanted of or with a task that is not there any more: alone, or as a part of another."""
    for change in changes:
        top = lost.get(change.of)
        if top is not None and top != change.of:
            yield f"`{change.do}` is about task {change.of}, which goes with task {top}; leave it out"
        elif top is not None and change.do in _BESIDES:
            where = "put before" if change.do is Operator.INSERT else "added to"
            yield f"a task is {where} task {change.of}, which is not done any more"
        for key, need in ((task.key, need) for task in change.tasks for need in task.needs):
            if need in lost:
                yield f"task {shown(key)} needs task {need}, which is not done any more; name what is instead"
            elif change.do in BELOW and need == change.of:
                yield f"task {shown(key)} is a part of task {need} and cannot need it"


def _needs_of_what_goes(plan: OpenPlan, gone: Mapping[str, Operator], lost: Collection[str]) -> Iterator[str]:
    """Yield each need of a task that stays on one that is dropped, or that goes with another, by name."""
    for task_id, do in gone.items():
        others = plan.needed_by.get(task_id, ()) if do is Operator.DROP else ()
        for other in others:
            if other not in lost:
                yield f"task {other} needs task {task_id}, which is dropped; replace {task_id}, or drop {other} too"
        for other, need in plan.holds.get(task_id, ()):
            if other not in lost:
                yield f"task {other} needs task {need}, which would go with task {task_id}; keep task {task_id}"


def _circle(changes: Sequence[Change], plan: OpenPlan, gone: Collection[str]) -> Iterator[str]:
    """Yield the circle in which tasks would need each other."""
    last = {change.of: change.last for change in changes if change.do is Operator.REPLACE}
    needs: dict[str, list[str]] = {}
    for task_id in plan.ids:
        if task_id not in gone:
            needs[task_id] = [new for need in plan.needs.get(task_id, ()) for new in last.get(need, (need,))]
    for change in changes:
        needs.update((task.key, list(task.needs)) for task in change.tasks)
        if change.do is Operator.INSERT and change.of in needs:
            needs[change.of] += change.last
        elif change.do is Operator.SPLIT and change.of in needs:  # its parts begin after it, and it ends after them
            for task in change.tasks:
                needs[task.key] += needs[change.of]
            for task_id in [task_id for task_id in needs if change.of in needs[task_id]]:
                needs[task_id] += change.last
    if circle := find_cycle(needs):
        path = " -> ".join(map(shown, circle))
        yield f"these tasks would need each other in a circle: {path}; remove one of the needs"
