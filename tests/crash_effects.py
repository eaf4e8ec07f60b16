"""The crash test of effects: runs that pay are killed before a request, in it, after it, and before the commits.

    python -m tests.crash_effects --kills 200 [--postgres] [--seed N]

A payment server in this process charges an order once for one idempotency key, or each time it is asked without one,
and counts. After every kill the ledger in the store is compared with what the server has charged. With a key the run is
just resumed. Without one it waits for a person, repeats nothing meanwhile, and is told what the server knows. In the
end every order was charged once.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ramify.planner.errors import RunError, StoreError
from ramify.planner.store import StepRecord, Store

from .crash import ROOT, check_moves
from .crash_changes import clean_environment
from .crash_effects_program import ORDERS
from .patience import HANG_S
from .postgres import running_server

PROGRAM = [sys.executable, "-m", "tests.crash_effects_program"]
LEDGER = {
    "before-step-intended": (None, 0),
    "after-step-intended": ("intended", 0),
    "arrived": ("intended", 0),
    "charged": ("intended", 1),
    "before-step-commit": ("intended", 1),
    "after-step-commit": ("done", 1),
}
"""Where a run is killed that does one task at a time: what its ledger says then of the order, and its charges.

Two are instants of the server: a request has arrived, and it is charged and not answered yet.
"""
OTHER_POINTS = ("before-running-commit", "after-running-commit", "after-done-commit")
WAYS = ("step", "whole", "tool", "apart")


class PaymentServer:
    """Charges orders, and counts.

    Attributes:
        charges: how often each order was charged.
        repeated: requests with a key that was known.
        keys: the orders that each key came with.
        kill_at: the instant at which the process that asks is killed, and at which passing; None for never.
        victim: that process.
    """

    def __init__(self) -> None:
        self.charges: Counter[str] = Counter()
        self.repeated = 0
        self.keys: dict[str, set[str]] = {}
        self.kill_at: tuple[str, int] | None = None
        self.victim: subprocess.Popen[str] | None = None
        self.turn = threading.Lock()
        self._paid: dict[str, dict[str, Any]] = {}

    def charge(self, order: str, cents: int, key: str | None) -> dict[str, Any]:
        """Charge an order, unless it was charged under that key."""
        with self.turn:
            if self._kills("arrived"):
                return {}  # the request is lost
            if key is not None:
                self.keys.setdefault(key, set()).add(order)
            if key in self._paid:
                self.repeated += 1
                return self._paid[str(key)]
            self.charges[order] += 1
            paid = {"order": order, "cents": cents, "receipt": f"R{sum(self.charges.values())}"}
            self._paid[key or str(paid["receipt"])] = paid
            self._kills("charged")
            return paid

    def find(self, order: str) -> dict[str, Any] | None:
        """Return what was charged for an order."""
        with self.turn:
            return next((paid for paid in self._paid.values() if paid["order"] == order), None)

    def _kills(self, instant: str) -> bool:
        """Return whether the process that asks is killed at an instant, and kill it then."""
        if self.kill_at is None or self.kill_at[0] != instant or self.victim is None:
            return False
        self.kill_at = (instant, self.kill_at[1] - 1)
        if self.kill_at[1]:
            return False
        self.victim.kill()
        self.victim.wait()
        return True


@contextmanager
def payment_server() -> Iterator[tuple[PaymentServer, str]]:
    """Give a server and its address while it runs."""
    server = PaymentServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(server.charge(body["order"], body["cents"], self.headers.get("Idempotency-Key")))

        def do_GET(self) -> None:
            self._answer(server.find(self.path.rpartition("/")[2]))

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, data: Any) -> None:
            words = json.dumps(data).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)
            except OSError:
                pass  # who has asked is gone

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


@dataclass
class EffectTest:
    """One run that pays, killed until it is through.

    Attributes:
        store: where the run is stored.
        way: how it pays.
        server: who charges, and its address.
        has_key: whether the server is given idempotency keys.
        is_asked: whether the program itself asks the server what became of a step; else this test does.
        jobs: how many tasks it does at a time.
        kills: how often it was killed.
        waits: how often it waited for a person.
        seen: what the ledger said after the kills, and how often the order was charged then.
    """

    store: str
    way: str
    server: PaymentServer
    address: str
    has_key: bool = True
    is_asked: bool = False
    jobs: int = 1
    run_id: str | None = None
    kills: int = 0
    waits: int = 0
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    _others: frozenset[str] = frozenset()

    def kill_at(self, point: str, passing: int = 1) -> bool:
        """Go on with a point armed, and check the ledger; return whether the process had ended by itself."""
        before = self._ledger()
        done = self._go_on(point, passing)
        if not done and self.jobs == 1 and point in LEDGER:
            found = self._ledger()
            assert any(found[order] in _ledgers(point, before[order]) for order in ORDERS), (point, before, found)
        return done

    def finish(self) -> None:
        """Go on to the end, and check it."""
        assert self._go_on(), "the last process did not end by itself"
        assert self.server.charges == Counter(ORDERS), self.server.charges
        assert all(len(orders) == 1 for orders in self.server.keys.values()), self.server.keys
        assert len(self.server.keys) == (len(ORDERS) if self.has_key else 0), self.server.keys
        assert {each[0] for each in self._ledger().values()} == {"done"}
        with Store.open(self.store) as store:
            run = store.find_run(str(self.run_id))
            results = [task.result for task in store.load_tree(run.id).subtasks]
        assert (run.status, run.holder) == ("done", None)
        receipts = [str((self.server.find(order) or {})["receipt"]) for order in ORDERS]
        assert all(receipt in result for receipt, result in zip(receipts, results, strict=True)), (receipts, results)

    def _go_on(self, point: str = "", passing: int = 1) -> bool:
        """Go on, also when the run waits for a person or gives up a task that was killed often; say if it is done."""
        code = self._go(point, passing)
        while code in {1, 5}:
            if code == 1:
                code = self._go(point, passing, options={"retry_failed": True})
                continue
            assert not self.has_key, "with a key nobody has to be asked"
            self.waits += 1
            before = {order_of(step): self.server.charges[order_of(step)] for step in self._unknown()}
            code = self._go(asks=False)
            now = {order: self.server.charges[order] for order in before}
            assert (code, now) == (5, before), "what may not be repeated was"
            code = self._go(point, passing, options=self._found_out())
        return code == 0

    def _found_out(self) -> dict[str, Any]:
        """Return what the server knows of the steps that nobody knows the end of, as `resume` takes it."""
        steps = self._unknown()
        assert steps
        options: dict[str, Any] = {"step_done": {}, "step_again": []}
        for step in steps:
            paid = self.server.find(order_of(step))
            alone = sum(each.key.task_id == step.key.task_id for each in steps) == 1
            name = step.key.task_id if alone else f"{step.key.task_id} {step.key.key}"
            if paid is None:
                options["step_again"].append(name)
            else:
                options["step_done"][name] = paid
        return options

    def _go(
        self, point: str = "", passing: int = 1, *, asks: bool = True, options: dict[str, Any] | None = None
    ) -> int:
        environment = clean_environment() | {"PAYING_SERVER": self.address, "PAYING_JOBS": str(self.jobs)}
        environment |= {"PAYING_WITH_KEY": "yes"} if self.has_key else {}
        environment |= {"PAYING_ASKS": "yes"} if self.is_asked and asks else {}
        is_instant = point in {"arrived", "charged"}
        environment |= {"RAMIFY_FAILPOINT": f"{point}:{passing}"} if point and not is_instant else {}
        if self.run_id is None and not self.kills:
            with Store.open(self.store) as store:
                self._others = frozenset(run.id for run in store.runs())
        words = ["start", self.store, self.way] if self.run_id is None else ["resume", self.store, self.run_id]
        words += [json.dumps(options)] if options else []
        self.server.kill_at = None
        with subprocess.Popen(
            [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT
        ) as process:
            try:
                self.server.victim = process
                self.server.kill_at = (point, passing) if is_instant else None
                printed, _ = process.communicate(timeout=HANG_S)
            finally:
                process.kill()
        with self.server.turn:
            self.server.victim = None
        is_given_up = process.returncode == 1 and "the process ended" in printed
        assert is_given_up or process.returncode in {0, 5, -signal.SIGKILL}, printed
        self.kills += process.returncode == -signal.SIGKILL
        self._check(was_killed=process.returncode == -signal.SIGKILL)
        return process.returncode

    def _check(self, *, was_killed: bool) -> None:
        """Check that the ledger says nothing that is not so."""
        with Store.open(self.store) as store:
            assert store.check() == []
            if self.run_id is None:
                self.run_id = next((run.id for run in store.runs() if run.id not in self._others), None)
            if self.run_id is None:
                return
            check_moves(store, self.run_id)
        for order, (state, charged) in self._ledger().items():
            assert charged <= 1, f"{order} was charged {charged} times"
            assert state is not None or not charged, f"{order} was charged, and the ledger does not know it was meant"
            assert state != "done" or charged == 1, f"the ledger says that {order} was charged, and it was not"
            if was_killed and state in {"intended", "unknown"}:
                self.seen[str(state), charged] += 1

    def _ledger(self) -> dict[str, tuple[str | None, int]]:
        states = {order_of(step): step.state for step in self._effects()}
        return {order: (states.get(order), self.server.charges[order]) for order in ORDERS}

    def _unknown(self) -> list[StepRecord]:
        return [step for step in self._effects() if step.state == "unknown"]

    def _effects(self) -> list[StepRecord]:
        if self.run_id is None:
            return []
        try:
            with Store.open(self.store, create=False) as store:
                return store.steps(self.run_id, effects=True)
        except (RunError, StoreError):
            return []


def _ledgers(point: str, before: tuple[str | None, int]) -> list[tuple[str | None, int]]:
    """Return what the ledger may say of an order at a point: one that was under way may be asked for once more."""
    state, charged = LEDGER[point]
    again = [(state or "unknown", max(charged, before[1]))] if before[0] in {"intended", "unknown"} else []
    return [(state, charged), *again]


def order_of(step: StepRecord) -> str:
    """Return the order that a step pays."""
    given: Any = step.input
    return str(given[0] if isinstance(given, list) else given.get("arguments", given)["order"])


def paid_through(
    store: str, server: PaymentServer, address: str, plan: list[tuple[str, int]], **how: Any
) -> EffectTest:
    """Have a run pay that is killed at the points of `plan`, and check all of it."""
    test = EffectTest(store, server=server, address=address, **how)
    for point, passing in plan:
        if test.kill_at(point, passing):
            break
    test.finish()
    return test


def pay(store: str, *, kills: int, seed: int) -> Iterator[EffectTest]:
    """Kill runs that pay `kills` times in all, up to five times in a row each; yield each once it is through."""
    chance = random.Random(seed)
    has_key = False
    while kills > 0:
        has_key = not has_key
        way = chance.choice(WAYS if has_key else WAYS[:-1])  # what was killed with the run may ask the server yet
        points = (*LEDGER, *LEDGER, *OTHER_POINTS)
        plan = [(chance.choice(points), chance.randint(1, 3)) for _ in range(chance.randint(2, 5))]
        with payment_server() as (server, address):
            how = {"has_key": has_key, "jobs": chance.choice((1, 3)), "is_asked": chance.random() < 0.5}
            test = paid_through(store, server, address, plan, way=way, **how)
        kills -= test.kills
        yield test


def main() -> None:
    """Run the long form and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own, not on SQLite")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = str(Path(folder) / "crash.db")
        if options.postgres:
            store = stack.enter_context(running_server()).empty_database()
        print(f"seed {options.seed}, store {store}, process {os.getpid()}", flush=True)
        tests: list[EffectTest] = []
        for test in pay(store, kills=options.kills, seed=options.seed):
            tests.append(test)
            print(
                f"run {len(tests)}, {test.way}, jobs {test.jobs}: {sum(each.kills for each in tests)} kills", flush=True
            )
    for has_key in (True, False):
        some = [test for test in tests if test.has_key is has_key]
        seen = sum((test.seen for test in some), Counter[tuple[str, int]]())
        words = {0: "not charged", 1: "charged"}
        told = ", ".join(f"{state} and {words[charged]} {n}" for (state, charged), n in seen.items())
        print(
            f"{'with' if has_key else 'without'} a key: {sum(test.kills for test in some)} kills,"
            f" {len(some)} runs, {len(some) * len(ORDERS)} orders, each charged once: 0 doubled, 0 lost;"
            f" {sum(test.server.repeated for test in some)} requests came again under their key,"
            f" {sum(test.waits for test in some)} times a person was waited for; the ledger after kills: {told}"
        )


if __name__ == "__main__":
    main()
