"""How a server of tools is started and what of it may be used: `[mcp.NAME]` of a settings file."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ServerSettings(BaseModel):
    """One server of tools that speaks the Model Context Protocol over its standard streams.

    Attributes:
        command: the program.
        args: its arguments.
        env: variables in its environment, besides a few harmless ones; the value `secret:NAME` stands for a secret.
        cwd: the folder that it runs in.
        allow: the tools that may be called, by the server's names; None is all of them.
        may_repeat: the tools that may be called again if nobody knows whether a call was done, besides those that the
            server itself calls read-only or idempotent.
        timeout_s: how long a call may take, in seconds.
        start_timeout_s: how long the server may take until it is ready, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    cwd: str | None = None
    allow: tuple[str, ...] | None = None
    may_repeat: tuple[str, ...] = ()
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    start_timeout_s: Annotated[float, Field(gt=0)] = 30.0
