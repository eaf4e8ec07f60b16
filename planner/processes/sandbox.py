"""The sandbox around a command, made by bubblewrap: what the command can see and write, and whether it has a network.

It sees the system's programs and libraries, this Python, and its own folder, which alone it can write to; nobody's
home, no other process, and no network unless that is asked for. https://github.com/containers/bubblewrap
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ramify.planner.errors import UsageError

_PROGRAM = "bwrap"
_SEEN = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
_SEEN_OF_ETC = (
    "/etc/alternatives", "/etc/ca-certificates", "/etc/group", "/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/pki", "/etc/resolv.conf",
    "/etc/ssl",
)  # fmt: skip
_PROBE_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What a command in the sandbox has.

    Attributes:
        has_network: whether it can reach the network, this machine's own services included.
        reads: files and folders that it can read besides the system's.
    """

    has_network: bool = False
    reads: tuple[str, ...] = ()

    def wrap(self, command: Sequence[str], *, cwd: str | Path) -> list[str]:
        """Return the command that runs `command` in the sandbox, with `cwd` as the one folder that it can write to.

        Raises:
            UsageError: if bubblewrap is not installed, or cannot make a sandbox here.
        """
        fault = fault_of_bubblewrap()
        if fault is not None:
            raise UsageError(f"the sandbox is not available: {fault}")
        words = [_PROGRAM, "--die-with-parent", "--unshare-all", "--cap-drop", "ALL"]
        words += ["--share-net"] if self.has_network else []
        words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - inside the sandbox
        for path in dict.fromkeys([*_SEEN, *_SEEN_OF_ETC, sys.base_prefix, sys.prefix, *self.reads]):
            words += ["--ro-bind-try", path, path]
        return [*words, "--bind", str(cwd), str(cwd), "--chdir", str(cwd), "--", *command]


@functools.cache
def fault_of_bubblewrap() -> str | None:
    """Return why bubblewrap cannot be used here; None if it can. It is tried once."""
    program = shutil.which(_PROGRAM)
    if program is None:
        return "bubblewrap is not installed; install it (Debian: apt install bubblewrap), or turn the sandbox off"
    command = [program, "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "--", "true"]
    try:
        tried = subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False, text=True, env=os.environ)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return f"{program} cannot be started: {error}"
    if tried.returncode == 0:
        return None
    said = " ".join(tried.stderr.split())[:200] or f"exit code {tried.returncode}"
    return f"{program} cannot create a sandbox on this machine ({said}); allow user namespaces, or turn the sandbox off"
