"""A study as a tree: one task for each item in each arm, laid out before the first call.

They stand item by item, so that a study that is stopped in the middle has done the same items in all arms. With a
pilot, the plain calls for its items come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.export.study.content import DIRECT, STUDY, TRIAL, ArmSpec, is_study
from ramify.planner.planning.split import PlanLimits
from ramify.tasks import Task
from ramify.tasks.counting import counted
from ramify.tasks.prompt_variables import title as titled

from .arms import Arm, spec_of
from .items import Item, drawn
from .judging import Judge

MOST_TRIALS = 200_000


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study is, as its trials read it.

    Attributes:
        arms: its arms.
        items: its items.
        check: how answers are judged, as it is stored.
        ask: what every arm is told besides the question.
        plan: how goals are split where an arm says nothing.
    """

    arms: tuple[ArmSpec, ...]
    items: tuple[Item, ...]
    check: str
    ask: str
    plan: PlanLimits

    @classmethod
    def of(cls, root: Task | None) -> "StudyPlan":
        """Return the study that the task `root` holds.

        Raises:
            UsageError: if it holds none.
        """
        if root is None or not is_study(root):
            raise UsageError(f"a task of type {TRIAL!r} must be below one of type {STUDY!r}; `ramify bench` makes both")
        given: dict[str, Any] = root.inputs
        return cls(
            tuple(map(spec_of, given["arms"])),
            tuple(map(Item.of, given["items"])),
            given["check"],
            given["ask"],
            PlanLimits.model_validate(given["plan"]),
        )

    def trial(self, task: Task) -> tuple[Item, ArmSpec]:
        """Return which item a task does, and in which arm."""
        given: dict[str, Any] = task.inputs
        return self.items[given["item"]], self.arms[given["arm"]]


def study_tree(
    items: Sequence[Item],
    arms: Sequence[Arm],
    judge: Judge,
    *,
    title: str,
    ask: str,
    plan: PlanLimits,
    pilot: int = 0,
) -> Task:
    """Return the tree of a study.

    Args:
        items: the items.
        arms: the arms.
        judge: how answers are judged.
        title: what the study is called.
        ask: what every arm is told besides the question.
        plan: how goals are split where an arm says nothing.
        pilot: how many items are done in one plain call first.

    Raises:
        UsageError: if there would be too many trials, or there is no arm for a pilot.
    """
    if len(items) * len(arms) > MOST_TRIALS:
        raise UsageError(
            f"{len(items):,} items in {len(arms)} arms make more than {MOST_TRIALS:,} trials; use fewer: --items N"
        )
    first = _pilot_items(items, arms, pilot)
    root = Task(
        content=title,
        id="0",
        type=STUDY,
        inputs={
            "arms": [arm.to_data() for arm in arms],
            "items": [item.to_data() for item in items],
            "check": judge.check,
            "ask": ask,
            "plan": plan.model_dump(mode="json"),
            "pilot": len(first),
        },
    )
    base = next((number for number, arm in enumerate(arms) if arm.kind == DIRECT), 0)
    every = [(item, arm) for item in range(len(items)) for arm in range(len(arms))]
    order = [(item, base) for item in first] + [each for each in every if each[1] != base or each[0] not in first]
    trials = [_trial(number, items, arms, item, arm) for number, (item, arm) in enumerate(order, 1)]
    root.add_subtasks(trials)
    return root


def _trial(number: int, items: Sequence[Item], arms: Sequence[Arm], item: int, arm: int) -> Task:
    inputs: dict[str, Any] = {"item": item, "arm": arm}
    content = f"{arms[arm].name}: {titled(items[item].question)}"
    name = f"{arms[arm].name}, item {items[item].id}"
    return Task(content=content, id=f"0.{number}", name=name, type=TRIAL, inputs=inputs)


def _pilot_items(items: Sequence[Item], arms: Sequence[Arm], pilot: int) -> list[int]:
    """Return the places of the items of a pilot."""
    if not pilot:
        return []
    if not any(arm.kind == DIRECT for arm in arms):
        raise UsageError(f"a pilot of {counted(pilot, 'item')} needs the arm {DIRECT}, which you left out")
    places = {item.id: place for place, item in enumerate(items)}
    return sorted(places[item.id] for item in drawn(list(items), pilot))
