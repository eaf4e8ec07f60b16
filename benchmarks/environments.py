"""An environment of its own for each contender, from PyPI: by uv where it is installed, else by venv and pip."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from contenders import HERE, Contender

ENVIRONMENTS: Final = HERE / ".envs"

_ASK_VERSIONS: Final = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


class EnvironmentFailedError(Exception):
    """Raised when the packages of a contender cannot be installed; its text is the last line of the installer."""


def python_of(contender: Contender) -> Path:
    """Return the interpreter that runs `contender`; its environment is made if it is not there yet.

    Raises:
        EnvironmentFailedError: if its packages cannot be installed.
    """
    if not contender.requirements:
        return Path(sys.executable)
    folder = ENVIRONMENTS / contender.environment
    python = folder / "bin" / "python"
    mark = folder / "installed"
    wanted = "\n".join(contender.requirements)
    if mark.exists() and mark.read_text() == wanted:
        return python
    uv = shutil.which("uv")
    if uv is not None:
        _run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *contender.requirements)
    else:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *contender.requirements)
    mark.write_text(wanted)
    return python


def versions_of(contender: Contender, python: Path) -> dict[str, str]:
    """Return the versions of the packages that matter, by name."""
    asked = subprocess.run(  # noqa: S603 - our own command
        [str(python), "-c", _ASK_VERSIONS, *contender.packages], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(asked.stdout)
    return found


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise EnvironmentFailedError(f"it cannot be installed: {lines[-1]}")
