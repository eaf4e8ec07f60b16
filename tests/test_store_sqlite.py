"""What is particular to a store in a file: how it is made, how it fails, and what a kill leaves."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from ramify.planner.errors import PlannerError, StoreError
from ramify.planner.settings.place import read_place
from ramify.planner.store import Control, EventHappened, RunWriter, Store, TaskChanged, WriterEvents
from ramify.planner.store.database import Database
from ramify.planner.store.migrations import prepare
from ramify.tasks import TaskState
from sqlalchemy import event as sqlalchemy_event

from .patience import HANG_S
from .ramify_command import ramify_process
from .store_samples import event, new_run, small_tree


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def make_store(path: Path) -> None:
    with Store.open(path) as store:
        store.create_run(new_run("run-1"), small_tree())


def run_python(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


# How it is made


def test_file_is_readable_by_its_owner_alone(path: Path) -> None:
    make_store(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_folder_of_the_default_store_is_made_and_kept_out_of_repositories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open() as store:
        assert store.place == str(Path(".ramify") / "ramify.db")
    assert (tmp_path / ".ramify" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert (tmp_path / ".ramify" / "ramify.db").exists()


def test_relative_and_absolute_urls_name_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_store(Path("runs.db"))
    for place in ("sqlite:///runs.db", f"sqlite:///{tmp_path}/runs.db", "runs.db"):
        with Store.open(place, create=False) as store:
            assert store.last_run().id == "run-1"


def test_store_stays_the_same_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Store.open("a?b %41.db") as store:
        store.create_run(new_run("run-1"), small_tree())
        monkeypatch.chdir(tmp_path / "elsewhere")
        store._database.close()
        assert store.last_run().id == "run-1"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a?b %41.db", "elsewhere"]


def test_file_that_is_deleted_is_missed_and_not_made_anew(path: Path) -> None:
    make_store(path)
    with Store.open(path) as store:
        store._database.close()
        path.unlink()
        with pytest.raises(StoreError, match="the file cannot be opened"):
            store.runs()
    assert not path.exists()


def test_every_connection_is_durable_and_keeps_foreign_keys(path: Path) -> None:
    with Store.open(path) as store, store._database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_many_threads_that_use_the_store_at_once_take_no_connection_from_each_other(path: Path) -> None:
    count = 24
    all_hold_one = threading.Barrier(count, timeout=HANG_S)
    answers: list[int] = []

    def read(store: Store) -> None:
        with store._database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
            all_hold_one.wait()
            answers.append(connection.exec_driver_sql("SELECT 7").scalar_one())

    with Store.open(path) as store:
        threads = [threading.Thread(target=read, args=(store,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [7] * count


def test_closed_store_is_one_file(path: Path) -> None:
    make_store(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_importing_the_store_loads_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "sqlmodel", "psycopg"}
    done = run_python(f"import sys, ramify.planner.store; print({heavy} & sys.modules.keys())")
    assert (done.stdout, done.stderr) == ("set()\n", "")


# How it fails


def _folder(path: Path) -> None:
    path.mkdir()


def _not_a_database(path: Path) -> None:
    path.write_text("these are my notes, " * 100, encoding="utf-8")


def _of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


def _with_our_names(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE ramify_runs (id TEXT)")


def _damaged(path: Path) -> None:
    make_store(path)
    data = bytearray(path.read_bytes())
    data[100:4000] = b"\xff" * 3900
    path.write_bytes(data)


def _cut(path: Path) -> None:
    make_store(path)
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_folder, r"runs\.db is a folder; name a file in it, such as .*runs\.db/ramify\.db"),
        (_not_a_database, r"runs\.db: the file is not a Ramify store, or is damaged; check the path, or restore"),
        (_of_another_program, r"runs\.db belongs to another program; choose another place"),
        (_with_our_names, r"runs\.db belongs to another program"),
        (_damaged, r"runs\.db: the file is damaged; restore a backup"),
        (_cut, r"runs\.db: the file is damaged; restore a backup"),
    ],
)
def test_file_that_is_no_store_is_refused_and_left_alone(path: Path, prepare: object, message: str) -> None:
    assert callable(prepare)
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=message), Store.open(path) as store:
        store.runs()
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("missing/runs.db", r"the store's folder .*/missing does not exist; create it"),
        ("missing/.ramify/ramify.db", r"the store's folder .*/missing/\.ramify does not exist"),
        ("file/runs.db", r"the store's folder .*/file is a file; choose another place"),
        ("", "a store must be a file"),
        (":memory:", "a store must be a file"),
        ("sqlite://", "a store must be a file"),
        ("a\x00b", "a store must be a file"),
        (
            "mysql://ann:secret@host/db",
            "a store cannot be at a mysql:// URL; use a file, sqlite:///FILE or postgresql",
        ),
        ("x" * 300, "cannot be created: File name too long"),
    ],
)
def test_place_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match=message) as caught:
        Store.open(place)
    assert "secret" not in str(caught.value)
    assert os.listdir() == ["file"]  # noqa: PTH208 - names are all that counts


READ_ONLY = """
import os, sys
from pathlib import Path
from ramify.planner.errors import StoreError
from ramify.planner.store import Control, NewRun, Store
from ramify.tasks import Task
Store.open(sys.argv[2]).close()  # everything is loaded before rights are given up
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with Store.open(sys.argv[1]) as store:
        run = store.read_run("run-1")
        print("read", run.record.goal, len(list(run.root.walk())), store.check(), store.backup(sys.argv[3]) > 0)
        store.ask("run-1", Control.of("cancel", via="cli"))
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["file", "folder", "both", "new file"])
def test_a_store_that_cannot_be_written_is_read_and_writing_says_what_to_do(
    what: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("open")
    base = tmp_path_factory.getbasetemp()
    made_by_pytest = [each for each in (base, *base.parents) if each.name.startswith(("pytest-", "popen-"))]
    for above in (top, *made_by_pytest):
        above.chmod(0o755)
    path = top / "runs.db"
    if what != "new file":
        make_store(path)
        path.chmod(0o666 if what == "folder" else 0o444)
    top.chmod(0o777 if what == "file" else 0o555)
    copies = tmp_path_factory.mktemp("copies")
    copies.chmod(0o777)
    try:
        done = run_python(READ_ONLY, path, tmp_path / "first.db", copies / "copy.db")
    finally:
        top.chmod(0o755)
    assert done.stderr == ""
    *before, words = done.stdout.splitlines()
    assert before == ([] if what == "new file" else ["read find out 4 [] True"])
    assert f"the store {path}" in words
    assert "writable" in words


def test_a_store_of_another_schema_that_cannot_be_written_is_refused_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for version, said in ((1, "must be upgraded to schema"), (99, "was made by a newer Ramify")):
        path.unlink(missing_ok=True)
        make_store(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE ramify_meta SET schema_version = ?", (version,))
            connection.commit()
        database = Database.open(read_place(path), synchronous="FULL", create=False, lock_wait_s=1)
        database.is_read_only = True
        with pytest.raises(StoreError, match=said):
            prepare(database, create=False)
        database.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


def test_lock_of_another_program_is_named(path: Path) -> None:
    make_store(path)
    with Store.open(path, lock_wait_s=0.05) as store:
        with locked(path), pytest.raises(StoreError, match="another program has locked it; close that program"):
            store.ask("run-1", Control.of("cancel", via="cli"))
        store.ask("run-1", Control.of("cancel", via="cli"))


def test_writer_that_meets_a_lock_for_too_long_writes_nothing_more(path: Path) -> None:
    make_store(path)
    failures: list[PlannerError] = []
    with Store.open(path, lock_wait_s=0.05) as store:
        writer = store.write("run-1", events=WriterEvents(on_failure=failures.append))
        with locked(path), pytest.raises(StoreError, match="has locked it"):
            asyncio.run(writer.commit(EventHappened.of(event(1))))
        with pytest.raises(StoreError, match="has locked it"):
            writer.put(EventHappened.of(event(2)))
        with pytest.raises(StoreError, match="has locked it"):
            writer.close(EventHappened.of(event(3)))
        assert store.events("run-1") == []
        assert len(failures) == 1
        assert store.find_run("run-1").holder is None


def test_writer_waits_out_a_short_lock(path: Path) -> None:
    make_store(path)
    with Store.open(path) as store, store.write("run-1") as writer:
        with locked(path):
            writer.put(EventHappened.of(event(1)))
        writer.flush()
        assert store.events("run-1") == [event(1)]


def fill(writer: RunWriter) -> int:
    """Write until the disk is full; return how many events are known to be written."""
    written = 0

    async def write_on() -> None:
        nonlocal written
        while True:
            await writer.commit(EventHappened.of(event(written + 1, "x" * 2000)))
            written += 1

    with pytest.raises(StoreError, match="the disk is full; free some space and resume the run"):
        asyncio.run(write_on())
    return written


def test_full_disk_loses_nothing_that_was_committed(path: Path) -> None:
    make_store(path)
    with Store.open(path) as store:
        sqlalchemy_event.listen(
            store._database.engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 200").close()
        )
        store._database.close()
        writer = store.write("run-1")
        written = fill(writer)
        with pytest.raises(StoreError, match="the disk is full"):
            writer.close()
    with Store.open(path) as store:
        assert [each.seq for each in store.events("run-1")] == list(range(1, written + 1))
        assert store.check() == []
        with store.write("run-1") as writer:
            assert writer.next_seq() == written + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root; max_page_count stands in elsewhere")
def test_really_full_disk_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here; max_page_count stands in")
    try:
        path = disk / "runs.db"
        make_store(path)
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 200_000)
        with Store.open(path) as store:
            writer = store.write("run-1")
            written = fill(writer)
            with pytest.raises(StoreError, match="the disk is full"):
                writer.close()
            ballast.unlink()
            assert [each.seq for each in store.events("run-1")] == list(range(1, written + 1))
            with store.write("run-1") as again:
                again.put(EventHappened.of(event(again.next_seq())))
            assert len(store.events("run-1")) == written + 1
            assert store.check() == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_error_shows_no_words_of_the_work(path: Path) -> None:
    make_store(path)
    root = small_tree()
    root.content = f"goal {id(root)}"
    with Store.open(path, lock_wait_s=0.05) as store:
        store.create_run(new_run("run-2"), root)
        with store._database.changing() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no BEFORE INSERT ON ramify_tasks BEGIN SELECT RAISE(FAIL, 'no'); END"
            )
        with pytest.raises(StoreError, match="the database reports an error") as caught:
            store.create_run(new_run("run-3", goal=root.content), root)
    assert root.content not in "".join(traceback.format_exception(caught.value))


