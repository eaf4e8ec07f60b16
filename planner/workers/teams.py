"""Several agents on one task: each answers and sees the answers before its own; the first one joins them.

They answer one after the other, in the order in which the task's type names them (`writer+critic`), so that each can
put right what came before it. What one cannot do is shown as failed to the others; if none can, the task has failed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ramify.planner.errors import UsageError, WorkFailedError
from ramify.planner.work.protocol import Outcome, Worker
from ramify.prompts.variables import TaskResult
from ramify.tasks import Task, TaskConfig

from .model import ModelWorker, join_by_model

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.models.protocol import Model
    from ramify.planner.work.context import WorkContext

JOINT = "+"
"""What stands between the names of agents that work on one task together."""


class TeamWorker(Worker):
    """Has several agents do a task together.

    Args:
        members: the agents by name, in order.

    Raises:
        UsageError: if one of them is no agent.
    """

    keeps = ModelWorker.keeps

    def __init__(self, members: Mapping[str, Worker]) -> None:
        self._members: dict[str, ModelWorker] = {}
        for name, member in members.items():
            if not isinstance(member, ModelWorker):
                raise UsageError(f"{name!r} is not an agent, and only agents can share a task")
            self._members[name] = member
        self.about = f"{', '.join(members)} together: each answers, and {next(iter(members))} combines the answers"

    def needs(self, task: Task) -> frozenset[str]:
        """Return what any of the agents needs."""
        return frozenset[str]().union(*(member.needs(task) for member in self._members.values()))

    def check_asking(self, task: Task, config: TaskConfig, agent: "Agent") -> None:
        """Make sure that each of the agents can be asked as `config` says."""
        for member in self._members.values():
            member.check_asking(task, config, agent)

    @property
    def models(self) -> "tuple[Model, ...]":
        """The models of all agents."""
        return tuple(model for member in self._members.values() for model in member.models)

    async def perform(self, task: Task, context: "WorkContext") -> Outcome:
        """Ask each agent, then have the first one join the answers."""
        answers: list[TaskResult] = []
        failures: list[WorkFailedError] = []
        for number, (name, member) in enumerate(self._members.items()):
            try:
                outcome = await member.perform(task, context.beside(answers, number))
            except WorkFailedError as error:
                failures.append(error)
                answers.append(_answer_of(name, "FAILED", ""))
            else:
                answers.append(_answer_of(name, "DONE", outcome.text))
        if len(failures) == len(answers):
            raise failures[0]
        return await join_by_model(context, next(iter(self._members.values())), answers)

    async def compose(self, task: Task, context: "WorkContext") -> Outcome:
        """Have the first agent compose the answer."""
        return await next(iter(self._members.values())).compose(task, context)


def _answer_of(name: str, state: str, result: str) -> TaskResult:
    return TaskResult(id=name, content=f"The answer of the agent {name} to the same task.", state=state, result=result)
