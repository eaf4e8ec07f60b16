"""The laws of the house: imports run one way, heavy packages stay where they belong, the wheel holds the tree."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import networkx as nx
import pytest

from .patience import HANG_S

ROOT = Path(__file__).parent.parent
FOLDERS = ("prompts", "tasks", "planner")  # each may import those to its left
FRONT = "planner/front/"  # is installed as `ramify` itself
ROOMS = (
    "errors", "runtime", "settings", "store", "models", "events", "processes", "web", "work", "engines", "tools",
    "asking", "checks", "workers", "planning", "running", "export", "show", "run", "tracing", "progress",
    "executor", "strategies", "api", "evolution", "bench", "testing", "bridges", "serving",
    "cli",
    "front",
)  # fmt: skip
"""The rooms of `planner/`, from the ground up: each may import those before it, lazily and for typing as well."""
HEAVY: dict[str, str | tuple[str, ...]] = {
    "litellm": "planner/models/litellm",
    "aiohttp": "planner/models/connections.py",
    "sqlmodel": "planner/store/",
    "sqlalchemy": "planner/store/",
    "typer": "planner/cli/",
    "graphviz": "planner/export/",
    "rich": "planner/progress/",
    "openpyxl": "planner/export/report/xlsx.py",
    "networkx": "tasks/tree/graph.py",
    "IPython": ("planner/runtime/kernel.py", "planner/progress/notebook.py"),
    "typst": "planner/export/paint.py",
    "pandas": "planner/export/dataframe.py",
    "jinja2": "prompts/jinja",
    "yaml": "tasks/plans/yaml_plans.py",
    "dotenv": ("planner/settings/layers.py", "planner/cli/checkup.py"),
    "httpx": ("planner/web/", "planner/models/litellm_server.py"),
    "tomlkit": "planner/settings/settings_file.py",
    "mcp": "planner/tools/mcp_connection.py",
    "opentelemetry": "planner/tracing/",
    "jsonschema": "tasks/json_schemas.py",
    "referencing": "tasks/json_schemas.py",
    "regex": "tasks/patterns.py",
    "protego": "planner/web/robots.py",
    "xllamacpp": "planner/models/gguf/child.py",
    "distributed": "planner/engines/dask",
    "inspect_ai": "planner/bridges/",
    "starlette": "planner/serving/",
    "uvicorn": "planner/serving/ending_server.py",
}
MAY_IMPORT_HEAVY_AT_ONCE = (
    "planner/store/", "planner/cli/", "planner/progress/", "planner/tracing/spans.py", "planner/tracing/parts.py",
    "planner/tracing/exporters.py", "prompts/jinja", "planner/bridges/inspect",
    "planner/serving/",
)  # fmt: skip
"""Files that are themselves imported only when they are needed."""


def sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, relative level, whether it happens when the file is imported); not what only type checkers see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    in_function = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        at_once = id(node) not in in_function
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level, at_once


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    allowed = FOLDERS[: FOLDERS.index(folder) + 1]
    for module, level, _ in imports(path):
        depth = len(path.relative_to(ROOT).parts) - 1
        assert level <= depth, f"a relative import leaves the folder: {module}"
        parts = module.split(".")
        assert parts[0] not in FOLDERS or level, f"{module} is imported under its bare name"
        if parts[0] == "ramify":
            assert parts[1] in allowed, f"{folder} must not know {module}"


def name_of(path: Path) -> str:
    """Return the dotted name of a file, without `ramify`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for path in sources()}


def arrows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (from, to) for each of our files that a file imports, whenever and whatever for."""
    inside = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name.removeprefix("ramify.") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else ()
            module = ".".join(filter(None, [*above, node.module])).removeprefix("ramify.")
            names = [f"{module}.{alias.name}" for alias in node.names]
            found = [name if name in FILES else module for name in names]
        yield from ((name_of(path), there) for there in found if there in FILES)


def within_planner(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the arrows of a file of a room to another of a room, without the prefix."""
    prefix = "planner."
    for here, there in arrows(path):
        if here.startswith(prefix) and there.startswith(prefix):
            yield here.removeprefix(prefix), there.removeprefix(prefix)