# What a kill leaves

KILLED = """
import asyncio, sys
from ramify.planner.store import Store, TaskAdded, TaskChanged, EventHappened, EventRecord
from ramify.tasks import Task, TaskState
with Store.open(sys.argv[1]) as store:
    root = store.load_tree("run-1")
    with store.write("run-1") as writer:
        for task in root.subtasks:
            task.move(TaskState.RUNNING)
            asyncio.run(writer.commit(TaskChanged.of(task)))
        root.add_subtask(Task(content="more", id="0.4"))
        asyncio.run(writer.commit(TaskAdded.of(root.subtasks[-1]), TaskChanged.of(root)))
print("lived")
"""


@pytest.mark.parametrize(
    ("failpoint", "running", "tasks"),
    [
        ("before-running-commit", 0, 4),
        ("after-running-commit", 1, 4),
        ("before-running-commit:3", 2, 4),
        ("after-running-commit:3", 3, 4),
        ("during-plan-commit", 3, 4),
        ("during-plan-commit:2", 3, 5),
    ],
)
def test_kill_leaves_what_was_committed_and_no_more(path: Path, failpoint: str, running: int, tasks: int) -> None:
    make_store(path)
    done = run_python(KILLED, path, RAMIFY_FAILPOINT=failpoint)
    assert (done.returncode, done.stdout) == ((-signal.SIGKILL, "") if failpoint[-1] != "2" else (0, "lived\n"))
    with Store.open(path) as store:
        root = store.load_tree("run-1")
        assert sum(task.state is TaskState.RUNNING for task in root.walk()) == running
        assert sum(1 for _ in root.walk()) == tasks
        assert store.check() == []
        with store.write("run-1") as writer:
            writer.put(TaskChanged.of(root))


