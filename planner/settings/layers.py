"""The places that settings come from, the strongest first, and what each says, as it stands there."""

import logging
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ramify.planner.errors import UsageError
from ramify.planner.runtime.failpoints import armed

from .options import OPTIONS

PREFIX = "RAMIFY_"
CONFIG_VARIABLE = "RAMIFY_CONFIG"
GIVEN = "the call"
"""What the source of a setting that was given by keyword or option is called."""

PYPROJECT = "pyproject.toml"
PYPROJECT_TABLE = ("tool", "ramify")
_ENV_FILE = Path(".env")
_log = logging.getLogger("ramify.settings")
_NOT_SETTINGS = frozenset(
    {CONFIG_VARIABLE, "RAMIFY_FAILPOINT", "RAMIFY_DEBUG", "RAMIFY_IDEMPOTENCY_KEY", "RAMIFY_ISOLATED"}
)
_MISSPELLED = 0.8
"""How much the name of a variable is like one of ours, of 1, to be taken for it; programs and workers have others."""

Level = Literal["call", "environment", "env file", "project", "user"]
"""The kinds of places that settings come from, the strongest first."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A place that settings can come from.

    Attributes:
        level: which kind of place it is.
        path: the file; None if it is none.
        values: what it says, by setting, as it stands there.
        is_there: whether there is such a place.
    """

    level: Level
    path: Path | None
    values: Mapping[str, Any]
    is_there: bool = True

    def source_of(self, name: str) -> str:
        """Return where the setting `name` of this layer comes from, for people to read."""
        if self.level == "call":
            return GIVEN
        if self.level == "environment":
            return f"{PREFIX}{name.upper()}"
        return f"{PREFIX}{name.upper()} in {self.path}" if self.level == "env file" else str(self.path)

    def place_of(self, name: str, *below: str) -> str:
        """Return where the setting `name` of this layer, or what is below it, stands: with its line in a file."""
        if self.path is None or self.level == "env file":
            return self.source_of(name)
        from .toml_places import placed

        table = PYPROJECT_TABLE if self.path.name == PYPROJECT else ()
        return placed(self.path, (*table, name, *below))


def settings_layers(**given: Any) -> Iterator[Layer]:
    """Yield each place that settings can come from, with what it says, the strongest first; also those that are empty.

    Raises:
        UsageError: as `check_environment`; or if a settings file is broken, or a place has a key that is no setting.
    """
    said = {name: value for name, value in given.items() if value is not None}
    _check_names(said, GIVEN)
    variables = _named_as_ours(os.environ)
    _check_variables(variables)
    for name, hint in unknown_variables(variables).items():
        _warn(f"{name} in the environment is not a setting, so Ramify ignores it; {hint}")
    yield Layer("call", None, said)
    from_variables, from_file = _read_environment(variables)
    yield Layer("environment", None, from_variables)
    yield Layer("env file", _ENV_FILE, from_file, is_there=_ENV_FILE.is_file())
    for level, path, table in _settings_files():
        values = _read_toml(path, table)
        layer = Layer(level, path, values or {}, is_there=values is not None)
        for name in layer.values:
            if name not in OPTIONS:
                raise UsageError(f"{layer.place_of(name)}: {name} is not a setting; {_hint(name)}")
        yield layer


@lru_cache
def _warn(message: str) -> None:
    """Warn of something once in a process."""
    _log.warning("%s", message)


