"""Commands that get what nobody should give them: closed or full streams, odd numbers, options, files and homes."""

import subprocess
from pathlib import Path

import pytest

from .patience import HANG_S
from .ramify_command import COMMAND, Ramify, ramify_process

RULES = ("--model", "rules")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is needed")


def in_shell(words: str, streams: str) -> tuple[int, str, str]:
    """Run a command with redirections of a shell; return its exit code and what it said."""
    line = f'"$0" -m ramify.planner.cli {words} {streams}'
    done = subprocess.run(["sh", "-c", line, COMMAND[0]], capture_output=True, check=False, text=True, timeout=HANG_S)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "streams", "code", "out"),
    [
        ("solve -q -m rules 1+1", ">&-", 0, ""),
        ("solve -m rules 1+1", "2>&-", 0, "2\n"),
        ("solve -m rules --display tree 1+1", "2>&-", 0, "2\n"),
        ("solve -m rules -", "<&- 2>/dev/null", 2, ""),
        ("solve -m rules 1+1", "<&- >&- 2>&-", 0, ""),
        ("--help", ">&-", 0, ""),
        ("show nothing", "2>&-", 2, ""),
        pytest.param("solve -m rules 1+1", "2>/dev/full", 0, "2\n", marks=FULL),
        pytest.param("solve -m rules --display json 1+1", "2>/dev/full", 0, "2\n", marks=FULL),
        pytest.param("show nothing", "2>/dev/full", 2, "", marks=FULL),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_stream_that_is_closed_or_full_changes_nothing_else(words: str, streams: str, code: int, out: str) -> None:
    assert in_shell(words, streams) == (code, out, "")


@FULL
@pytest.mark.parametrize("words", ["--help", "--version", "solve --help", "prompts show decompose"])
@pytest.mark.usefixtures("home")
def test_words_that_cannot_be_printed_are_missed_in_one_line(words: str) -> None:
    assert in_shell(words, ">/dev/full") == (
        2, "", "ramify: error: standard output cannot be written: No space left on device\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("solve", "-j", "9" * 30, "1+1"), "must be at most 10,000"),
        (("solve", "--vote-ahead", "99999999", "1+1"), "must be at most 1,000"),
        (("runs", "-n", "9" * 30), "must be at most 1,000,000"),
        (
            ("solve", "--dry-run", "--approve", "plan", "1+1"),
            "--dry-run runs nothing, so there is nothing to approve",
        ),
        (("run", "plan.yaml", "--dry-run", "--record", "calls.jsonl"), "for a plan file; leave out --record"),
        (("run", "plan.yaml", "--estimate", "--events", "e.jsonl"), "--estimate makes no calls for a plan"),
        (("decompose", "1+1", "--force"), "--force needs -o FILE; leave it out"),
        (("evolve", "1+1", "--force"), "--force needs -o FILE"),
        (("graph", "--last", "--force"), "--force needs -o FILE"),
        (("solve", "1+1", "--split", "never", "--max-depth", "3"), "split is 'never', so max_depth has nothing to"),
        (("solve", "1+1", "--allow", "netwrk"), "allow: unknown permission 'netwrk'; did you mean network?"),
        (("solve", "--tools", "", "1+1"), "the name of the file with tools is blank"),
        (("solve", "--agents", "folder", "1+1"), "the file folder with agents cannot be read: Is a directory"),
        (("evolve", "folder"), "folder is a folder; name the text files in it"),
        (("sweep", "plan.yaml", "-f", "none.txt", "-p", "content=a"), "plan.yaml: none.txt cannot be read: No such"),
        (
            ("sweep", "plan.yaml", "--max-depth", "3", "-p", "content=a"),
            "plan.yaml is a plan, so --max-depth has no effect",
        ),
        (("solve", "--requests-per-second", "1e-300", "1+1"), "must be at least 0.00001"),
        (("show", "--last", "-i", "--json"), "--interactive opens a shell; leave out --json"),
        (
            ("show", "--last", "--history", "--messages"),
            "--history only shows how the plan changed; leave out --messages",
        ),
        (
            ("timeline", "--last", "--json", "-o", "t.svg"),
            "--json draws nothing; leave out --output",
        ),
        (("show", "--last", "--history", "0.1"), "give either the run 0.1 or --last, not both"),
        (("compare", "--last", "--json", "-f", "md"), "use either --json or --format"),
        (("completion",), "Missing argument 'SHELL'. Choose from: bash, zsh, fish (see `ramify completion --help`)"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(
    words: tuple[str, ...], message: str, ramify: Ramify, home: Path
) -> None:
    (home / "folder").mkdir()
    (home / "plan.yaml").write_text("goal: 1+1\n", encoding="utf-8")
    said = ramify(*words, *(RULES if words[0] in {"solve", "evolve", "sweep"} else ()))
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert not (home / ".ramify").exists()


def test_numbers_in_the_environment_that_no_run_could_hold_are_refused(
    ramify: Ramify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAMIFY_JOBS", "99999999999")
    said = "the setting jobs (from RAMIFY_JOBS) cannot be used: it is '99999999999'; it must be at most"
    assert said in ramify("solve", *RULES, "1+1").err
    monkeypatch.setenv("RAMIFY_JOBS", "2")
    monkeypatch.setenv("RAMIFY_VOTE_AHEAD", "99999999")
    assert "the setting vote_ahead (from RAMIFY_VOTE_AHEAD) cannot be used" in ramify("solve", *RULES, "1+1").err


@pytest.mark.usefixtures("home")
def test_a_home_that_is_none_has_no_settings_and_gets_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = str(tmp_path / "file")
    assert ramify_process("solve", *RULES, "-q", "1+1", XDG_CONFIG_HOME=home, HOME=home).out == "2\n"
    said = ramify_process("workers", "enable", "http", "--user", XDG_CONFIG_HOME=home, HOME=home)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert "config.toml cannot be written: Not a directory; choose another file" in said.err


def test_a_working_folder_that_is_gone_is_told(home: Path) -> None:
    gone = home / "gone"
    gone.mkdir()
    line = f'rmdir "{gone}"; "$0" -m ramify.planner.cli runs'
    done = subprocess.run(["sh", "-c", line, COMMAND[0]], capture_output=True, check=False, text=True, cwd=gone)
    assert (done.returncode, done.stdout, done.stderr) == (
        2, "", "ramify: error: the working folder was deleted; change to another one\n",
    )  # fmt: skip
