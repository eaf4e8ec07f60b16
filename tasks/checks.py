r"""What a check is: one thing that a task's answer has to pass, as data that plans and stores keep.

    checks:
      - matches: ^\d+$                           # a regular expression that is found in the answer
      - schema: {type: object, required: [n]}    # a JSON schema; the value that was read becomes the task's output
      - predicate: is_even                       # a Python function that whoever runs the plan gives by this name
      - command: [python3, check.py]             # a program: the answer on its standard input, exit code 0 passes
        timeout_s: 10
      - verify: Every figure names its source.   # what a model looks for in the answer
        model: gpt-5-mini                        # another model than the one that answered

Each has exactly one of these five keys, which is its kind. How they are carried out is not said here.
"""

import shlex
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from .json_text import json_text, read_json

CheckKind = Literal["matches", "schema", "predicate", "command", "verify"]

KINDS: tuple[CheckKind, ...] = ("matches", "schema", "predicate", "command", "verify")
"""The kinds, in the order in which checks are carried out: what is cheap and certain first, a model last."""

CHECK_KEYS = (*KINDS, "model", "timeout_s")
"""All keys of a check."""

_OPTIONS: dict[str, CheckKind] = {"timeout_s": "command", "model": "verify"}
_SHOWN = 80


class Check(BaseModel):
    """One check; exactly one of the first five attributes is set.

    Attributes:
        matches: a regular expression that must occur in the answer; `^` and `$` anchor it.
        json_schema: a JSON schema that the answer must fit; named `schema` elsewhere. A pydantic class stands for its
            schema.
        predicate: the name of a Python function.
        command: a program and its arguments.
        verify: requirements in words, for a model to judge.
        model: the model that judges; default: the run's.
        timeout_s: the time limit of the command, in seconds.

    >>> Check(matches="^[0-9]+$").kind
    'matches'
    >>> Check(schema={"type": "integer"}).to_data()
    {'schema': {'type': 'integer'}}
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    matches: str | None = None
    json_schema: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    predicate: Annotated[str, Field(min_length=1)] | None = None
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    verify: str | None = None
    model: str | None = None
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def kind(self) -> CheckKind:
        """Which of the five it is."""
        return next(kind for kind in KINDS if self._value(kind) is not None)

    @property
    def words(self) -> str:
        """The check in one line, for people.

        >>> Check(command=["python3", "my check.py"]).words
        "command python3 'my check.py'"
        """
        value = self._value(self.kind)
        text = shlex.join(value) if self.command else value if isinstance(value, str) else json_text(value)
        line = " ".join(str(text).split())
        return f"{self.kind} {line if len(line) <= _SHOWN else f'{line[: _SHOWN - 3]}...'}"

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data; `Check(**data)` restores it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @field_validator("json_schema", mode="before")
    @classmethod
    def _read_schema(cls, value: Any) -> Any:
        return value.model_json_schema() if isinstance(value, type) and issubclass(value, BaseModel) else value

    @field_validator("command", mode="before")
    @classmethod
    def _read_command(cls, value: Any) -> Any:
        return shlex.split(value) if isinstance(value, str) else value

    @field_validator("matches")
    @classmethod
    def _check_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            from .patterns import check_pattern

            check_pattern(value)
        return value

    @field_validator("json_schema")
    @classmethod
    def _check_schema(cls, value: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        if value is not None:
            from .json_schemas import check_schema

            check_schema(value)
        return value

    @field_validator("verify")
    @classmethod
    def _check_criteria(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("the requirements are blank")
        return value

    @model_validator(mode="after")
    def _check_kind(self) -> "Check":
        given = [kind for kind in KINDS if self._value(kind) is not None]
        if len(given) != 1:
            said = f"this one has {' and '.join(given)}" if given else "this one has none of them"
            raise ValueError(f"a check has one of {', '.join(KINDS)}; {said}")
        for option, kind in _OPTIONS.items():
            if getattr(self, option) is not None and given != [kind]:
                raise ValueError(f"{option} belongs to checks with {kind}, and this one has {given[0]}")
        return self

    def _value(self, kind: CheckKind) -> Any:
        return self.json_schema if kind == "schema" else getattr(self, kind)


def read_check(text: str) -> Check:
    r"""Return the check that `KIND=VALUE` describes, as commands take it; a schema is given as JSON text.

    Raises:
        ValueError: if it describes none; pydantic's `ValidationError` is one too.

    >>> read_check(r"matches=^\d+$").matches
    '^\\d+$'
    """
    kind, equals, value = text.partition("=")
    if not equals or kind not in KINDS:
        raise ValueError(f"a check is written KIND=VALUE, with one of {', '.join(KINDS)}; this is {text!r}")
    return Check.model_validate({kind: read_json(value) if kind == "schema" else value})


def schema_of(checks: Sequence[Check]) -> dict[str, JsonValue] | None:
    """Return the JSON schema that an answer has to fit; None if there is none."""
    return next((check.json_schema for check in checks if check.json_schema is not None), None)


def form_of_answer(checks: Sequence[Check]) -> str | None:
    """Return what `checks` ask of an answer, in words for whoever gives it; None if that cannot be said.

    >>> form_of_answer([Check(matches="^[0-9]+$")])
    'It matches the regular expression ^[0-9]+$'
    """
    lines = []
    for check in checks:
        if check.matches is not None:
            lines.append(f"It matches the regular expression {check.matches}")
        elif check.json_schema is not None:
            schema = json_text(check.json_schema)
            lines.append(f"It is one JSON value, without a code fence, that fits this JSON schema: {schema}")
        elif check.verify is not None:
            lines.append(check.verify)
    return "\n".join(lines) or None