def _read_environment(variables: Mapping[str, str]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what the environment says, and what the file `.env` says; a variable that is empty says nothing."""
    from_variables = {name: value for name, value in _ours(variables).items() if name in OPTIONS}
    if not _ENV_FILE.is_file():
        return from_variables, {}
    from dotenv import dotenv_values

    try:
        from_file = _ours(_named_as_ours(dotenv_values(_ENV_FILE, encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{_ENV_FILE} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    for name in from_file:
        if name not in OPTIONS:
            variable = f"{PREFIX}{name.upper()}"
            raise UsageError(f"{_ENV_FILE}: {variable} is not a setting; {_hint(variable, prefix=PREFIX)}")
    return from_variables, from_file


def _named_as_ours(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Return the variables that are named as ours and say something."""
    length = len(PREFIX)
    return {name: value for name, value in variables.items() if value and name[:length].upper() == PREFIX}


def _ours(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what variables that are named as ours say, by the names of settings."""
    said = ((name.upper(), value) for name, value in variables.items())
    return {name.removeprefix(PREFIX).lower(): value for name, value in said if name not in _NOT_SETTINGS}


def _settings_files() -> Iterator[tuple[Level, Path, tuple[str, ...]]]:
    """Return the settings files that may be there, and the table of each that is ours, the strongest first."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise UsageError(f"the settings file {named}, set by {CONFIG_VARIABLE}, does not exist")
        yield "project", Path(named), ()
    else:
        yield "project", Path("ramify.toml"), ()
        yield "project", Path(PYPROJECT), PYPROJECT_TABLE
    home = os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    yield "user", Path(home) / "ramify" / "config.toml", ()


def settings_file(*, for_user: bool = False) -> Path:
    """Return the settings file of the project, or the user's, whether it is there or not."""
    level: Level = "user" if for_user else "project"
    return next(path for each, path, _ in _settings_files() if each == level)


def _read_toml(path: Path, table: tuple[str, ...]) -> Mapping[str, Any] | None:
    """Return the table of a TOML file; None if the file or the table is not there."""
    try:
        values: Any = _parse_toml(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"the settings file {path} cannot be read: {why}") from None
    for name in table:
        values = values.get(name)
        if values is None:
            return None
        if not isinstance(values, dict):
            raise UsageError(f"{path}: {'.'.join(table)} must be a table of settings")
    return dict(values)


@lru_cache(maxsize=8)
def _parse_toml(text: str) -> Mapping[str, Any]:
    """Return what a TOML file says; to be read only, as it is kept for the next who reads the same."""
    return tomllib.loads(text)


def _check_names(values: Mapping[str, Any], source: str) -> None:
    for name in values:
        if name not in OPTIONS:
            raise UsageError(f"{source}: {name} is not a setting; {_hint(name)}")


def _hint(name: str, *, prefix: str = "") -> str:
    return hint_at(name, OPTIONS, "the settings", prefix=prefix)


def hint_at(name: str, known: Collection[str], what: str, *, prefix: str = "") -> str:
    """Return what may be meant by `name`, which is none of the names in `known`; `what` they are."""
    bare = name.removeprefix(prefix).lower().replace("-", "_")
    if "api_key" in bare or bare == "key":
        return "set keys in the provider's own variable, such as OPENAI_API_KEY"
    near = get_close_matches(bare, known, 1)
    known = [f"{prefix}{each.upper()}" if prefix else each for each in near or known]
    return f"did you mean {known[0]}?" if near else f"{what} are {', '.join(known)}"


def check_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse variables that are misspelled, as what they were to limit would not be; others may be somebody's own.

    Raises:
        UsageError: if there is one, or the point that `RAMIFY_FAILPOINT` names is none.
    """
    _check_variables(_named_as_ours(environment))


def _check_variables(variables: Mapping[str, str]) -> None:
    armed()
    for name in variables:
        bare, others = name.upper().removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in _NOT_SETTINGS]
        if bare.lower() not in OPTIONS and bare not in others:
            near = get_close_matches(bare, [*map(str.upper, OPTIONS), *sorted(others)], 1, _MISSPELLED)
            if near:
                raise UsageError(
                    f"{name} in the environment is not a setting; did you mean {PREFIX}{near[0]}? If not, unset it"
                )


def unknown_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables in the environment that look like settings and are none, each with the nearest name."""
    bare = {name: name.upper().removeprefix(PREFIX).lower() for name in _named_as_ours(environment)}
    return {
        name: f"the nearest name is {PREFIX}{get_close_matches(each, OPTIONS, 1, 0.0)[0].upper()}"
        for name, each in bare.items()
        if each not in OPTIONS and name.upper() not in _NOT_SETTINGS
    }
