"""The plan of one task while it is being written: what of it is sure by now is attached at once, and only once.

A task is sure when its element is closed and all that it needs is there. The first one waits for the second, as a plan
of one task splits nothing; and where the goal names an order, all wait until one task needs another, or for the end.
What is attached stays, whatever comes after it: a reply that breaks off, or breaks a rule, is gone on with, by a
question for the tasks that are missing. Tasks that are there already, from a reply that had arrived before a crash or
from one that broke off, are known by their order and their words. Knows no loop and no store.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from ramify.planner.errors import HeardError
from ramify.planner.models.protocol import ModelReply
from ramify.tasks import ReplyError, Task, TaskState
from ramify.tasks.prompt_variables import next_child_number
from ramify.tasks.replies.grammar import Plan, PlanRules, PlanStream, parse_plan, plain_words
from ramify.tasks.replies.planned import PlannedTask, find_cycle
from ramify.tasks.replies.splitting import Around, split_of

from .worth import names_an_order

Attach = Callable[[Task, Sequence[Task]], object]
"""Puts new subtasks of a task into the tree."""


class Growth:
    """Hears the replies in which the plan of `task` is written.

    Args:
        task: the task that is split.
        attach: puts new subtasks of it into the tree.
        redact: blots secrets out of their words.
        is_live: whether they are attached before the plan is whole.

    Attributes:
        task: the task.
        there: the subtasks of its plan that are in the tree, in order.
        reached: how many of them the present reply, and what its question shows, account for.
    """

    def __init__(self, task: Task, attach: Attach, redact: Callable[[str], str] = str, *, is_live: bool = True) -> None:
        self.there = [
            child for child in task.subtasks if child.origin == "planned" and child.state is not TaskState.DELETED
        ]
        self.task = task
        self._attach = attach
        self._redact = redact
        self._is_live = is_live
        self._around = Around(())
        self._rules: PlanRules = {}
        self._begun = 0
        self.begins()

    @property
    def keeps(self) -> bool:
        """Whether something of the present reply is attached."""
        return self._new > 0

    def goes_on_from(self, head: Sequence[Mapping[str, Any]]) -> None:
        """Attach what a reply had given that broke off and is not recorded, unless something is there."""
        if head and not self.there:
            new = [Task(**fields) for fields in head]
            self.there += new
            self._attach(self.task, new)

    def expect(self, around: Around, *, begun: int, **rules: Unpack[PlanRules]) -> None:
        """Get ready for the reply to another question.

        Args:
            around: what the plan is made for.
            begun: how many of the tasks that are there the question shows; the reply gives those after them.
            rules: what the reply must keep.
        """
        self._around, self._begun, self._rules = around, begun, rules
        self.begins()

    def begins(self) -> None:
        """Hear a reply from its beginning."""
        self._stream = PlanStream(may_be_empty=self._begun > 0, **self._rules)
        self._given: list[PlannedTask] = []
        self._ids: dict[str, str] = {}
        self._has_heard = False
        self._is_other = False
        self._is_circular = False
        self._new = 0
        self.reached = self._begun

    def hears(self, words: str) -> None:
        """Attach the tasks that are sure now."""
        self._has_heard = True
        if not self._is_live or self._is_circular or not (given := self._stream.feed(words)):
            return
        self._given += given
        self._is_circular = bool(find_cycle({planned.key: planned.needs for planned in self._given}))
        if not self._is_circular and (new := self.rest(Plan(tasks=tuple(self._given)), is_whole=False)):
            self._attach(self.task, new)

    def read(self, reply: ModelReply) -> Plan:
        """Return the whole plan that a reply holds; what is sure of one that had arrived before is attached first.

        Raises:
            HeardError: if it holds none, or begins otherwise than what is attached, so that it has to be gone on with.
            ReplyError: if it holds none, and nothing is attached.
        """
        if not self._has_heard:
            self.hears(reply.text)
        try:
            plan = parse_plan(
                reply.text, finish_reason=reply.finish_reason, may_be_empty=self._begun > 0, **self._rules
            )
        except ReplyError as error:
            if self.there:
                raise HeardError(error) from error
            raise
        if self._is_other:
            self.reached = len(self.there)
            other = ReplyError("the plan does not begin with the existing tasks", reply=reply.text)
            raise HeardError(other) from other
        return plan

    def rest(self, plan: Plan, *, is_whole: bool = True) -> list[Task]:
        """Return new subtasks for what of a plan is not there; of one that is not whole yet, for what of it is sure."""
        repeated = {plain_words(child.content): child.id for child in self.there[: self._begun]}
        for planned in plan.tasks:
            if planned.key not in self._ids and (known := repeated.get(plain_words(planned.content))):
                self._ids[planned.key] = known
        fresh = [planned for planned in plan.tasks if self._ids.get(planned.key) not in repeated.values()]
        parts = split_of(Plan(tasks=tuple(fresh)), self._around, fewest=1 if self._begun else 2).tasks
        is_sure = (
            is_whole or self._begun or not names_an_order(self._around.goals[0]) or any(each.needs for each in parts)
        )
        return self._put(parts) if is_sure else []

    def _put(self, parts: Sequence[PlannedTask]) -> list[Task]:
        """Find the subtasks that `parts` are, and return new ones for the others; none if some are not as they were."""
        known = list(zip(parts, self.there[self._begun :], strict=False))
        self._is_other = any(child.content != self._redact(planned.content) for planned, child in known)
        if self._is_other:
            return []
        others, first = parts[len(known) :], next_child_number(self.task)
        self._ids |= {planned.key: child.id for planned, child in known}
        self._ids |= {planned.key: f"{self.task.id}.{number}" for number, planned in enumerate(others, first)}
        new = [
            Task(
                content=self._redact(planned.content),
                id=self._ids[planned.key],
                type=planned.type,
                dependencies=[self._ids.get(need, need) for need in planned.needs],
            )
            for planned in others
        ]
        self.there += new
        self._new += len(new)
        self.reached = max(self.reached, self._begun + len(parts))
        return new
