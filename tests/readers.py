"""The programs that people read exports with: Chromium, and Mermaid as the npm package that GitHub and others load."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium", path="/usr/bin")
NPM = shutil.which("npm")
MERMAID_VERSION = "11.17.0"

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


def mermaid_script() -> Path:
    """Return the file that defines `mermaid` in a page; npm brings it into the environment once."""
    script = Path(sys.prefix) / "readers" / f"mermaid-{MERMAID_VERSION}.js"
    if script.exists():
        return script
    script.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=script.parent) as folder:
        command = ["npm", "pack", "--silent", f"mermaid@{MERMAID_VERSION}"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            archive.extract("package/dist/mermaid.min.js", folder, filter="data")
        (Path(folder) / "package/dist/mermaid.min.js").replace(script)
    return script
