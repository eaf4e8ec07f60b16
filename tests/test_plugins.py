"""Plugins: a package is installed, listed without being imported, enabled, configured, allowed, used, and disabled."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ramify.planner.settings.settings import load_settings
from ramify.planner.workers.built_in import BUILT_IN
from ramify.planner.workers.plugins import installed_plugins, plugin_workers
from ramify.planner.workers.registry import Workers

from .documented import ROOT, rows_of
from .patience import HANG_S
from .ramify_command import Ramify, ramify_process
from .test_readme import text_of

EXAMPLE = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example plugin, as pip installs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    source = folder / "source"
    source.mkdir()
    for path in EXAMPLE.iterdir():
        if path.is_file():
            (source / path.name).write_bytes(path.read_bytes())
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--no-build-isolation",
    ]
    target = folder / "site"
    subprocess.run(
        [*command, "--python", sys.executable, "--target", str(target), str(source)], check=True, timeout=HANG_S
    )
    return target


def test_a_package_is_installed_enabled_configured_allowed_and_used(home: Path, installed: Path) -> None:
    def ramify(*words: str) -> tuple[int, str, str]:
        said = ramify_process(*words, PYTHONPATH=str(installed))
        return said.code, said.out, said.err

    (home / "texts").mkdir()
    (home / "texts" / "poem.txt").write_text("a rose is a rose")
    (home / "plan.yaml").write_text("goal: Count\ntype: file_words\ninputs: {name: poem.txt, longer_than: 1}\n")
    run = ("run", "plan.yaml", "--model", "rules", "-q")

    listed = [line.split() for line in ramify("workers", "list")[1].splitlines()]
    assert ["file_words", "not", "enabled", "ramify-file-words", "1.0", "Counts"] in [row[:6] for row in listed]
    assert "unknown until it is enabled" in ramify("workers", "show", "file_words")[1]
    code, _, err = ramify(*run)
    assert code == 2
    assert (
        "'file_words', which ramify-file-words 1.0 offers but is not enabled; enable it with `ramify workers enable"
        in err
    )

    code, _, err = ramify("workers", "enable", "file_words", "--set", "folder=texts")
    assert (code, err.splitlines()[0]) == (0, "file_words is enabled in ramify.toml")
    assert "it needs the permission files: `ramify workers enable file_words --allow files`" in err
    code, _, err = ramify(*run)
    assert code == 2
    assert "needs the permission files;" in err

    assert ramify("workers", "enable", "file_words", "--allow", "files")[0] == 0
    assert ramify(*run)[:2] == (0, "3 words\n")
    shown = json.loads(ramify("workers", "show", "file_words", "--json")[1])["worker"]
    assert shown["permissions"] == shown["granted"] == ["files"]
    assert shown["config"] == {"folder": "texts"}
    assert shown["inputs"] == {"name": "required", "longer_than": "default 0"}

    assert ramify("workers", "disable", "file_words")[0] == 0
    assert "'file_words', which is disabled" in ramify(*run)[2]
    assert (home / "ramify.toml").read_text() == (
        '[workers.file_words]\nenabled = false\nallow = ["files"]\n\n[workers.file_words.config]\nfolder = "texts"\n'
    )


def package(folder: Path, name: str, code: str, *, points: str) -> Path:
    """Lay a package out as an installed one: `code` in the module `name`, with the entry points `points`."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\nSummary: says\x1b[31m {name}\n")
    (info / "entry_points.txt").write_text(f"[ramify.workers]\n{points}\n")
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_nothing_of_a_package_is_imported_before_it_is_enabled(ramify: Ramify, site: Path, home: Path) -> None:
    mark = home / "imported"
    package(site, "spy", f"open({str(mark)!r}, 'w').close()\ndef spy(task): return 'seen'\n", points="spy = spy:spy")
    assert "spy" in installed_plugins()
    said = ramify("workers", "list")
    assert "spy" in said.out
    assert "\x1b" not in said.out
    assert ramify("workers", "show", "spy").code == 0
    (home / "plan.yaml").write_text("goal: Look\ntype: spy\n")
    assert ramify("run", "plan.yaml", "--model", "rules").code == 2
    assert not mark.exists()
    assert ramify("workers", "enable", "spy").code == 0
    assert mark.exists()
    assert ramify("run", "plan.yaml", "--model", "rules", "-q").out == "seen\n"


@pytest.mark.parametrize(
    ("code", "point", "words"),
    [
        ("raise RuntimeError('broken')", "bad1 = bad:x", "cannot be used: RuntimeError: broken"),
        ("x = 3", "bad2 = bad:x", "is int, and no worker"),
        ("", "bad3 = bad:missing", "AttributeError"),
        ("", "bad4 = nowhere:x", "ModuleNotFoundError"),
    ],
)
def test_a_package_that_cannot_be_used_is_named_and_not_enabled(
    ramify: Ramify, site: Path, code: str, point: str, words: str
) -> None:
    sys.modules.pop("bad", None)
    package(site, "bad", code, points=point)
    said = ramify("workers", "enable", point.partition(" ")[0])
    assert said.code == 2
    assert words in said.err
    assert not Path("ramify.toml").exists()


