"""What a tool is: something with a name and a schema that a model may have called; and what has tools to give."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import UsageError

if TYPE_CHECKING:
    from ramify.planner.store.records import MayRepeat
    from ramify.planner.work.context import WorkContext
    from ramify.planner.work.grants import Grants

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a tool may be called; model APIs take no other names."""

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


class Tool(ABC):
    """A tool that a model may call. All tasks of a run share it, so it must not keep state of one task.

    Attributes:
        name: its name, for models.
        description: what it does, for models to read.
        parameters: the JSON schema of its arguments, which is an object's.
        may_repeat: whether a call may repeat if its outcome is unknown, after a crash or a timeout; "with_key": the
            service accepts `context.idempotency_key`.
        permissions: permissions that the run must grant.
        timeout_s: the time limit of a call in seconds; None: the task's.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = NO_PARAMETERS
    may_repeat: "MayRepeat" = True
    permissions: frozenset[str] = frozenset()
    timeout_s: float | None = None

    def check(self, arguments: dict[str, Any]) -> None:  # noqa: B027 - a tool may leave it to whoever it asks
        """Check `arguments`.

        Raises:
            ToolError: if it cannot; the model reads why.
        """

    @abstractmethod
    async def call(self, arguments: dict[str, Any], context: "WorkContext") -> Any:
        """Call it with `arguments`, JSON data, and return the result for the model.

        Whatever is raised is told to the model too, which may mend it.
        """


class ToolSource(ABC):
    """Something that has tools to give once it is opened, such as a server.

    Attributes:
        name: what it is called; one agent has no two of one name.
        permissions: what the runner has to grant before any task with its tools is started.
    """

    name: str
    permissions: frozenset[str] = frozenset()

    @abstractmethod
    async def open(self, grants: "Grants") -> "OpenTools":
        """Open it, for one run, which grants what its `permissions` name.

        Raises:
            UsageError: if it cannot be opened.
        """


class OpenTools(ABC):
    """The tools of a source that is open.

    Attributes:
        tools: the tools.
    """

    tools: Sequence[Tool]

    @abstractmethod
    async def aclose(self) -> None:
        """Close the source; called once, when the run ends, however it ends."""


def permissions_of(tools: Iterable[Tool | ToolSource]) -> frozenset[str]:
    """Return what has to be granted before any of `tools` may be called."""
    return frozenset(permission for each in tools for permission in each.permissions)


def check_name(name: str) -> str:
    """Return `name` if a tool may be called so.

    Raises:
        UsageError: if it may not.
    """
    if NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} is not a valid tool name; use 1 to 64 letters, digits, _ or -: name=...")
    return name


def near_hint(name: str, known: Iterable[str]) -> str:
    """Return which of `known` comes near `name`, or what there is."""
    names = sorted(known)
    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"