def test_kill_while_a_store_is_made_leaves_nothing_half_made(path: Path) -> None:
    script = "import sys; from ramify.planner.store import Store; Store.open(sys.argv[1]).close()"
    done = run_python(script, path, RAMIFY_FAILPOINT="during-migration")
    assert done.returncode == -signal.SIGKILL
    make_store(path)
    with Store.open(path) as store:
        assert store.check() == []


MIGRATE = """
import sys
from sqlalchemy import text
from ramify.planner.store.database import Database
from ramify.planner.store.migrations import MIGRATIONS, Migration, prepare
from ramify.planner.settings.place import read_place
def add_colour(connection):
    connection.execute(text("ALTER TABLE ramify_runs ADD COLUMN colour TEXT"))
    connection.execute(text("UPDATE ramify_runs SET colour = 'red'"))
database = Database.open(read_place(sys.argv[1]), synchronous="FULL", create=False, lock_wait_s=5)
prepare(database, create=False, steps=[Migration(MIGRATIONS[-1].version + 1, add_colour)])
database.close()
"""


def test_kill_during_a_migration_leaves_the_old_schema(path: Path) -> None:
    make_store(path)
    assert run_python(MIGRATE, path, RAMIFY_FAILPOINT="during-migration").returncode == -signal.SIGKILL
    with Store.open(path) as store:
        assert store.last_run().id == "run-1"
        assert store.check() == []
    assert run_python(MIGRATE, path).stderr == ""
    with pytest.raises(StoreError, match="made by a newer Ramify"):
        Store.open(path)


def test_unknown_failpoint_is_refused() -> None:
    words = "RAMIFY_FAILPOINT='before-lunch' names no point; it is NAME or NAME:N with NAME one of before-running"
    said = ramify_process("runs", RAMIFY_FAILPOINT="before-lunch")
    assert (said.code, said.err.count("\n"), words in said.err) == (2, 1, True)
    passes = "from ramify.planner.runtime.failpoints import failpoint; failpoint('during-migration')"
    assert words in run_python(passes, RAMIFY_FAILPOINT="before-lunch").stderr


def test_writer_thread_does_not_keep_a_program_alive(path: Path) -> None:
    make_store(path)
    script = "import sys; from ramify.planner.store import Store; Store.open(sys.argv[1]).write('run-1'); print('end')"
    done = run_python(script, path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
    assert threading.active_count() < 50