def test_two_packages_for_one_type_are_refused(ramify: Ramify, site: Path) -> None:
    package(site, "one", "", points="same = one:x")
    package(site, "two", "", points="same = two:x")
    said = ramify("workers", "list")
    assert said.code == 2
    assert "two packages have a worker 'same': one 1 and two 1" in said.err


def test_a_worker_that_comes_with_ramify_can_be_disabled_and_allowed(ramify: Ramify, home: Path) -> None:
    (home / "plan.yaml").write_text("goal: Say\ntype: subprocess\ninputs: {command: [echo, hi]}\n")
    run = ("run", "plan.yaml", "--model", "rules", "-q")
    (home / "ramify.toml").write_text("# mine\njobs = 2  # not many\n")
    assert ramify("workers", "enable", "subprocess", "--allow", "subprocess").code == 0
    assert ramify(*run).out == "hi\n"
    assert ramify("workers", "disable", "subprocess").code == 0
    assert "'subprocess', which is disabled; enable it with `ramify workers enable subprocess`" in ramify(*run).err
    written = (home / "ramify.toml").read_text()
    assert written.startswith("# mine\njobs = 2  # not many\n")
    assert load_settings().jobs == 2
    rows = {each["name"]: each["state"] for each in json.loads(ramify("workers", "list", "--json").out)["workers"]}
    assert rows["subprocess"] == "off"
    assert rows["http"] == "on"


def test_what_is_allowed_to_one_worker_is_not_allowed_to_others(ramify: Ramify, home: Path) -> None:
    (home / "ramify.toml").write_text('[workers.subprocess]\nallow = ["network", "subprocess"]\n')
    (home / "plan.yaml").write_text("goal: Fetch\ntype: http\ninputs: {url: 'http://127.0.0.1:1/'}\n")
    assert "needs the permission network" in ramify("run", "plan.yaml", "--model", "rules").err


def test_workers_are_set_up_for_the_user_and_for_the_project(ramify: Ramify, home: Path) -> None:
    assert ramify("workers", "disable", "http", "--user").code == 0
    assert ramify("workers", "disable", "embed").code == 0
    assert not load_settings().workers["http"].enabled
    assert not load_settings().workers["embed"].enabled
    assert ramify("workers", "enable", "http").code == 0
    assert load_settings().workers["http"].enabled
    assert "http" not in (home / "ramify.toml").read_text().partition("embed")[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "nothing"), "no installed package has a worker 'nothing'"),
        (("enable", "nothing"), "no installed package has a worker 'nothing'"),
        (("disable", "nothing"), "no installed package has a worker 'nothing'"),
        (("enable", "http", "--set", "a"), "--set needs KEY=VALUE"),
        (("enable", "http", "--set", "a=1"), "has no configuration"),
        (("enable", "http", "--allow", "secret:"), "is not a permission"),
    ],
)
def test_what_cannot_be_chosen_is_named(ramify: Ramify, words: tuple[str, ...], message: str) -> None:
    said = ramify("workers", *words)
    assert said.code == 2
    assert message in said.err


def test_a_settings_file_that_cannot_be_read_is_not_written_over(ramify: Ramify, home: Path) -> None:
    (home / "ramify.toml").write_text("jobs = [")
    assert "ramify.toml cannot be changed" in ramify("workers", "disable", "http").err
    assert (home / "ramify.toml").read_text() == "jobs = ["


def test_every_worker_is_documented_with_its_inputs_permissions_and_limits() -> None:
    table = text_of("docs/workers.md").partition("| type | does |")[2].partition("\n\n")[0]
    rows = {row[0].strip("`"): row for row in rows_of(f"\n{table}") if row[0].startswith("`")}
    workers = Workers()
    assert set(rows) == set(BUILT_IN) - {"strategy", "variation", "study", "trial", "sample", "judgement"}
    for name, row in rows.items():
        worker = workers[name]
        taken = set() if worker.inputs is None else set(worker.inputs.model_fields)
        assert {f"`{each}`" for each in taken} <= set(row[2].replace(",", " ").split()), name
        assert all(f"`{each}`" in row[4] for each in worker.permissions), name
        assert all(f"`{each}`" in row[5] for each in worker.keeps), name


def test_a_package_does_not_stand_in_for_a_worker_of_ramifys_own(ramify: Ramify, site: Path) -> None:
    package(site, "taker", "raise RuntimeError('imported')", points="http = taker:http")
    assert ramify("workers", "enable", "http").code == 0
    assert json.loads(ramify("workers", "show", "http", "--json").out)["worker"]["from"] == "built in"
    assert plugin_workers(load_settings().workers) == {}
