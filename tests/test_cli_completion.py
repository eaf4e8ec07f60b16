"""`ramify completion`: what shells are given to complete, from the scripts to the ids of runs."""

import shutil
import subprocess
from pathlib import Path

import pytest

from .patience import HANG_S
from .ramify_command import COMMAND, Ramify, ramify_process
from .test_cli_browsing import store_run


def completed(words: str, *, store: str = ".ramify/ramify.db") -> list[str]:
    """Return what bash is offered for the last of `words`, where `store` is set."""
    place = str(len(words.split(" ")) - 1)
    said = ramify_process(COMP_WORDS=words, COMP_CWORD=place, _RAMIFY_COMPLETE="complete_bash", RAMIFY_STORE=store)
    assert said.err == ""
    return said.out.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_command_itself(shell: str, ramify: Ramify) -> None:
    said = ramify("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert f"_RAMIFY_COMPLETE=complete_{shell}" in said.out


def test_another_shell_is_refused(ramify: Ramify) -> None:
    said = ramify("completion", "tcsh")
    assert said.code == 2
    assert "'bash', 'zsh', 'fish'" in said.err


def test_commands_options_runs_and_templates_are_completed(home: Path) -> None:
    store_run("x", run_id="r1abc")
    store_run("x", run_id="r2abc")
    assert completed("ramify wat") == ["watch"]
    assert completed("ramify show --mess") == ["--messages"]
    assert completed("ramify show --store runs.db r2") == ["r2abc"]
    assert completed("ramify watch r", store="runs.db") == ["r2abc", "r1abc"]
    assert completed("ramify prompts show decom") == ["decompose"]
    assert (home / "runs.db").exists()


def test_where_there_is_no_store_nothing_is_offered_and_nothing_is_made(home: Path) -> None:
    assert completed("ramify show r") == []
    assert list(home.iterdir()) == []


def test_ids_that_a_shell_would_evaluate_are_not_offered(home: Path) -> None:
    store_run("x", run_id="r$(touch owned)")
    assert completed("ramify show --store runs.db r") == []
    assert not (home / "owned").exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_itself_completes_with_the_script(home: Path) -> None:
    (home / "ramify").write_text(f'#!/bin/sh\nexec "{COMMAND[0]}" -m ramify.planner.cli "$@"\n')
    (home / "ramify").chmod(0o755)
    script = (
        'PATH="$PWD:$PATH"; eval "$(ramify completion bash)"; COMP_WORDS=(ramify comple); COMP_CWORD=1;'
        ' _ramify_completion ramify; echo "${COMPREPLY[*]}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, timeout=HANG_S)
    assert done.stdout.split() == ["completion"]
