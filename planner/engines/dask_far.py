"""The far end of the engine `dask`: what a worker of the cluster calls, and how a function there talks with its run.

What functions say goes to the scheduler as events of the run's own topic, which the run listens to: one event for all
that was said before the worker's loop had a turn. What the run answers, and that it wants a function to stop, comes as
a call of `answer` or `stop` in the worker's process. Knows nothing of the run but what an order says.
"""

import asyncio
import functools
import hashlib
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from ramify.planner.errors import OutsideError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.runtime.version import version
from ramify.tasks.json_text import json_text

from .far import module_of, perform
from .protocol import Message

BEGIN = "begin"
"""What an order asks that may be begun once: whether this is the first time."""

DIFFERS, STOPPED, AGAIN = "differs", "stopped", "again"
"""Why a function was not called: other versions; nobody wants it any more; it was begun before."""

_NO_ANSWER = frozenset({EventType.TASK_PROGRESS.value, EventType.EMITTED.value, EventType.ALERT.value})
_LOOKS_EVERY_S = 1.0
_MOST_STOPPED = 10_000
_MOST_SAID = 10_000

Versions = Mapping[str, str]
"""What has to be the same at both ends: `python`, `ramify`, its `build`, the `code` of the module; or the `problem`."""


def do(words: str) -> Message | None:
    """Call the function that an order names, in a thread of a Dask worker, and say what came of it, as plain data.

    What is small is said as an event, which arrives together with the news that the call has ended; what is not is
    returned, to be fetched.

    Args:
        words: JSON: the `order`, the `key` that the cluster knows it by, the `topic` of its run, and its `versions`.
    """
    from distributed import get_worker

    sent: Message = json.loads(words)
    told = difference(sent["versions"], versions_there(sent["order"]["source"]))
    if told:
        return {DIFFERS: told}
    key = sent["key"]
    stop = _begun(key)
    line = _Line(get_worker(), key, sent["topic"], stop)
    try:
        if stop.is_set():
            return {STOPPED: True}
        if sent["order"]["is_once"] and not line.ask({"ask": BEGIN})["value"]:
            return {AGAIN: True}
        said = perform(sent["order"], line.ask, line.is_cancelled)
    finally:
        _ended(key)
    return None if line.say(said) else said


class _Line:
    """What asks the run; any thread may call it."""

    def __init__(self, worker: Any, key: str, topic: str, stop: threading.Event) -> None:
        self._worker = worker
        self._key = key
        self._topic = topic
        self._stop = stop

    def ask(self, message: Message) -> Message:
        """Send a message to the run, and return its answer, where it gives one.

        Raises:
            OutsideError: if the run is gone.
        """
        if message["ask"] in _NO_ANSWER:
            self._send(message, "")
            return {"value": None}
        token, answers = uuid4().hex, SimpleQueue[str]()
        _ANSWERS[token] = answers
        try:
            self._send(message, token)
            while True:
                try:
                    answer: Message = json.loads(answers.get(timeout=_LOOKS_EVERY_S))
                except Empty:
                    if self._is_left():
                        raise OutsideError("the run that the function belongs to is gone") from None
                else:
                    return answer
        finally:
            del _ANSWERS[token]

    def say(self, said: Message) -> bool:
        """Say what came of the function, and return whether that is small enough to be said."""
        words = json_text({"key": self._key, "said": said}, allow_nan=True)
        if len(words) > _MOST_SAID:
            return False
        _OUTBOX.put(self._worker, self._topic, words)
        return True

    def is_cancelled(self) -> bool:
        """Return whether nobody wants the function any more: the run has said so, or is gone."""
        return self._stop.is_set() or self._is_left()

    def _send(self, message: Message, token: str) -> None:
        told = {"key": self._key, "token": token, "to": self._worker.address, "message": message}
        _OUTBOX.put(self._worker, self._topic, json_text(told, allow_nan=True))

    def _is_left(self) -> bool:
        """Return whether the scheduler has let the call go, as it does when the run's process ends."""
        task = self._worker.state.tasks.get(self._key)
        return task is None or task.state == "cancelled"