@pytest.mark.parametrize("path", sorted((ROOT / "planner").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_doors_of_the_rooms_open_one_way(path: Path) -> None:
    for here, there in within_planner(path):
        room, other = here.split(".")[0], there.split(".")[0]
        assert ROOMS.index(other) <= ROOMS.index(room), f"{here} must not know {there}"


@cache
def house() -> "nx.DiGraph[str]":
    """Return which file knows which."""
    return nx.DiGraph([arrow for path in FILES.values() for arrow in arrows(path) if arrow[0] != arrow[1]])


def circles() -> list[set[str]]:
    """Return the sets of files that know each other in a circle."""
    return [circle for circle in nx.strongly_connected_components(house()) if len(circle) > 1]


def way_round(circle: set[str], first: str) -> str:
    """Return the shortest way from a file through its circle and back."""
    inside = house().subgraph(circle)
    ways = (nx.shortest_path(inside, there, first) for there in inside[first])
    return " -> ".join([first, *min(ways, key=len)])


def test_files_know_each_other_in_no_circle() -> None:
    for circle in circles():
        raise AssertionError(way_round(circle, min(circle)))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_stay_where_they_belong(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    for module, level, at_once in imports(path):
        top = module.split(".")[0]
        if level or top not in HEAVY:
            continue
        assert name.startswith(HEAVY[top]), f"{top} belongs into {HEAVY[top]}"
        assert not at_once or name.startswith(MAY_IMPORT_HEAVY_AT_ONCE), f"{top} is imported before it is needed"


def test_tasks_know_no_loop_no_store_and_no_terminal() -> None:
    for path in sorted((ROOT / "tasks").rglob("*.py")) + sorted((ROOT / "prompts").rglob("*.py")):
        tops = {module.split(".")[0] for module, level, _ in imports(path) if not level}
        assert not tops & {"asyncio", "sqlite3", "litellm", "rich", "typer"}, path.name


@pytest.mark.fault("2.9")
def test_tasks_are_moved_in_few_places() -> None:
    moving = re.compile(r"\brunning\.(move|finish)\(|\.(move|reset|set_state|update_result)\(")
    files = [path for path in sources() if path.relative_to(ROOT).parts[0] != "prompts"]
    found = {str(path.relative_to(ROOT)) for path in files if moving.search(path.read_text(encoding="utf-8"))}
    assert found == {"planner/events/recorder.py", "tasks/tree/edits.py", "tasks/tree/task.py"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_first_which_rule_it_owns(path: Path) -> None:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert doc
    assert len(doc.splitlines()[0]) > 20


def test_the_root_holds_what_was_agreed() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    tops = {file.split("/")[0] for file in files}
    assert {top for top in tops if not top.startswith(".")} <= {
        "pyproject.toml", "README.md", "Makefile", "planner", "tasks", "prompts", "tests", "examples", "benchmarks",
        "docs", "findings",
    }  # fmt: skip
    assert not {"uv.lock", "poetry.lock", "package-lock.json"} & set(files)


def test_the_error_tree_in_the_docstring_is_the_error_tree() -> None:
    import ramify.planner.errors
    import ramify.prompts.errors
    import ramify.tasks.errors

    drawn: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (ramify.prompts.errors.__doc__ or "").splitlines():
        if (found := re.match(r"^([ |]*)(?:\+-- )?([A-Z]\w+)", line)) and found[2].endswith("Error"):
            indent = found.start(2)
            above = [entry for entry in above if entry[0] < indent]
            drawn[found[2]] = above[-1][1] if above else None
            above.append((indent, found[2]))
    real: dict[str, str | None] = {"RamifyError": None}
    for module in (ramify.prompts.errors, ramify.tasks.errors, ramify.planner.errors):
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, ramify.prompts.errors.RamifyError)
                and value.__bases__[0] is not Exception
            ):
                real[value.__name__] = value.__bases__[0].__name__
    assert drawn == real


def test_the_wheel_holds_what_the_tree_holds(tmp_path: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    copy = tmp_path / "source"
    for name in [*tracked, "pyproject.toml", "README.md"]:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)]
    subprocess.run(command, check=True, capture_output=True, timeout=HANG_S)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {f"ramify/{name.removeprefix(FRONT)}" for name in tracked}


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    there = {f"ramify.{'.'.join(path.parent.relative_to(ROOT).parts)}" for path in sources()}
    assert set(listed) == (there - {"ramify.planner.front"}) | {"ramify"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_bare_import_is_refused(folder: str) -> None:
    code = f"import {folder}"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"ImportError: import ramify.{folder} instead of {folder}" in found.stderr


def test_a_users_own_modules_break_nothing(tmp_path: Path) -> None:
    for name in ("tasks", "prompts", "planner", "ramify_tasks"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module was imported')\n")
    code = (
        "import ramify.tasks, ramify.prompts, ramify.planner; from ramify.planner import solve;"
        "print(ramify.tasks.Task(content='fine').content)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("fine\n", "")


def test_what_most_programs_need_stands_under_one_name() -> None:
    import ramify
    import ramify.planner
    import ramify.prompts
    import ramify.tasks

    packages = (ramify.planner, ramify.tasks, ramify.prompts)
    for name in ramify.__all__:
        assert any(getattr(ramify, name) is getattr(package, name, None) for package in packages), name
    code = "import sys, ramify; print(*[name for name in sys.modules if name.startswith('ramify.')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == {"ramify.prompts", "ramify.prompts.lazy"}


def test_there_are_at_most_60_public_names() -> None:
    import ramify.planner
    import ramify.prompts
    import ramify.tasks

    names = {*ramify.planner.__all__, *ramify.tasks.__all__, *ramify.prompts.__all__}
    assert len(names) <= 60


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, ramify.tasks, ramify.planner; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(found.stdout.split()) & set(HEAVY)


def test_no_text_names_a_machine_or_a_registry() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = re.compile(r"files\.pythonhosted|pypi\.org/simple|/root/|index-url = |--find-links")
    for name in files:
        path = ROOT / name
        if path.suffix in {".png", ".pdf"} or name == "tests/test_laws.py":
            continue
        assert not forbidden.search(path.read_text(encoding="utf-8", errors="replace")), name


CLOCKS = {"monotonic", "perf_counter", "process_time", "time", "monotonic_ns", "perf_counter_ns", "time_ns"}
MAY_READ_CLOCKS = {
    "tests/patience.py": "ends waits for what never happens",
    "tests/effort.py": "compares work with itself at another size",
    "tests/million.py": "the long form prints how long it took",
    "tests/soak.py": "the long form looks at the process now and then",
    "tests/crash.py": "a seed, unless one is given",
    "tests/openai_server.py": "when a reply was made, for its client",
    "tests/test_following.py": "when a run was made, for the store",
    "tests/test_store_moving.py": "when runs were made, for the store",
}
LOOK_AGAIN_S = 0.02
SHORT_WAITS = {
    "tests/test_cli_signals.py": "looks again whether the process is alive",
    "tests/test_human_model.py": "the wait is what is given up",
    "tests/test_openai_server.py": "a client that goes away",
    "tests/test_processes.py": "the wait is what is given up",
    "tests/soak.py": "the time between two looks",
}
WAITS = {"wait", "join", "result", "communicate", "acquire", "wait_for", "timeout"}


def calls_in(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield (last name, call) of every call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2], node


def is_limit(node: ast.expr) -> bool:
    """Whether it is a number of seconds; the smallest are times between two looks."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value > LOOK_AGAIN_S


@pytest.mark.fault("6.4")
@pytest.mark.parametrize("path", sorted((ROOT / "tests").glob("*.py")), ids=lambda path: path.name)
def test_no_test_fails_by_the_clock(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    for called, call in calls_in(path):
        where = f"{name}:{call.lineno}: {ast.unparse(call)[:80]}"
        clock = called in CLOCKS and ast.unparse(call.func) in {called, f"time.{called}"}
        assert not clock or name in MAY_READ_CLOCKS, f"{where}: compare calls (tests/effort.py), or wait for an event"
        limits = [each.value for each in call.keywords if each.arg == "timeout"]
        limits += call.args[-1:] if called in WAITS else []
        waits = any(map(is_limit, limits))
        assert not waits or name in SHORT_WAITS, f"{where}: wait for HANG_S of tests/patience.py"


@pytest.mark.fault("6.4")
def test_the_limit_of_a_test_ends_only_hangs() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert settings["timeout"] > HANG_S >= 300
    assert hypothesis.settings.default is not None
    assert hypothesis.settings.default.deadline is None
