"""What a plan's values mean: the keys of a task, its id, its place in the tree, and what it needs.

    goal: Compare two cities          # the root's content; its id is "0" unless `id` says otherwise
    tasks:
      - Describe Oslo                 # a text is a task; its id is "0.1": the parent's, and its number
      - id: bergen
        task: Describe Bergen
        type: writer                  # which worker runs it
        tasks: [...]                  # its subtasks
      - task: Compare them
        needs: ["0.1", bergen]        # ids of tasks anywhere in the plan
      - task: More about Bergen
        parent: bergen                # only in the top list: under which earlier task it belongs

Every task can also have `name`, `description`, `priority`, `expected_seconds`, `inputs`, `config`, `checks`,
`metadata`, `attachments` (see `attached`) and `memory_scope`, and, where work is kept, `state`, `result`, `output` and
`error`. A `result` alone means DONE.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any

from .nodes import Node, PlanFinding, shown

TEXT_KEYS = ("type", "name", "description", "memory_scope", "state", "result", "error")
"""Keys whose value is text, however it is written: `result: 42` is the text 42."""

VALUE_KEYS = ("priority", "expected_seconds", "output", "inputs", "config", "checks", "metadata", "attachments")

_PLACE_KEYS = ("id", "needs", "parent", "tasks")
_GOAL_KEYS = frozenset({"goal", "id", "needs", "tasks", *TEXT_KEYS, *VALUE_KEYS})
_TASK_KEYS = frozenset({"task", *_PLACE_KEYS, *TEXT_KEYS, *VALUE_KEYS})
_OTHER_NAMES: Mapping[str, str] = {
    "after": "needs", "check": "checks", "children": "tasks", "content": "task", "dependencies": "needs",
    "depends_on": "needs", "goal": "task", "steps": "tasks", "subtasks": "tasks", "title": "task", "tool": "type",
    "worker": "type",
}  # fmt: skip

_MOST_CANDIDATES = 1000
_LONGEST_WORD = 60
_NEAR_LENGTH = 4
_FEW = 6


@dataclass(slots=True, eq=False)
class PlanRow:
    """A task as a plan has it.

    Attributes:
        id: its id, given or made.
        node: where it stands.
        parent: the row that it belongs under; None for the goal.
        fields: what is said of it, by the names of the keys.
        needs: the ids that it needs, each with its place.
        count: how many rows belong under it so far.
    """

    id: str
    node: Node
    parent: "PlanRow | None"
    fields: dict[str, Any] = field(default_factory=dict)
    needs: list[tuple[str, Node]] = field(default_factory=list)
    count: int = 0

    @property
    def content_key(self) -> str:
        """The key that says what is to be done."""
        return "goal" if self.parent is None else "task"


def rows_of(root: Node) -> tuple[list[PlanRow], list[PlanFinding]]:
    """Return the tasks of a plan, parents before children and siblings in order, and what is wrong with them.

    What is wrong is left out of the rows. There are none if the plan has no goal at all.
    """
    if root.entries is None:
        return [], [root.finding(f"a plan must start with `goal: ...`; this is {root.kind}")]
    reader = _Reader()
    stack: list[tuple[Node, PlanRow | None]] = [(root, None)]
    while stack:
        node, parent = stack.pop()
        row = reader.take(node, parent)
        stack.extend((child, row) for child in reversed(reader.children(row)))
    return reader.rows, reader.findings


def made_id(parent_id: str, number: int) -> str:
    """Return the id of a task that has none in the file: the `number`th, from 1, below its parent."""
    return f"{parent_id}.{number}"


def near_miss(word: str, known: Collection[str]) -> str:
    """Return the ending of a message about an unknown word: which known one may have been meant.

    >>> near_miss("rome", ["oslo", "roma"])
    '; did you mean roma?'
    >>> near_miss("c", ["a", "b"])
    '; there are a, b'
    """
    alike = (other for other in known if abs(len(other) - len(word)) <= _NEAR_LENGTH)
    close = get_close_matches(word, list(islice(alike, _MOST_CANDIDATES)), 1) if len(word) <= _LONGEST_WORD else []
    if close or len(known) == 1:
        return f"; did you mean {shown((close or list(known))[0])}?"
    return f"; there are {', '.join(map(shown, known))}" if 0 < len(known) <= _FEW else ""


class _Reader:
    def __init__(self) -> None:
        self.rows: list[PlanRow] = []
        self.findings: list[PlanFinding] = []
        self._by_id: dict[str, PlanRow] = {}

    def take(self, node: Node, parent: PlanRow | None) -> PlanRow:
        """Make the row of a task that stands in the list of `parent`."""
        parent = self._parent(node, parent)
        made = "0" if parent is None else made_id(parent.id, parent.count + 1)
        if parent is not None:
            parent.count += 1
        row = PlanRow(self._id(node, made), node, parent)
        self._read_content(row)
        if node.entries is not None:
            self._check_keys(row, node.entries)
            self._read_fields(row, node.entries)
            row.needs = self._needs(row, node.entries["needs"][1]) if "needs" in node.entries else []
        self.rows.append(row)
        self._by_id.setdefault(row.id, row)
        return row

    def children(self, row: PlanRow) -> list[Node]:
        """Return the tasks in the list of `row`."""
        node = _value(row.node, "tasks")
        if node is None:
            return []
        if node.items is None:
            message = f"task {shown(row.id)}: `tasks` must be a list of tasks, not {node.kind}"
            self.findings.append(node.finding(message))
        return node.items or []

    def _parent(self, node: Node, parent: PlanRow | None) -> PlanRow | None:
        """Return the row that a task of the list of `parent` belongs under: that one, or the one that it names."""
        named = _value(node, "parent")
        if named is None or parent is None:
            return parent
        if parent.parent is not None:
            message = f"`parent` is only for tasks in the top list; this one is already below task {shown(parent.id)}"
            self.findings.append(named.finding(message))
            return parent
        if named.text not in self._by_id:
            message = f"the parent {_words(named)} is not a task before this one"
            self.findings.append(named.finding(message + self._near(named.text or "")))
        return self._by_id.get(named.text or "", parent)

    def _id(self, node: Node, made: str) -> str:
        named = _value(node, "id")
        task_id = made if named is None or named.text is None else named.text
        place = node if named is None else named
        if named is not None and (named.text is None or not task_id.strip() or not task_id.isprintable()):
            self.findings.append(place.finding(f"an id must be printable text, not {_words(named)}"))
            task_id = made
        first = self._by_id.get(task_id)
        if first is None:
            return task_id
        known = f"is already used in line {first.node.line}"
        advice = "use another id" if named is not None else "give this task an `id`"
        self.findings.append(place.finding(f"the id {shown(task_id)} {known}; {advice}"))
        return f"{task_id} ({place.line}:{place.column})"

    def _read_content(self, row: PlanRow) -> None:
        node = row.node if row.node.entries is None else _value(row.node, row.content_key)
        if node is None or node.text is None or node.value is None or not node.text.strip():
            self._miss_content(row, node)
        else:
            row.fields["content"] = node.text

    def _miss_content(self, row: PlanRow, node: Node | None) -> None:
        if node is None:
            what = "the plan has no" if row.parent is None else f"task {shown(row.id)} has no"
            self.findings.append(row.node.finding(f"{what} `{row.content_key}`"))
        elif node.text is None:
            message = f"task {shown(row.id)}: `{row.content_key}` must be text, not {node.kind}"
            self.findings.append(node.finding(message))
        else:
            self.findings.append(node.finding(f"task {shown(row.id)} is blank; say what is to be done"))

    def _check_keys(self, row: PlanRow, entries: Mapping[str, tuple[Node, Node]]) -> None:
        known = _GOAL_KEYS if row.parent is None else _TASK_KEYS
        for key, (place, _) in entries.items():
            if key in known:
                continue
            other = row.content_key if key in {"goal", "task"} else _OTHER_NAMES.get(key.lower().replace("-", "_"))
            if other == "task":
                other = row.content_key
            hint = f"; did you mean {other}?" if other in known else near_miss(key, sorted(known))
            self.findings.append(place.finding(f"task {shown(row.id)}: unknown key {shown(key)}{hint}"))

    def _read_fields(self, row: PlanRow, entries: Mapping[str, tuple[Node, Node]]) -> None:
        for key in TEXT_KEYS:
            if key in entries and (node := entries[key][1]).value is not None:
                row.fields[key] = node.value if node.text is None else node.text
        for key in VALUE_KEYS:
            if key in entries and (value := entries[key][1].value) is not None:
                row.fields[key] = value
        if str(row.fields.get("state", "")).upper() == "RUNNING":
            message = f"task {shown(row.id)}: a task in a file cannot be RUNNING; use OPEN"
            self.findings.append(entries["state"][1].finding(message))
        if row.fields.get("result"):
            row.fields.setdefault("state", "DONE")

    def _needs(self, row: PlanRow, node: Node) -> list[tuple[str, Node]]:
        if node.items is None and node.value is None:
            return []
        found: dict[str, Node] = {}
        for item in [node] if node.items is None else node.items:
            if item.text is None:
                message = f"task {shown(row.id)}: `needs` must be a list of ids, not {item.kind}"
                self.findings.append(item.finding(message))
            else:
                found.setdefault(item.text, item)
        return list(found.items())

    def _near(self, word: str) -> str:
        return near_miss(word, self._by_id)


def _value(node: Node, key: str) -> Node | None:
    """Return the value of `key`; None if it is not there or says nothing."""
    if node.entries is None or key not in node.entries:
        return None
    value = node.entries[key][1]
    return None if value.value is None and key in _PLACE_KEYS else value


def _words(node: Node) -> str:
    return node.kind if node.text is None else shown(node.text)
