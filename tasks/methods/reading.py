"""The file of a method: its text to a `Method`, with all that is wrong with it, each at its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ramify.tasks.counting import counted
from ramify.tasks.errors import DocumentError
from ramify.tasks.patterns import check_pattern
from ramify.tasks.plans.attached import read_attached
from ramify.tasks.plans.nodes import Node, PlanFinding, error_of, shown
from ramify.tasks.plans.plans import plan_text, tree_of
from ramify.tasks.plans.rows import PlanRow, near_miss, rows_of
from ramify.tasks.plans.yaml_plans import read_yaml

from .method import FILLED_KEYS, Method, Preconditions
from .patterns import Pattern, holes_of, is_name, texts_in

ENDINGS = (".yaml", ".yml")
"""The endings of the files of methods."""

MAX_BYTES = 2_000_000
"""The largest file of a method that is read, in bytes."""

MAX_TASKS = 10_000

_KEYS = ("name", "goal", "keywords", "parameters", "preconditions", "tasks", "enabled", "provenance")
_OF_PRECONDITIONS = ("keywords", "matches", "check")
_OF_RUNS = ("state", "result", "output", "error")
_CALLED = "FILE.py:NAME or module:NAME"


def load_method(path: Path) -> Method:
    """Return the method of a file.

    Raises:
        DocumentError: if it cannot be read, or something in it is wrong; each finding is said with its place.
    """
    return read_method(plan_text(path, most=MAX_BYTES), source=str(path), name=path.stem, folder=path.parent)


def read_method(text: str, *, source: str, name: str, folder: Path | None = None) -> Method:
    """Return the method that a text describes; one that is not enabled is read no further than that.

    Args:
        text: the text, in YAML.
        source: what messages call it.
        name: its name.
        folder: where the paths of attached files start.

    Raises:
        DocumentError: if something is wrong; the message has a line for every finding.
    """
    root, findings = read_yaml(text.removeprefix("\ufeff"), source=source)
    if root.entries is None:
        raise error_of([root.finding(f"a method must start with `goal: ...`; this is {root.kind}")], source=source)
    found = _Reader(root, [*findings]).method(source, name, folder)
    if isinstance(found, Method):
        return found
    raise error_of(sorted(found, key=lambda finding: finding[:2]), source=source)


class _Reader:
    """Reads the mapping `root`, and adds to `findings` what is wrong with it."""

    def __init__(self, root: Node, findings: list[PlanFinding]) -> None:
        self._root = root
        self._findings = findings

    def method(self, source: str, name: str, folder: Path | None) -> Method | list[PlanFinding]:
        """Return the method, or what is wrong."""
        root = self._root
        self._check_keys(root, _KEYS, "")
        is_enabled = self._flag("enabled")
        goal = self._pattern()
        named = self._text(root, "name")
        if named is not None and named != name:
            place = self._at(root, "name")
            self._find(place, f"name: it is {shown(named)}, but its file is named {shown(name)}; they must match")
        if not is_enabled and goal is not None:
            return Method(name=name, source=source, goal=goal, is_enabled=False, provenance=self._provenance())
        rows, function = self._tasks(folder, goal)
        keywords, parameters = self._words(root, "keywords"), self._parameters(goal)
        preconditions, provenance = self._preconditions(), self._provenance()
        if goal is None or self._findings:
            return self._findings
        return Method(
            name=name, source=source, goal=goal, keywords=keywords, parameters=parameters,
            preconditions=preconditions, rows=rows, function=function, provenance=provenance,
        )  # fmt: skip

    def _pattern(self) -> Pattern | None:
        node = self._at(self._root, "goal")
        text = self._text(self._root, "goal")
        if text is None:
            if node is self._root:
                self._find(node, "it has no `goal`; give the wording of its goals, such as `Compare {a} with {b}`")
            return None
        try:
            return Pattern(text)
        except ValueError as error:
            self._find(node, f"goal: {error}")
            return None

    def _tasks(self, folder: Path | None, goal: Pattern | None) -> tuple[tuple[PlanRow, ...] | None, str | None]:
        """Return the rows of its tasks, or the function that says them."""
        node = self._at(self._root, "tasks")
        if node is self._root or node.value is None:
            self._find(node, f"it has no `tasks`; give a list, or the Python function that returns them: {_CALLED}")
            return None, None
        if node.text is not None:
            return None, self._function(node, "tasks")
        entries = {key: pair for key, pair in (self._root.entries or {}).items() if key in {"goal", "tasks"}}
        plan = Node(self._root.line, self._root.column, {key: pair[1].value for key, pair in entries.items()})
        plan.entries = entries
        rows, wrong = rows_of(plan)
        if len(rows) > MAX_TASKS:
            self._find(node, f"tasks: it has {counted(len(rows) - 1, 'task')}; at most {MAX_TASKS:,} are allowed")
            return None, None
        self._findings += wrong if goal is not None else [each for each in wrong if "goal" not in each.message]
        self._findings += read_attached(rows, folder)
        self._findings += tree_of(rows)[1]
        if len(rows) == 1 and node.items == []:
            self._find(node, "tasks: the list is empty")
        for row in rows[1:]:
            self._check_row(row, () if goal is None else goal.names)
        return tuple(rows), None

    def _check_row(self, row: PlanRow, names: tuple[str, ...]) -> None:
        for key in _OF_RUNS:
            if key in row.fields and key in (row.node.entries or {}):
                self._find(row.node.at((key,)), f"task {shown(row.id)}: {key}: a method has no results; remove it")
        for key in FILLED_KEYS:
            holes = [hole for text in texts_in(row.fields.get(key)) for hole in holes_of(text)]
            for hole in dict.fromkeys(each for each in holes if each not in names):
                place = row.node if row.node.entries is None else row.node.at(("task" if key == "content" else key,))
                hint = near_miss(hole, names) or f"; write {{{{{hole}}}}} for these very characters"
                self._find(place, f"task {shown(row.id)}: {{{hole}}} is not a parameter of the goal{hint}")

    def _preconditions(self) -> Preconditions:
        node = self._at(self._root, "preconditions")
        if node is self._root or node.value is None:
            return Preconditions()
        if node.entries is None:
            self._find(node, f"preconditions: must be a mapping, not {node.kind}")
            return Preconditions()
        self._check_keys(node, _OF_PRECONDITIONS, "preconditions: ")
        matches = self._text(node, "matches")
        if matches is not None:
            try:
                check_pattern(matches)
            except ValueError as error:
                self._find(self._at(node, "matches"), f"preconditions: matches: {error}")
        for place in self._listed(self._at(node, "check")) if "check" in (node.entries or {}) else ():
            self._function(place, "preconditions: check")
        return Preconditions(keywords=self._words(node, "keywords"), matches=matches, checks=self._words(node, "check"))

    def _parameters(self, goal: Pattern | None) -> Mapping[str, str]:
        node = self._at(self._root, "parameters")
        if node is self._root or node.value is None:
            return {}
        if node.entries is None:
            self._find(node, f"parameters: must map names to descriptions, not {node.kind}")
            return {}
        for key, (place, _) in node.entries.items():
            if goal is not None and key not in goal.names:
                self._find(place, f"parameters: {shown(key)} is not in the goal{near_miss(key, goal.names)}")
            elif not is_name(key):
                self._find(place, f"parameters: {shown(key)} cannot be a name; use letters, digits and _")
        return {key: words for key in node.entries if (words := self._text(node, key)) is not None}

    def _provenance(self) -> Mapping[str, str]:
        node = self._at(self._root, "provenance")
        if node is self._root or node.value is None:
            return {}
        if node.entries is None:
            self._find(node, f"provenance: must be a mapping, not {node.kind}")
        return {key: words for key in node.entries or {} if (words := self._text(node, key)) is not None}

    def _flag(self, key: str) -> bool:
        node = self._at(self._root, key)
        if node is self._root or node.value is None:
            return True
        if not isinstance(node.value, bool):
            self._find(node, f"{key}: must be true or false, not {node.kind}")
        return node.value is not False

    def _function(self, node: Node, where: str) -> str | None:
        text = node.text or ""
        source, colon, function = text.rpartition(":")
        if not colon or not source.strip() or not function.isidentifier():
            self._find(node, f"{where}: name a Python function as {_CALLED}, not {shown(text)}")
        return text

    def _words(self, holder: Node, key: str) -> tuple[str, ...]:
        node = self._at(holder, key)
        if node is holder or node.value is None:
            return ()
        words = [each for each in self._listed(node) if isinstance(each.text, str) and each.text.strip()]
        for each in self._listed(node):
            if each not in words:
                self._find(each, f"{key}: must be text, or a list of texts, not {each.kind}")
        return tuple(str(each.text) for each in words)

    def _text(self, holder: Node, key: str) -> str | None:
        node = self._at(holder, key)
        if node is holder or node.value is None:
            return None
        if node.text is None or not node.text.strip():
            hint = "; quote text that begins with {" if node.entries is not None else ""
            self._find(node, f"{key}: must be text, not {node.kind}{hint}")
            return None
        return node.text

    def _check_keys(self, node: Node, known: tuple[str, ...], where: str) -> None:
        for key, (place, _) in (node.entries or {}).items():
            if key not in known:
                self._find(place, f"{where}unknown key {shown(key)}{near_miss(key, known)}")

    def _find(self, place: Node, message: str) -> None:
        self._findings.append(place.finding(message))

    @staticmethod
    def _listed(node: Node) -> list[Node]:
        return [node] if node.items is None else node.items

    @staticmethod
    def _at(holder: Node, key: str) -> Node:
        """Return the value of a key; `holder` itself if it is not there."""
        return holder.at((key,))


def method_files(folder: Path) -> list[Path]:
    """Return the files of methods in a folder, by name; hidden ones are none.

    Raises:
        DocumentError: if the folder cannot be read, or two files are one method.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in ENDINGS and not path.name.startswith("."))
    except OSError as error:
        raise DocumentError(f"the folder of methods cannot be read: {error.strerror}", source=str(folder)) from None
    seen: dict[str, Any] = {}
    for path in files:
        if path.stem in seen:
            raise DocumentError(f"{seen[path.stem].name} is a method of that name too", source=str(path))
        seen[path.stem] = path
    return files
