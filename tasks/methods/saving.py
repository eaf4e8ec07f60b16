"""A method of a tree that worked: what stands for something else the next time becomes a parameter.

What belongs to one run is left out: states, results, documents, tasks that were deleted or that read parts of
documents, and tasks that a worker has added, as it will again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ramify.prompts.languages import is_common
from ramify.tasks.plans.data import DEEPEST_NESTED, fields_of
from ramify.tasks.plans.rows import made_id
from ramify.tasks.plans.yaml_plans import write_yaml
from ramify.tasks.prompt_variables import is_part
from ramify.tasks.replies.grammar import plain_words
from ramify.tasks.tree.states import TaskState
from ramify.tasks.tree.task import Task

from .method import FILLED_KEYS
from .patterns import Pattern, filled, in_texts

_NAMES = ("first", "second", "third", "fourth", "fifth", "sixth")
_MOST_KEYWORDS, _SHORT = 3, 3
_LEFT_OUT = frozenset({"attachments", "state", "result", "output", "error", "needs"})
_QUOTED = re.compile('"([^"\n]{1,200})"|\u201c([^\u201d\n]{1,200})\u201d|\u00ab([^\u00bb\n]{1,200})\u00bb')
_NUMBER = re.compile(r"(?<![\w.,])\d(?:[\d.,]*\d)?(?!\w)")
_WORD = re.compile(r"\w[\w'-]*")


def subtasks_to_save(task: Task) -> list[Task]:
    """Return the subtasks of a task that are part of its method."""
    found = [each for each in task.subtasks if each.state is not TaskState.DELETED and each.origin == "planned"]
    return [] if any(map(is_part, found)) else found


def guessed_parameters(task: Task) -> dict[str, str]:
    """Return what may be a parameter, by name: what the goal quotes, its numbers and names, where subtasks repeat it.

    >>> root = Task("Compare Oslo with Bergen"); root.add_subtasks([Task("Describe Oslo"), Task("Describe Bergen")])
    >>> guessed_parameters(root)
    {'first': 'Oslo', 'second': 'Bergen'}
    """
    goal = task.content
    below = "\n".join(each.content for each in task.walk() if each is not task).casefold()
    found: dict[str, int] = {}
    for words, place in _candidates(goal):
        is_inside = any(words.casefold() in other.casefold() for other in found)
        if not is_inside and re.search(_whole(words.casefold()), below):
            found[words] = place
    return dict(zip(_NAMES, sorted(found, key=found.__getitem__), strict=False))


def _candidates(goal: str) -> Iterator[tuple[str, int]]:
    """Yield what a goal quotes, its numbers, and its runs of words with a capital where no sentence begins."""
    for pattern in (_QUOTED, _NUMBER):
        for match in pattern.finditer(goal):
            yield next((group for group in match.groups() if group), match[0]), match.start()
    start, end = -1, 0
    for match in _WORD.finditer(goal):
        before = goal[: match.start()].rstrip()
        if not match[0][0].isupper() or not before or before[-1] in ".!?:":
            continue
        if start >= 0 and goal[end : match.start()] != " ":
            yield goal[start:end], start
            start = -1
        start, end = (match.start() if start < 0 else start), match.end()
    if start >= 0:
        yield goal[start:end], start


def method_text(
    task: Task, *, parameters: Mapping[str, str], keywords: Iterable[str] = (), provenance: Mapping[str, str]
) -> str:
    """Return the text of the method that a task and what is below it make.

    Args:
        task: the task that was split.
        parameters: what each parameter stood for.
        keywords: the words by which it is found; those of the goal that say what it is about, unless given.
        provenance: where it comes from.

    Raises:
        ValueError: if the parameters leave no pattern of a goal; the message says why.
    """
    goal = opened(task.content, parameters)
    pattern = Pattern(goal)
    ids = _ids(task)
    if max((task_id.count(".") for task_id in ids.values()), default=0) >= DEEPEST_NESTED:
        raise ValueError(f"it has {DEEPEST_NESTED} or more levels of tasks; save a task further down")
    data = {
        "goal": goal,
        "keywords": [*keywords] or _keywords(pattern),
        "tasks": [_entry(each, ids, parameters) for each in subtasks_to_save(task)],
        "provenance": dict(provenance),
    }
    return write_yaml(data)


def opened(text: str, parameters: Mapping[str, str]) -> str:
    """Return `text` with a hole for each parameter, wherever what it stands for is said as whole words.

    >>> opened("Describe oslo, not Osloer {x}", {"town": "Oslo"})
    'Describe {town}, not Osloer {{x}}'
    """
    names = {words.casefold(): name for name, words in parameters.items() if words.strip()}
    said = "|".join(_whole(words) for words in sorted(filter(str.strip, parameters.values()), key=len, reverse=True))
    either = re.compile(rf"\{{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}}{'|' if said else ''}{said}", re.IGNORECASE)

    def put(found: re.Match[str]) -> str:
        if found["braced"]:
            return f"{{{found[0]}}}"
        name = names.get(found[0].casefold())
        return found[0] if name is None else f"{{{name}}}"

    return either.sub(put, text)


def outside_needs(task: Task) -> list[str]:
    """Return the ids that subtasks need and that are no part of the method, so that it leaves them out."""
    ids = _ids(task)
    return [need for each in task.walk() if each.id in ids for need in each.dependencies if need not in ids]


def _ids(task: Task) -> dict[str, str]:
    """Return the ids of the tasks of its method, by those that they have in the run."""
    ids, stack = {task.id: "0"}, [task]
    while stack:
        above = stack.pop()
        for number, each in enumerate(subtasks_to_save(above), 1):
            ids[each.id] = made_id(ids[above.id], number)
            stack.append(each)
    del ids[task.id]
    return ids


def _entry(task: Task, ids: Mapping[str, str], parameters: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": ids[task.id], "task": opened(task.content, parameters)}
    if needs := [ids[need] for need in task.dependencies if need in ids]:
        entry["needs"] = needs
    for key, value in fields_of(task).items():
        if key not in _LEFT_OUT:
            is_filled = key in FILLED_KEYS
            entry[key] = in_texts(value, lambda text: opened(text, parameters)) if is_filled else value
    if "checks" in entry:
        entry["checks"] = [
            {**check, "verify": opened(check["verify"], parameters)} if "verify" in check else check
            for check in entry["checks"]
        ]
    if below := subtasks_to_save(task):
        entry["tasks"] = [_entry(each, ids, parameters) for each in below]
    return entry


def _keywords(pattern: Pattern) -> list[str]:
    words = plain_words(filled(pattern.text, dict.fromkeys(pattern.names, " "))).split()
    said = [word for place, word in enumerate(words) if not place or (len(word) > _SHORT and not is_common(word))]
    found = list(dict.fromkeys(said))[:_MOST_KEYWORDS]
    return found if len(found) > 1 else []  # a single word would have the model asked about goals of all kinds


def _whole(words: str) -> str:
    before, after = (r"(?<!\w)" if words[0].isalnum() else ""), (r"(?!\w)" if words[-1].isalnum() else "")
    return f"{before}{re.escape(words)}{after}"
