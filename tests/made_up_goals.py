"""Goals in a made-up syntax, and a deterministic planner for them: what a run against the test server works on.

`trip{pack{bag{}|shoes{}};leave{}}` has two parts, one after the other (`;`), the first with two parts side by side
(`|`); `name{}` is a leaf. `solution_of` tells the right answer, so that runs can be checked.
"""

import hashlib
import json
import re
from html import escape

_BY_SCHEMA = '{"plan"'


def parts_of(goal: str) -> tuple[list[str], bool]:
    """Return the parts of a goal that is made up, and whether they go one after the other.

    >>> parts_of("trip{pack{bag{}|shoes{}};leave{}}")
    (['pack{bag{}|shoes{}}', 'leave{}'], True)
    """
    inside, depth, parts, serial = goal[goal.index("{") + 1 : -1], 0, [""], False
    for letter in inside:
        depth += (letter == "{") - (letter == "}")
        if depth == 0 and letter in ";|":
            parts.append("")
            serial = serial or letter == ";"
        else:
            parts[-1] += letter
    return [part for part in parts if part], serial


def solution_of(goal: str) -> str:
    """Return the right answer for a goal in the made-up syntax; it depends on every leaf below it."""
    return _token(goal, [solution_of(part) for part in parts_of(goal)[0]])


def _token(goal: str, below: list[str]) -> str:
    name = goal[: goal.index("{")]
    return f"{name}={hashlib.sha256(' '.join([name, *below]).encode()).hexdigest()[:8]}"


def last_goal(text: str) -> str:
    """Return the last balanced goal of `text`: the task comes after all data in a prompt.

    A goal stands on one line. One that was cut to a title is not balanced, and hides nothing that comes after it.
    """
    found, start, depth = "", None, 0
    for match in re.finditer(r"[\w-]+\{|\}|\n", text):
        if match[0] == "\n":
            start = None
        elif match[0] != "}":
            start, depth = (match.start(), 1) if start is None else (start, depth + 1)
        elif start is not None:
            depth -= 1
            if depth == 0:
                found, start = text[start : match.end()], None
    return found


def asks_for_plan(system: str) -> bool:
    """Return whether these instructions ask for a plan, by tags or by a schema."""
    return "<atomic" in system or _BY_SCHEMA in system


def answer(system: str, user: str) -> str:
    """Answer any prompt about a made-up goal: split it, do it, or compose what its parts gave."""
    goal = last_goal(user)
    if not goal:
        return '<failed reason="missing_input">no goal like trip{pack{};leave{}} in the prompt</failed>'
    parts, serial = parts_of(goal)
    if _BY_SCHEMA in system:
        listed = [{"content": part, "needs": [str(i)] if serial and i else []} for i, part in enumerate(parts)]
        return json.dumps({"plan": {"tasks": listed if len(listed) > 1 else [{"content": goal, "needs": []}]}})
    if asks_for_plan(system):
        tasks = [
            f'<task id="t{i}"{f" needs={chr(34)}t{i - 1}{chr(34)}" if serial and i else ""}>{escape(part)}</task>'
            for i, part in enumerate(parts)
        ]
        return "<tasks>\n" + "\n".join(tasks) + "\n</tasks>" if len(tasks) > 1 else "<atomic/>"
    tokens = dict.fromkeys(re.findall(r"[\w-]+=[0-9a-f]{8}", user))
    names = [part[: part.index("{")] for part in parts]
    below = [token for name in names for token in tokens if token.startswith(f"{name}=")]
    return f"<result>{_token(goal, below) if below else solution_of(goal)}</result>"
