"""Settings: what holds when nobody says otherwise in the call. The first place that says something wins.

    keyword or command-line option
    RAMIFY_* in the environment
    RAMIFY_* in ./.env
    the file that RAMIFY_CONFIG names, else ./ramify.toml, else [tool.ramify] of ./pyproject.toml
    ~/.config/ramify/config.toml (under XDG_CONFIG_HOME, if that is set)
    the default

Keys of providers are no settings: they are read from the environment by those who need them, and kept nowhere.
"""

import os
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator
from ramify.planner.errors import UsageError
from ramify.prompts import Examples
from ramify.tasks.tree.config import MOST_AHEAD, SLOWEST_RATE

from .place import DEFAULT_STORE
from .tool_servers import ServerSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

PREFIX = "RAMIFY_"
CONFIG_VARIABLE = "RAMIFY_CONFIG"
GIVEN = "the call"
"""What the source of a setting that was given by keyword or option is called."""

PYPROJECT = "pyproject.toml"
PYPROJECT_TABLE = ("tool", "ramify")
SERVER_KEYS = tuple(ServerSettings.model_fields)
_ENV_FILE = Path(".env")
_NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "RAMIFY_FAILPOINT", "RAMIFY_DEBUG"})

Level = Literal["call", "environment", "env file", "project", "user"]
"""The kinds of places that settings come from, the strongest first."""

_Count = Annotated[int, Field(ge=1)]
_Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Rate = Annotated[float, Field(ge=SLOWEST_RATE, allow_inf_nan=False)]


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


class Tracing(NamedTuple):
    """Whether OpenTelemetry spans are made of a run.

    Attributes:
        is_on: whether they are.
        content: whether the words of tasks, prompts and replies go in.
    """

    is_on: bool = True
    content: bool = False


