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
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator
from ramify.planner.errors import UsageError
from ramify.tasks.misfits import misfit

from .layers import GIVEN, Layer, hint_at, settings_layers
from .option_fields import model_of
from .options import OPTIONS, Part, options_of
from .place import DEFAULT_STORE
from .tool_servers import ServerSettings


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


_KEYS_BELOW = {"mcp": tuple(ServerSettings.model_fields), "workers": tuple(WorkerSettings.model_fields)}
"""What may stand in the tables of settings that have some."""


class Settings(model_of(OPTIONS)):  # type: ignore[misc] # its fields are the options
    """The settings that hold, each as the table of options describes it; None leaves it to what it is for."""

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

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
        return MappingProxyType({name: self._sources.get(name, "default") for name in OPTIONS})

    def part(self, part: Part, *, given_only: bool = False) -> dict[str, Any]:
        """Return the options of a part of a run that are not None, by stored names; with `given_only`, of the call."""
        values = {
            each.stored_as: getattr(self, name)
            for name, each in options_of(part).items()
            if not given_only or self._sources.get(name) == GIVEN
        }
        return {name: value for name, value in values.items() if value is not None}


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
        settings: Settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _unusable(error, settings_layers(**given)) from None
    settings._sources = sources  # noqa: SLF001 - our own class, frozen for everybody else
    return settings


def _unusable(error: ValidationError, layers: "Iterable[Layer]") -> UsageError:
    """Return what is wrong with a setting, where it stands, and what it may be; a key that is none says most."""
    problems = error.errors(include_url=False)
    problem = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    name, *below = map(str, problem["loc"])
    layer = next(layer for layer in layers if name in layer.values)
    place = layer.place_of(name, *below)
    what = ".".join((name, *below))
    if problem["type"] == "extra_forbidden":
        hint = hint_at(below[-1], _KEYS_BELOW.get(name, ()), f"those of {name}")
        return UsageError(f"{what} (from {place}) is not a setting; {hint}")
    named = what if layer.level == "call" else f"the setting {what} (from {place})"
    return UsageError(f"{named} cannot be used: {misfit(problem)}")


def store_place(given: str | Path | None) -> str | Path:
    """Return where runs are stored: `given`, else what the settings say, else the default.

    Raises:
        UsageError: as `load_settings`.
    """
    return given if given is not None else load_settings().store or DEFAULT_STORE
