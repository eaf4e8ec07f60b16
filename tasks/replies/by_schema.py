"""Replies by a JSON schema: the schema of each kind of reply, which says all that its tags can say, and how it is read.

A model that is held to a schema cannot break the form, so the schemas leave as little to chance as they can: tasks have
no ids but their places, from 1, and needs are drawn from a list of those. Servers read schemas in parts only, so every
reply is checked as one in tags is; and a model that nothing has held may still reply in tags, which are read as ever.

Every object names all of its properties, requires each, and allows no other: OpenAI takes no other schemas as strict.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ramify.tasks.errors import ReplyError
from ramify.tasks.json_data import as_json
from ramify.tasks.json_text import json_text

from .answers import REASONS, TOO_BIG, Answer, read_failure, without_thoughts
from .elements import refuse_cut
from .json_lists import failure_in, read_value
from .planned import Item, find_cycle, shown

Schema = dict[str, Any]

PLAN, VERDICT, ANSWER = "plan", "verdict", "answer"
"""What the reply's object holds, beside the steps of an answer."""

LONGEST_TASK = 600
"""How many characters a task may have where a server can hold a model to it; a small model may never stop otherwise."""

_MOST_ISSUES = 12
_SHOWN = 8
_LONGEST_NUMBER = 9
_LONGEST_ISSUE = 400
_STEPS = "steps"
_DEFS = "#/$defs/result"
_TEXT: Schema = {"type": "string"}
_FENCE = "```"


def plan_schema(
    *, max_tasks: int, types: Iterable[str] = (), known_ids: Iterable[str] = (), may_be_empty: bool = False
) -> Schema:
    """Return the schema of a plan: tasks, or that there can be none; what is atomic is its own only task.

    An `atomic` of its own is not offered: small models take the shortest way through a schema, whatever the goal.

    Args:
        max_tasks: the most tasks.
        types: what tasks can be given to; if there are none, tasks have no type.
        known_ids: ids of tasks outside of the plan that its tasks may need.
        may_be_empty: whether there may be no tasks.

    >>> plan_schema(max_tasks=2)["properties"]["plan"]["anyOf"][0]["properties"]["tasks"]["maxItems"]
    2
    """
    names = [*map(str, range(1, max_tasks)), *known_ids]
    kinds = list(types)
    task = object_schema(
        content=text_schema(LONGEST_TASK),
        needs={"type": "array", "items": {"type": "string", "enum": names}, "maxItems": len(names)},
        **({"type": {"type": "string", "enum": kinds}} if kinds else {}),
    )
    tasks = {"type": "array", "items": task, "minItems": 0 if may_be_empty else 1, "maxItems": max_tasks}
    return object_schema(plan={"anyOf": [object_schema(tasks=tasks), failed_schema()]})


def verdict_schema(values: Collection[str]) -> Schema:
    """Return the schema of a verdict: a fail has issues, and a pass has none."""
    issues = {"type": "array", "items": text_schema(_LONGEST_ISSUE), "minItems": 1, "maxItems": _MOST_ISSUES}
    with_issues = {"type": "string", "enum": [value for value in values if value != "pass"]}
    without = {"type": "string", "enum": [value for value in values if value != "fail"]}
    return object_schema(
        verdict={"anyOf": [object_schema(value=without), object_schema(issues=issues, value=with_issues)]}
    )


def answer_schema(wanted: Mapping[str, Any], *, has_steps: bool, may_split: bool = False) -> Schema:
    """Return the schema of an answer whose result has to fit the schema `wanted`, or that there can be none.

    Args:
        wanted: the schema of the result; what it refers to is inside of it.
        has_steps: whether the model writes down first how it comes to the result.
        may_split: whether it may say that the task is too big.

    >>> answer_schema({"type": "integer"}, has_steps=False)["$defs"]
    {'result': {'type': 'integer'}}
    """
    inside = {name: value for name, value in wanted.items() if name not in {"$schema", "$id"}}
    result = object_schema(result={"$ref": _DEFS})
    steps = {_STEPS: _TEXT} if has_steps else {}
    return {
        **object_schema(**steps, answer={"anyOf": [result, failed_schema(may_split=may_split)]}),
        "$defs": {"result": _moved(inside)},
    }


def object_in(reply: str, *keys: str, finish_reason: str = "stop") -> dict[str, Any] | None:
    """Return the JSON object that a reply is, alone or in a code fence, if it has one of `keys`; None otherwise.

    A limit of length may end a reply just after its last brace: then nothing of it is missing.

    Raises:
        TruncatedReplyError: if it has no end, or a filter has cut it.
        ReplyError: if it cannot be read.

    >>> object_in('{"plan": {"atomic": true}}', "plan"), object_in("<atomic/>", "plan")
    ({'plan': {'atomic': True}}, None)
    """
    body = reply.strip()
    body = body if body.startswith("{") else without_thoughts(reply)
    if body.startswith(_FENCE) and body.endswith(_FENCE):
        body = body.partition("\n")[2].removesuffix(_FENCE).rstrip()
    if not body.startswith("{") or not any(f'"{key}"' in body for key in keys):
        return None
    refuse_cut(reply, "stop" if finish_reason == "length" else finish_reason)
    value, _ = read_value(body, 0, len(body), reply)
    return value if isinstance(value, dict) and not value.keys().isdisjoint(keys) else None


