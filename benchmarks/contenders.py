"""Who takes part, with which packages, set how; what a contender does not do is said here with the reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent

_NO_TREES = "it has no task trees"
_NOT_DURABLE = "it keeps nothing on disk: all run again"
_DEEP = "it counts the levels above each new task anew, and writes a tree by recursion, which ends near 1,000 levels"
_OURS_ONLY = "measured for Ramify alone"
_LARGE: Final = {"stored": _OURS_ONLY, "million": _OURS_ONLY}


@dataclass(frozen=True, slots=True)
class Contender:
    """One engine.

    Attributes:
        name: for people to read.
        program: the file that does its cases.
        requirements: what is installed for it from PyPI; nothing for what runs where this runs.
        setup: how it is set, and whether what it does is on disk.
        declines: the kinds of cases that it does not do, with the reason.
    """

    name: str
    program: Path
    requirements: tuple[str, ...] = ()
    setup: str = ""
    declines: Mapping[str, str] = field(default_factory=dict)

    @property
    def packages(self) -> tuple[str, ...]:
        """The names of the packages whose versions are shown."""
        if self.program.name == "ours.py":
            return ("ramify", "sqlalchemy", "pydantic")
        return tuple(re.split("[<=]", each)[0] for each in self.requirements)

    @property
    def environment(self) -> str:
        """The name of the folder of its environment; contenders with the same packages share one."""
        return re.sub(r"[^a-z]+", "-", self.requirements[0].lower())


OURS: Final = Contender(
    "Ramify",
    HERE / "ours.py",
    setup="durable: SQLite, write-ahead log, `synchronous=FULL`; leaves are asynchronous Python workers",
)

CONTENDERS: Final = (
    OURS,
    Contender(
        "asyncio alone",
        HERE / "peers" / "asyncio_peer.py",
        setup="not durable, no engine: coroutines take the next ready leaf from a heap; the least that any costs",
        declines={"flat": _NO_TREES, "chain": _NO_TREES, "crash": _NOT_DURABLE, **_LARGE},
    ),
    Contender(
        "LangGraph",
        HERE / "peers" / "langgraph_peer.py",
        ("langgraph", "langgraph-checkpoint-sqlite"),
        "durable: `AsyncSqliteSaver` (write-ahead log, `synchronous=FULL`), `durability='sync'`, a semaphore in the"
        " node; the fan-out is one `Send` a leaf, the graph one node a leaf",
        {"flat": _NO_TREES, "chain": _NO_TREES, **_LARGE},
    ),
    Contender(
        "LangGraph, own limit",
        HERE / "peers" / "langgraph_limit_peer.py",
        ("langgraph", "langgraph-checkpoint-sqlite"),
        "as before, with `max_concurrency` instead of the semaphore; it holds back the writes of finished leaves, too",
        {"flat": _NO_TREES, "chain": _NO_TREES, **_LARGE},
    ),
    Contender(
        "DBOS",
        HERE / "peers" / "dbos_peer.py",
        ("dbos",),
        "durable: SQLite, with the write-ahead log switched on by us (five times as fast here as DBOS's default),"
        " `synchronous=FULL`; one asynchronous workflow, a step a leaf, a semaphore",
        {"flat": _NO_TREES, "chain": _NO_TREES, **_LARGE},
    ),
    Contender(
        "Dask",
        HERE / "peers" / "dask_peer.py",
        ("distributed",),
        "not durable: `LocalCluster(processes=False)`, one worker with as many threads as leaves run at a time",
        {"flat": _NO_TREES, "chain": _NO_TREES, "crash": _NOT_DURABLE, **_LARGE},
    ),
    Contender(
        "pydantic-graph",
        HERE / "peers" / "pydantic_graph_peer.py",
        ("pydantic-graph",),
        "not durable: a step mapped over the leaves and joined, a semaphore; the graph runs layer by layer, as a join"
        " waits for its whole fork",
        {"flat": _NO_TREES, "chain": _NO_TREES, "crash": _NOT_DURABLE, **_LARGE},
    ),
    Contender(
        "myriapod",
        HERE / "peers" / "myriapod_peer.py",
        ("myriapod",),
        "not durable: a `Swarm` whose planner and worker are functions; the planner calls for all leaves in one turn,"
        " and leaves start while a turn goes on",
        {"chain": _DEEP, "crash": _NOT_DURABLE, **_LARGE},
    ),
    Contender(
        "CAMEL",
        HERE / "peers" / "camel_peer.py",
        ("camel-ai", "mcp<2"),
        "not durable: `Workforce` in pipeline mode, one worker that is a function, a stub for the coordinator's model;"
        " `mcp<2`, as it does not import with newer ones",
        {"crash": _NOT_DURABLE, **_LARGE},
    ),
)
