"""What is particular to a store in PostgreSQL: a server that goes away, passwords, and the driver."""

import asyncio
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator

import pytest
from ramify.planner.errors import LeaseError, PlannerError, StoreError
from ramify.planner.store import CallMade, EventHappened, Holder, Store, WriterEvents
from ramify.planner.store.tables import METADATA

from .patience import HANG_S, comes_true
from .postgres import PostgresServer, running_server
from .store_samples import call, event, new_run, small_tree

SECRET = "pa55word"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def fragile() -> Iterator[PostgresServer]:
    """Give a server that tests may stop and start."""
    with running_server() as server:
        yield server


@pytest.fixture
def url(fragile: PostgresServer) -> Iterator[str]:
    yield fragile.empty_database()
    fragile.start_again()


def test_writer_waits_for_a_server_that_stops_and_writes_once(fragile: PostgresServer, url: str) -> None:
    words: list[str] = []
    with Store.open(url) as store:
        store.create_run(new_run("run-1"), small_tree())
        with store.write("run-1", events=WriterEvents(on_waiting=words.append)) as writer:
            writer.put(EventHappened.of(event(1)))
            writer.flush()
            fragile.stop()
            waiting = threading.Thread(
                target=lambda: asyncio.run(writer.commit(EventHappened.of(event(2)), CallMade.of(call())))
            )
            waiting.start()
            assert comes_true(lambda: words)
            assert waiting.is_alive()
            fragile.start()
            waiting.join(timeout=HANG_S)
            assert not waiting.is_alive()
            writer.put(EventHappened.of(event(3)))
        assert [each.seq for each in store.events("run-1")] == [1, 2, 3]
        assert store.calls("run-1") == [call()]
    assert len(words) == 1
    assert "run run-1 waits up to 300 s for it" in words[0]


def test_writer_gives_up_on_a_server_that_stays_away(fragile: PostgresServer, url: str) -> None:
    failures: list[PlannerError] = []
    with Store.open(url) as store:
        store.create_run(new_run("run-1"), small_tree())
        writer = store.write("run-1", wait_s=0.3, events=WriterEvents(on_failure=failures.append))
        fragile.stop()
        with pytest.raises(StoreError, match="the server"):
            asyncio.run(writer.commit(EventHappened.of(event(1))))
        with pytest.raises(StoreError, match="the server"):
            writer.close()
        with pytest.raises(StoreError, match="the server is unreachable; check that it runs"):
            store.runs()
        fragile.start()
        assert store.events("run-1") == []
        with store.write("run-1") as again:  # though the store could not be told that the first gave it back
            again.put(EventHappened.of(event(1)))
        assert store.events("run-1") == [event(1)]
    assert len(failures) == 1


def test_owner_that_comes_back_after_a_takeover_writes_nothing(fragile: PostgresServer, url: str) -> None:
    elsewhere = Holder(host="elsewhere", pid=17, place="", process_start="", since=0.0)
    with Store.open(url) as store:
        store.create_run(new_run("run-1"), small_tree())
        stale = store.write("run-1", holder=elsewhere)
        fragile.stop()
        fragile.start()
        with store.write("run-1", stale_after_s=-1.0):
            with pytest.raises(LeaseError, match="taken over"):
                stale.flush()
            with pytest.raises(LeaseError, match="taken over"):
                stale.close(EventHappened.of(event(1)))
        assert store.events("run-1") == []


def test_store_reads_again_after_the_server_was_restarted(fragile: PostgresServer, url: str) -> None:
    with Store.open(url) as store:
        store.create_run(new_run("run-1"), small_tree())
        assert store.last_run().id == "run-1"
        fragile.stop()
        fragile.start()
        assert store.last_run().id == "run-1"


def _shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            f"postgresql://ann:{SECRET}@127.0.0.1:1/runs",
            r"postgresql://ann@127\.0\.0\.1:1/runs: the server is unreachable",
        ),
        (f"postgres://ann@127.0.0.1:1/runs?password={SECRET}", "the server is unreachable"),
        (f"postgresql+psycopg://ann:{SECRET}@127.0.0.1:1/{SECRET}", "the server is unreachable"),
        (f"postgresql://ann:{SECRET}@127.0.0.1:{SECRET}/runs", "the store's URL cannot be read; it has the form"),
        (f"postgresql://ann:{SECRET}@[127.0.0.1/runs", "the store's URL cannot be read"),
        (
            f"postgresql://127.0.0.1:1/runs?bad_option={SECRET}&password={SECRET}",
            r"the store postgresql://127\.0\.0\.1:1/runs",
        ),
    ],
)
def test_password_is_never_shown(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Store.open(url)
    shown = _shown(caught.value).replace(f"/{SECRET}", "")
    assert SECRET not in shown.replace("Store.open(url)", "")


def test_open_store_does_not_show_its_password(postgres: PostgresServer) -> None:
    with Store.open(postgres.empty_database(password=SECRET)) as store:
        assert SECRET not in repr(store) + repr(store.place) + repr(vars(store)) + repr(vars(store._database))
        assert store.place.startswith("postgresql://ramify@/postgres")


def test_missing_database_is_named_with_how_to_make_it(postgres: PostgresServer) -> None:
    with pytest.raises(StoreError, match="there is no such database; create it with `createdb`"):
        Store.open(postgres.url("nowhere"))


def test_unknown_user_is_told_what_to_check(postgres: PostgresServer) -> None:
    with pytest.raises(StoreError, match="the server rejects that user"):
        Store.open(postgres.url("postgres", user="nobody-here"))


def test_missing_driver_is_named_with_how_to_install_it() -> None:
    script = """
import sys
sys.modules["psycopg"] = None
from ramify.planner.errors import StoreError
from ramify.planner.store import Store
try:
    Store.open("postgresql://127.0.0.1/runs")
except StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip().endswith('install it with: pip install "ramify[postgres]"')


def test_tables_of_others_in_the_database_are_left_alone(postgres: PostgresServer) -> None:
    url = postgres.empty_database()
    with Store.open(url) as store, store._database.changing() as connection:
        METADATA.drop_all(connection)
        connection.exec_driver_sql("CREATE TABLE runs (id INTEGER)")
    with Store.open(url) as store:
        store.create_run(new_run("run-1"), small_tree())
        assert store.check() == []
