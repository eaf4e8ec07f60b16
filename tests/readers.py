"""The programs that people read exports with: Chromium, Mermaid as the npm package that GitHub loads, and D2."""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from .patience import HANG_S

CHROMIUM = shutil.which("chromium", path="/usr/bin")
NPM = shutil.which("npm")
MERMAID_VERSION = "11.17.0"
D2_VERSION = "0.1.33"

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no /usr/bin/chromium; `apt-get install chromium` brings it, as .ci/run does"
)
needs_npm = pytest.mark.skipif(
    NPM is None, reason="npm is not installed; `apt-get install npm` brings it, as .ci/run does"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def npm_package(name: str, version: str, part: str) -> Path:
    """Return the file or folder `part` of a package; npm brings it into the environment once."""
    found = Path(sys.prefix) / "readers" / f"{name.replace('/', '-')}-{version}"
    if not found.exists():
        found.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=found.parent) as folder:
            command = ["npm", "pack", "--silent", f"{name}@{version}"]
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                wanted = [each for each in archive.getmembers() if each.name.startswith(f"package/{part}")]
                archive.extractall(folder, wanted, filter="data")
            with suppress(FileExistsError):  # another process was quicker
                (Path(folder) / "package").rename(found)
    return found / part


def mermaid_script() -> Path:
    """Return the file that defines `mermaid` in a page."""
    return npm_package("mermaid", MERMAID_VERSION, "dist/mermaid.min.js")


def d2_labels(text: str) -> dict[str, str]:
    """Return what D2, the reference program as WebAssembly, reads as the label of each shape, by its id."""
    package = npm_package("@terrastruct/d2", D2_VERSION, "dist/node-esm")
    # without optimizing what runs once: a second instead of twelve
    command = ["node", "--liftoff-only", str(Path(__file__).with_name("d2_labels.mjs")), str(package / "index.js")]
    found = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=HANG_S)
    return dict(json.loads(found.stdout))