class _Outbox:
    """Keeps what the functions of this process say until the loop of their worker has a turn, and sends it as one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[Any, str], list[str]] = {}

    def put(self, worker: Any, topic: str, words: str) -> None:
        """Have words sent before the worker says that the call which says them has ended; any thread may call it."""
        with self._lock:
            waiting = self._waiting.setdefault((worker, topic), [])
            waiting.append(words)
            is_first = len(waiting) == 1
        if is_first:
            worker.loop.add_callback(self._send, worker, topic)

    def _send(self, worker: Any, topic: str) -> None:
        with self._lock:
            words = self._waiting.pop((worker, topic))
        worker.log_event(topic, words)


_OUTBOX = _Outbox()
_LOADING = threading.RLock()
_LOCK = threading.Lock()
_AT_WORK: dict[str, threading.Event] = {}
_STOPPED: dict[str, None] = {}
_ANSWERS: dict[str, SimpleQueue[str]] = {}


def answer(token: str, words: str) -> None:
    """Give a function in this process the answer that it waits for."""
    waiting = _ANSWERS.get(token)
    if waiting is not None:
        waiting.put(words)


def stop(key: str) -> bool:
    """Tell a function in this process that it is not wanted any more, or is not to begin; return whether it runs."""
    with _LOCK:
        at_work = _AT_WORK.get(key)
        if at_work is not None:
            at_work.set()
            return True
        _STOPPED[key] = None
        while len(_STOPPED) > _MOST_STOPPED:
            del _STOPPED[next(iter(_STOPPED))]
        return False


def _begun(key: str) -> threading.Event:
    """Return what says whether the call of that key is to stop; it may be set already."""
    with _LOCK:
        found = _AT_WORK[key] = threading.Event()
        if key in _STOPPED:
            found.set()
        return found


def _ended(key: str) -> None:
    with _LOCK:
        _AT_WORK.pop(key, None)


def allowed_failures(dask_scheduler: Any) -> int:
    """Return how often the scheduler that this is called in does again what a lost worker was doing."""
    return int(dask_scheduler.allowed_failures)


def forget(topic: str, dask_scheduler: Any) -> None:
    """Let the scheduler forget what was said in a run, of which it keeps the last thousand events."""
    dask_scheduler._broker.truncate(topic)  # noqa: SLF001 - it offers no other way


async def probe(source: str) -> Versions:
    """Return the versions in this process, without holding its event loop while the module is imported."""
    return await asyncio.to_thread(versions_there, source)


def versions_there(source: str) -> Versions:
    """Return the versions in this process, where the module that `source` names is imported if it is not yet."""
    try:
        with _LOADING:
            return _loaded(source)
    except UsageError as error:
        return {"problem": str(error)}


@functools.cache
def _loaded(source: str) -> Versions:
    """Return the versions as they were when the module was imported, whatever has become of its file since."""
    module_of(source)
    return versions_here(source)


def versions_here(source: str) -> Versions:
    """Return the versions in this process, where the module that `source` names is imported already, or is a file."""
    file = source if source.endswith(".py") else getattr(sys.modules.get(source), "__file__", None)
    code = _digest(Path(file)) if file else ""
    python = ".".join(map(str, sys.version_info[:2]))
    return {"python": python, "ramify": version(), "build": _build(), "code": code, "source": source}


def difference(here: Versions, there: Versions) -> str:
    """Return what is different on a worker, and what to do about it; "" if nothing is.

    >>> difference({"python": "3.11", "ramify": "1"}, {"python": "3.12", "ramify": "1"})
    'has Python 3.12, and the run has 3.11; start the workers in the environment of the run'
    """
    if "problem" in there:
        return f"says that {there['problem']}; install it there, or put its folder on the PYTHONPATH of the workers"
    for name, shown in (("python", "Python"), ("ramify", "ramify")):
        if here[name] != there[name]:
            return (
                f"has {shown} {there[name]}, and the run has {here[name]}; start the workers in the environment of the"
                " run"
            )
    if here.get("build") != there.get("build"):
        return (
            f"has other files of ramify {here['ramify']} than the run; start the workers in the environment of the run,"
            " and restart them when that has changed"
        )
    if here.get("code") != there.get("code"):
        return (
            f"has loaded another version of {here['source']} than the run; put the same file there, and restart the"
            " workers, which load it once"
        )
    return ""


@functools.cache
def _build() -> str:
    """Return what tells apart two builds of one version: all that is needed at both ends is in this package."""
    return _digest(*sorted(Path(__file__).parent.glob("*.py")))


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16] if files else ""