class WorkerSettings(BaseModel):
    """How one worker is set up, in `[workers.NAME]` of a settings file.

    Attributes:
        enabled: whether it is used; None leaves workers that come with Ramify on, and those of packages off.
        allow: what it may do, besides what the run allows.
        config: what a worker of a package is made with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool | None = None
    allow: tuple[str, ...] = ()
    config: dict[str, Any] = Field(default_factory=dict)


class Settings(BaseModel):
    """The settings that hold; None leaves it to what the setting is for.

    Attributes:
        model: the model's name, as `ramify models` lists them.
        base_url: the address of an OpenAI-compatible server.
        store: a file, or the URL of a database.
        embedding_model: the model of `embed` tasks; `hashing` is built in, and no language model.
        prompts: a folder of templates over the built-in ones.
        jobs: tasks that run at the same time.
        max_depth: the deepest level of a tree that is planned; the root's is 1.
        max_children: the most subtasks of one task.
        max_tasks: the most tasks of a tree that is planned.
        on_error: whether other tasks go on when one has failed ("continue"), or nothing new is started ("stop").
        language: the language that answers are written in.
        system: a system prompt of the user's own, put before those of the templates.
        examples: how many examples prompts show: none for reasoning models, few, or many for weak ones.
        timeout_s: the longest to wait for one reply, in seconds.
        max_calls: model calls of a run.
        max_tokens: input and output tokens of a run.
        max_cost_usd: known cost of a run, in US dollars.
        max_seconds: how long a run may take, in seconds.
        max_wait_seconds: how long to wait for a model that is out of reach, in seconds.
        requests_per_second: model calls of a run that are started in a second.
        vote_ahead: questions of leaves are asked until one answer leads by so many.
        cache: whether an answer to the same request in any run of the store is taken instead of a new call.
        otel: whether OpenTelemetry spans are made of runs; see docs/events.md.
        otel_content: whether the words of tasks, prompts and replies go into the spans.
        allow: what workers may do, by name, such as network or secret:NAME; comma-separated in the environment.
        worker_files: Python files and modules that define workers; comma-separated in the environment.
        agents: the agents that tasks can be given to, by name: see docs/agents.md; in settings files only.
        workers: how single workers are set up, by name: see `ramify workers`; in settings files only.
        tool_files: Python files and modules that define tools, and servers as mcp:NAME; comma-separated likewise.
        native_tools: whether the model calls tools by itself; what is known of it unless this is set.
        max_turns: replies in one conversation of a model with its tools.
        mcp: servers of tools, by name: see docs/tools.md; in settings files only.
        synchronous: how sure SQLite makes that a commit survives a power cut; see `Store.open`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str | None = None
    base_url: str | None = None
    store: str | None = Field(default=None, repr=False)
    embedding_model: str | None = None
    prompts: Path | None = None
    jobs: _Count = 8
    max_depth: _Count | None = None
    max_children: Annotated[int, Field(ge=2)] | None = None
    max_tasks: _Count | None = None
    on_error: Literal["continue", "stop"] = "continue"
    language: str | None = None
    system: str | None = None
    examples: Examples = "few"
    timeout_s: _Amount = 600.0
    max_calls: _Count | None = None
    max_tokens: _Count | None = None
    max_cost_usd: _Amount | None = None
    max_seconds: _Amount | None = None
    max_wait_seconds: Annotated[float, Field(ge=0)] | None = None
    requests_per_second: _Rate | None = None
    vote_ahead: Annotated[int, Field(ge=1, le=MOST_AHEAD)] | None = None
    cache: bool = False
    otel: bool = False
    otel_content: bool = False
    allow: tuple[str, ...] = ()
    worker_files: tuple[str, ...] = ()
    agents: dict[str, dict[str, Any]] = {}
    workers: dict[str, WorkerSettings] = Field(default={}, validate_default=True)
    tool_files: tuple[str, ...] = ()
    native_tools: bool | None = None
    max_turns: Annotated[int, Field(ge=2)] | None = None
    mcp: dict[str, ServerSettings] = Field(default={}, validate_default=True)
    synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL"

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("allow", "worker_files", "tool_files", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        words = value.split(",") if isinstance(value, str) else value
        return [word.strip() for word in words if word.strip()] if isinstance(value, str) else words

    @field_validator("store", "prompts", mode="before")
    @classmethod
    def _at_home(cls, value: Any) -> Any:
        text = os.fspath(value) if isinstance(value, Path) else value
        return str(Path(text).expanduser()) if isinstance(text, str) and text.startswith("~") else text

    @property
    def tracing(self) -> Tracing:
        """Whether spans are made of runs, and with which words."""
        return Tracing(is_on=self.otel, content=self.otel_content)

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each setting comes from, by its name, for people to read."""
        return MappingProxyType({name: self._sources.get(name, "default") for name in SETTINGS})

    def given(self, *names: str) -> dict[str, Any]:
        """Return those of the settings `names` that somebody has set, by name."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


SETTINGS = tuple(Settings.model_fields)
"""The names of the settings."""


def load_settings(**given: Any) -> Settings:
    """Return the settings that hold here, with `given` over all others; what is given as None is not given.

    Raises:
        UsageError: if a value cannot be used, or a settings file is broken or has a key that is none; it is named.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in settings_layers(**given):
        for name, value in layer.values.items():
            if name not in values:
                values[name] = value
                sources[name] = layer.source_of(name)
            elif name in {"workers", "agents"} and isinstance(value, dict) and isinstance(values[name], dict):
                values[name] = {**value, **values[name]}  # each worker and agent is set up on its own
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _unusable(error, settings_layers(**given)) from None
    settings._sources = sources  # noqa: SLF001 - our own class, frozen for everybody else
    return settings


def _unusable(error: ValidationError, layers: "Iterable[Layer]") -> UsageError:
    """Return what is wrong with a setting, where it stands, and what it may be; a key that is none says most."""
    problems = error.errors(include_url=False, include_context=False)
    problem = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    name, *below = map(str, problem["loc"])
    place = next(layer.place_of(name, *below) for layer in layers if name in layer.values)
    what = ".".join((name, *below))
    if problem["type"] == "extra_forbidden":
        hint = hint_at(below[-1], SERVER_KEYS, f"those of {name}")
        return UsageError(f"{what} (from {place}) is not a setting; {hint}")
    given = problem["input"]
    said = f"it is {given}, and " if isinstance(given, int | float) else ""
    why = problem["msg"].removeprefix("Value error, ").replace("Input should", "should" if said else "it should")
    return UsageError(f"the setting {what} (from {place}) cannot be used: {said}{_lower_first(why)}")


def store_place(given: str | Path | None) -> str | Path:
    """Return where runs are stored: `given`, else what the settings say, else the default.

    Raises:
        UsageError: as `load_settings`.
    """
    return given if given is not None else load_settings().store or DEFAULT_STORE


def unknown_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables in the environment that look like settings and are none, each with a hint."""
    names = (name for name in environment if name.startswith(PREFIX) and name not in _NOT_SETTINGS)
    return {name: _hint(name, prefix=PREFIX) for name in names if name.removeprefix(PREFIX).lower() not in SETTINGS}


def settings_layers(**given: Any) -> Iterator[Layer]:
    """Yield each place that settings can come from, with what it says, the strongest first; also those that are empty.

    Raises:
        UsageError: if a settings file is broken, or a place has a key that is no setting.
    """
    said = {name: value for name, value in given.items() if value is not None}
    _check_names(said, GIVEN)
    yield Layer("call", None, said)
    from_variables, from_file = _read_environment()
    yield Layer("environment", None, from_variables)
    yield Layer("env file", _ENV_FILE, from_file, is_there=_ENV_FILE.is_file())
    for level, path, table in _settings_files():
        values = _read_toml(path, table)
        layer = Layer(level, path, values or {}, is_there=values is not None)
        for name in layer.values:
            if name not in SETTINGS:
                raise UsageError(f"{layer.place_of(name)}: {name} is not a setting; {_hint(name)}")
        yield layer


def _read_environment() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what the environment says, and what the file `.env` says."""
    variables = frozenset((name, value) for name, value in os.environ.items() if _looks_like_ours(name))
    from_variables = _read_variables(variables)
    if not _ENV_FILE.is_file():
        return from_variables, {}
    from pydantic_settings import DotEnvSettingsSource

    try:
        from_file = DotEnvSettingsSource(_reader(), env_file=_ENV_FILE, env_file_encoding="utf-8")()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{_ENV_FILE} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    ours = {name: value for name, value in from_file.items() if name in SETTINGS or _looks_like_ours(name)}
    for name in ours:
        if name not in SETTINGS:
            raise UsageError(f"{_ENV_FILE}: {name.upper()} is not a setting; {_hint(name.upper(), prefix=PREFIX)}")
    return from_variables, ours


@lru_cache(maxsize=1)
def _read_variables(_variables: frozenset[tuple[str, str]]) -> Mapping[str, Any]:
    """Return what the environment says; what it said is kept as long as its variables stay as they are."""
    from pydantic_settings import EnvSettingsSource

    return EnvSettingsSource(_reader())()


@cache
def _reader() -> "type[BaseSettings]":
    """Return the class that says how settings stand in an environment; it takes milliseconds to make."""
    from pydantic_settings import BaseSettings, SettingsConfigDict

    class Reader(BaseSettings, Settings):
        model_config = SettingsConfigDict(
            env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", enable_decoding=False
        )

    return Reader


def _looks_like_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX) and name.upper() not in _NOT_SETTINGS


def _settings_files() -> Iterator[tuple[Level, Path, tuple[str, ...]]]:
    """Return the settings files that may be there, and the table of each that is ours, the strongest first."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise UsageError(f"the settings file {named}, which {CONFIG_VARIABLE} names, is not there")
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
            raise UsageError(f"{path}: {'.'.join(table)} has to be a table of settings")
    return dict(values)


@lru_cache(maxsize=8)
def _parse_toml(text: str) -> Mapping[str, Any]:
    """Return what a TOML file says; to be read only, as it is kept for the next who reads the same."""
    return tomllib.loads(text)


def _check_names(values: Mapping[str, Any], source: str) -> None:
    for name in values:
        if name not in SETTINGS:
            raise UsageError(f"{source}: {name} is not a setting; {_hint(name)}")


def _hint(name: str, *, prefix: str = "") -> str:
    return hint_at(name, SETTINGS, "the settings", prefix=prefix)


def hint_at(name: str, known: Collection[str], what: str, *, prefix: str = "") -> str:
    """Return what may be meant by `name`, which is none of the names in `known`; `what` they are."""
    bare = name.removeprefix(prefix).lower().replace("-", "_")
    if "api_key" in bare or bare == "key":
        return "keys are read from the provider's own variable, such as OPENAI_API_KEY"
    near = get_close_matches(bare, known, 1)
    known = [f"{prefix}{each.upper()}" if prefix else each for each in near or known]
    return f"did you mean {known[0]}?" if near else f"{what} are {', '.join(known)}"


def _lower_first(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
