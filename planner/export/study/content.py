"""What a study is made of: its arms, and what came of each item in each arm, read off the tree of its run."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from ramify.tasks import Task, TaskState, Usage
from ramify.tasks.tree.config import NO_USAGE

STUDY = "study"
"""The type of the task that holds a study together."""

TRIAL = "trial"
"""The type of a task that does one item in one arm."""

DIRECT, COT, SAMPLES = "direct", "cot", "self-consistency"
WHOLE = (DIRECT, COT, SAMPLES)
"""Kinds of arms that split nothing; all others are policies."""


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """How one arm does an item.

    Attributes:
        name: what it is called.
        kind: `direct`, `cot`, `self-consistency`, or the name of a policy.
        samples: how many answers it asks for; more than 1 only for self-consistency.
        parameters: what else it does otherwise, by name.
    """

    name: str
    kind: str
    samples: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def splits(self) -> bool:
        """Whether it may split an item."""
        return self.kind not in WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one item in one arm.

    Attributes:
        item: the item's id.
        arm: the arm's name.
        run: the run that did it; empty if there is none yet.
        task: the task of the study's run that it was.
        question: what was asked.
        expected: what the answer should have been.
        answer: what it was, as it was read from the reply.
        right: whether it was right; None if that is not known yet.
        error: why there is no answer; empty if there is one, or may yet be.
        unsure: why who judges could not say whether it is right, so that it counts as wrong; else empty.
        is_split: whether the item was split.
        usage: what the arm's calls have used, without those of a model that judges.
        seconds: how long it took; None if it was done in more than one go.
        samples: each answer of an arm that asks several times, and whether it was right.
    """

    item: str
    arm: str
    run: str = ""
    task: str = ""
    question: str = ""
    expected: str = ""
    answer: str = ""
    right: bool | None = None
    error: str = ""
    unsure: str = ""
    is_split: bool = False
    usage: Usage = NO_USAGE
    seconds: float | None = None
    samples: tuple[tuple[str, bool], ...] = ()

    @property
    def cost_usd(self) -> float | None:
        """What it has cost; None if the cost of any call is unknown."""
        return None if self.usage.calls_without_cost else self.usage.cost_usd


@dataclass(frozen=True)
class StudyData:
    """What was studied, and what came of each item in each arm.

    Attributes:
        title: what was studied.
        run: the id of its run.
        status: where that stands.
        made_by: who the answers come from, for people to read.
        check: how answers are judged.
        jobs: how many trials ran at the same time.
        arms: the arms, in order; the first that is one plain call is what the others are compared with.
        trials: what came of each item in each arm, those that are still to be done among them.
        pilot: how many items were to be done in one plain call first; 0 if there was to be no pilot.
    """

    title: str
    run: str
    status: str
    made_by: str
    check: str
    jobs: int
    arms: tuple[ArmSpec, ...]
    trials: tuple[Trial, ...]
    pilot: int = 0

    @property
    def items(self) -> list[str]:
        """The ids of the items, in order."""
        return list(dict.fromkeys(trial.item for trial in self.trials))

    @property
    def base(self) -> ArmSpec:
        """The arm that the others are compared with."""
        return next((arm for arm in self.arms if arm.kind == DIRECT), self.arms[0])

    def done(self, arm: str) -> dict[str, Trial]:
        """Return the trials of an arm that were judged, by item."""
        return {each.item: each for each in self.trials if each.arm == arm and each.right is not None}

    def pairs(self, arm: str, other: str) -> Iterator[tuple[Trial, Trial]]:
        """Yield the trials of the items that two arms have both done."""
        here, there = self.done(arm), self.done(other)
        return ((here[item], there[item]) for item in here if item in there)


def is_study(root: Task) -> bool:
    """Return whether a tree is that of a study."""
    return root.type == STUDY and isinstance(root.inputs.get("items"), list)


def place_in(items: list[dict[str, Any]], arms: tuple[ArmSpec, ...]) -> Callable[[Trial], tuple[int, int]]:
    """Return what puts trials in order: item by item, in the order of the arms."""
    rows = {item["id"]: place for place, item in enumerate(items)}
    columns = {arm.name: place for place, arm in enumerate(arms)}
    return lambda trial: (rows[trial.item], columns[trial.arm])


def trial_of(task: Task, items: list[dict[str, Any]], arms: tuple[ArmSpec, ...]) -> Trial:
    """Return what came of the trial that `task` is, as far as it is done."""
    given: dict[str, Any] = task.inputs
    item, arm = items[given["item"]], arms[given["arm"]]
    expected = " or ".join(item["answers"])
    known: dict[str, Any] = {
        "item": item["id"], "arm": arm.name, "task": task.id, "question": item["question"], "expected": expected,
    }  # fmt: skip
    made = cast("dict[str, Any] | None", task.output)
    if task.state is not TaskState.DONE or not isinstance(made, dict):
        return Trial(**known, error=task.error or "")
    return Trial(
        **known,
        run=made["run"],
        answer=made["answer"],
        right=made["right"],
        error=made.get("error", ""),
        unsure=made.get("unsure", ""),
        is_split=made["split"],
        usage=Usage(**made["usage"]),
        seconds=made["seconds"],
        samples=tuple((answer, right) for answer, right in made.get("samples", ())),
    )


def trial_data(trial: Trial) -> dict[str, Any]:
    """Return a trial as JSON data."""
    return {**asdict(trial), "usage": trial.usage.to_data(), "samples": [list(each) for each in trial.samples]}