def plan_in(reply: str, *, finish_reason: str = "stop") -> dict[str, Any] | None:
    """Return what stands under `plan` in the object that a reply is; None if it is none. Raises as `object_in`."""
    found = object_in(reply, PLAN, finish_reason=finish_reason)
    plan = found[PLAN] if found is not None and len(found) == 1 else None
    return plan if isinstance(plan, dict) else None


def answer_in(reply: str, *, finish_reason: str = "stop") -> Answer | None:
    """Return the answer in the object that a reply is, its result as JSON text; None if it is none.

    Raises:
        TruncatedReplyError: as `object_in`.
        ReplyError: as `object_in`, or if the result holds what is no JSON.

    >>> answer_in('{"answer": {"result": [1]}}').text
    '[1]'
    """
    found = object_in(reply, ANSWER, finish_reason=finish_reason)
    said = None if found is None or found.keys() - {ANSWER, _STEPS} else found[ANSWER]
    if not isinstance(said, dict) or len(said) != 1 or said.keys().isdisjoint({"result", "failed"}):
        return None
    if "failed" in said:
        return Answer("", failed=read_failure(*failure_in(said["failed"])))
    try:
        return Answer(json_text(as_json(said["result"])))
    except ValueError as error:
        raise ReplyError(f"the result is not JSON: {error}", reply=reply) from None


def without_dead_needs(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Return the tasks of a plan without needs that no schema can rule out, and what was left out, in sentences.

    These are numbers that no task has, a task's own and, if needs run in a circle, those of later tasks.

    >>> items, notes = without_dead_needs([Item("Look", needs=("1", "2")), Item("Leap", needs=("1", "7"))])
    >>> [item.needs for item in items], notes[0]
    ([(), ('1',)], 'needs that no task can have are left out: "1", "2" of task 1; "7" of task 2')
    """
    if any(item.key for item in items):  # then needs are names, and those that are wrong may be put right
        return list(items), []
    needs = {str(place): _living(item.needs, place, len(items)) for place, item in enumerate(items, 1)}
    if find_cycle(needs):
        needs = {key: [name for name in names if not _is_later(name, int(key))] for key, names in needs.items()}
    kept = [replace(item, needs=tuple(names)) for item, names in zip(items, needs.values(), strict=True)]
    gone = {
        key: dead
        for (key, names), item in zip(needs.items(), items, strict=True)
        if (dead := set(item.needs) - set(names))
    }
    return kept, [_left_out(gone)] if gone else []


def _left_out(gone: Mapping[str, set[str]]) -> str:
    parts = [f"{', '.join(map(shown, sorted(names)[:_SHOWN]))} of task {key}" for key, names in gone.items()]
    more = f", and of {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return f"needs that no task can have are left out: {'; '.join(parts[:_SHOWN])}{more}"


def _living(needs: Iterable[str], place: int, count: int) -> list[str]:
    """Return the needs that may hold for the task at `place` of so many; what is no number is left to others."""
    return [name for name in needs if (number := _number(name)) is None or (number != place and 0 < number <= count)]


def _is_later(name: str, place: int) -> bool:
    number = _number(name)
    return number is not None and number > place


def _number(name: str) -> int | None:
    return int(name) if name.isdecimal() and len(name) <= _LONGEST_NUMBER else None


def _moved(schema: Any) -> Any:
    """Return a schema that stands in the `$defs` of another: what it refers to stands there too."""
    if isinstance(schema, list):
        return [_moved(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: f"{_DEFS}{value[1:]}" if name == "$ref" and _is_inside(value) else _moved(value)
        for name, value in schema.items()
    }


def _is_inside(reference: Any) -> bool:
    return isinstance(reference, str) and (reference == "#" or reference.startswith("#/"))


def object_schema(**properties: Schema) -> Schema:
    """Return the schema of an object that has these properties, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def text_schema(longest: int) -> Schema:
    """Return the schema of a text that is not empty, of so many characters at the most."""
    return {"type": "string", "minLength": 1, "maxLength": longest}


def failed_schema(*, may_split: bool = False) -> Schema:
    """Return the schema of what a model says when it cannot do what it is asked for."""
    reason = {"type": "string", "enum": [*REASONS, TOO_BIG] if may_split else list(REASONS)}
    return object_schema(failed=object_schema(reason=reason, detail=text_schema(_LONGEST_ISSUE)))
