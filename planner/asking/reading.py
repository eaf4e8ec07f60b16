"""What becomes of what a model cannot read at once: documents are read in parts, and results composed in steps."""

from collections.abc import Sequence

from ramify.planner.errors import TooLongError
from ramify.prompts import Material
from ramify.prompts.blocks import DEFAULT_BUDGET, cut
from ramify.prompts.variables import ComposeVariables, ExecuteVariables
from ramify.tasks import Task
from ramify.tasks.counting import counted
from ramify.tasks.parts import Room, asked_of_part, parts_of, tasks_of_parts
from ramify.tasks.prompt_variables import GOAL_LENGTH, materials_of
from ramify.tasks.tree.node import walk_up

from .agent import Agent
from .asker import Asker
from .windows import SMALLEST_BUDGET

_LABEL = "part 1000 of 1000 of "
RESULT_HEAD = 150
"""Bytes that the delimiters of a result and its request take."""


def reads_whole(materials: Sequence[Material], agent: Agent) -> bool:
    """Return whether a prompt shows documents that the model of `agent` reads: all of them, or it is not asked.

    A person may leaf through them, and a model that is none of language does not read prompts.
    """
    return bool(materials) and reads_words(agent)


def reads_words(agent: Agent) -> bool:
    """Return whether the model of `agent` reads the words of prompts, and has to in one go."""
    is_person = getattr(agent.model, "is_person", False)
    return not is_person and getattr(agent.model, "prompt_budget", DEFAULT_BUDGET) is not None


def read_in_parts(task: Task, asker: Asker, variables: ExecuteVariables, error: TooLongError) -> list[Task]:
    """Return subtasks that read the documents of `task` in parts; none if they fit into the prompt that does it.

    Args:
        task: the task.
        asker: who cannot read it at once.
        variables: what the prompt is made from that does the task.
        error: what was said of its length.

    Raises:
        TooLongError: if documents are not to be read in parts, or nothing is left for them besides what else is shown.
    """
    materials = materials_of(task)
    parts = asker.fitter.recorded_parts.get(task.id)
    if parts is None:
        room = asker.room(bare_of_parts(task, variables))
        if room.fits(materials):
            return []
        _check(asker.agent, task, room, error)
        parts = parts_of(materials, room)
    return tasks_of_parts(task, parts)


def bare_of_parts(task: Task, variables: ExecuteVariables) -> ExecuteVariables:
    """Return what the prompts of subtasks that read parts are made from, with a document that is empty."""
    root = [task, *walk_up(task)][-1]
    name = max((each.name for each in materials_of(task)), key=len)
    return variables.model_copy(
        update={
            "task": asked_of_part(task.content, _LABEL + name),
            "root_goal": cut(root.content, GOAL_LENGTH),
            "materials": (Material(name=name, text=""),),
            "format": None,
            "last_error": None,
        }
    )


def _check(agent: Agent, task: Task, room: Room, error: TooLongError) -> None:
    names = ", ".join(f"{each.name} ({counted(len(each.text), 'character')})" for each in materials_of(task))
    way_out = "attach less, or use a model with a larger window"
    if not agent.settings.parts:
        raise TooLongError(f"{error}; --no-parts forbids reading {names} in parts: leave it out, {way_out}")
    if min(room) < SMALLEST_BUDGET:
        raise TooLongError(f"{error}; the rest of the prompt leaves no room for any part of {names}: {way_out}")


class Steps:
    """How many results the prompts of one composition show.

    Args:
        asker: who is asked.
        whole: what is composed.

    Attributes:
        budget: the most characters of results in one prompt; None is no limit.
        head: how many of these each result takes besides its own.
        may_be_smaller: whether prompts that are too long can show fewer; otherwise results are shortened.
    """

    def __init__(self, asker: Asker, whole: ComposeVariables) -> None:
        self._asker = asker
        self._whole = whole
        self.budget: int | None = getattr(asker.agent.model, "prompt_budget", DEFAULT_BUDGET)
        self.head = 0
        self.may_be_smaller = self.budget is not None
        if (steps := asker.steps_of(whole.task_id)) is not None:
            self._set(steps)

    def make_smaller(self) -> None:
        """Show fewer results in each prompt, as one was too long: as many as fit, or at least half as many."""
        room = self._asker.room(self._whole.model_copy(update={"children": ()}))
        budget = self.budget or DEFAULT_BUDGET
        fitting = min(room)
        self._set(fitting if SMALLEST_BUDGET <= fitting < budget and not self.head else budget // 2)

    def _set(self, budget: int) -> None:
        self.budget, self.head = budget, RESULT_HEAD
        self.may_be_smaller = budget > SMALLEST_BUDGET
        self._asker.note_steps(self._whole.task_id, budget)
