"""Checking an answer: in which order, what is recorded of it, and what becomes of an answer that does not pass.

Whatever costs little and is certain comes first, and all of it is done, so that whoever answers learns of every fault
at once; a model looks only at what has passed. "Unsure" does not count against an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ramify.planner.asking.asker import Asker
from ramify.planner.asking.budget import Configs
from ramify.planner.errors import CheckFailedError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.work.protocol import Outcome
from ramify.tasks import ReplyError, Task
from ramify.tasks.checks import KINDS, Check
from ramify.tasks.json_schemas import misfits
from ramify.tasks.patterns import is_found
from ramify.tasks.replies.json_answers import read_json_answer

from .commands import judge_by_command
from .findings import Finding
from .predicates import Predicate
from .verifying import judge_by_model

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent


class Checker:
    """Checks the answers of one run.

    Args:
        recorder: writes what was found.
        configs: the limits of each task.
        asker: asks the run's own agent.
        asker_of: returns what asks another agent, under the same limits.
        call: calls a function for a task.
        predicate_of: returns the function of a name that a check of a task calls.
    """

    def __init__(
        self,
        recorder: Recorder,
        configs: Configs,
        *,
        asker: Asker,
        asker_of: "Callable[[Agent], Asker]",
        call: Callable[..., Awaitable[Any]],
        predicate_of: Callable[[str, Task], Predicate],
    ) -> None:
        self._recorder = recorder
        self._configs = configs
        self._asker = asker
        self._asker_of = asker_of
        self._call = call
        self._predicate_of = predicate_of
        self._judges: dict[str, Agent] = {}

    async def passed(self, task: Task, outcome: Outcome) -> Outcome:
        """Return `outcome` if it passes all checks of `task`; with a schema, its output is the value that was read.

        Raises:
            CheckFailedError: if it does not pass; the message says why.
            UsageError: if a check cannot be carried out.
        """
        checked: list[str] = []
        complaints: list[str] = []
        failed: list[Check] = []
        for check in sorted(task.checks, key=lambda each: KINDS.index(each.kind)):
            if failed and check.kind == "verify":
                break
            if check.json_schema is not None:
                outcome, finding = self._read(check, outcome)
            else:
                finding = await self._judge(check, task, outcome, checked)
            self._record(task, check, finding)
            checked.append(f"{check.words}: {finding.outcome}")
            if finding.outcome == "fail":
                failed.append(check)
                complaints.append(f"the check `{check.words}`: {finding.complaint}")
        if failed:
            raise CheckFailedError(
                f"the answer to task {task.id} does not pass {'; '.join(complaints)}",
                task_id=task.id,
                answer=outcome.text,
                kinds=tuple(check.kind for check in failed),
            )
        return outcome

    def _read(self, check: Check, outcome: Outcome) -> tuple[Outcome, Finding]:
        """Return the outcome with the value that its text is, and whether that fits the schema."""
        if outcome.output is None:
            try:
                value, text = read_json_answer(outcome.text)
            except ReplyError as error:
                return outcome, Finding("fail", error.complaint)
            outcome = replace(outcome, output=value, text=text)
        return outcome, Finding.of("; ".join(misfits(check.json_schema, outcome.output)))

    async def _judge(self, check: Check, task: Task, outcome: Outcome, checked: list[str]) -> Finding:
        config = self._configs.of(task)
        if check.matches is not None:
            return await asyncio.to_thread(_search, check.matches, outcome.text)
        if check.predicate is not None:
            known = self._predicate_of(check.predicate, task)
            return await known.judge(partial(self._call, task), outcome.text, outcome.output, task)
        if check.command is not None:
            return await judge_by_command(check, outcome.text, max_memory_mb=config.max_memory_mb)
        asker = self._asker_of(self._judge_agent(check.model)) if check.model else self._asker
        return await judge_by_model(check, outcome.text, task, asker=asker, config=config, checked=checked)

    def _judge_agent(self, model: str) -> "Agent":
        if model not in self._judges:
            self._judges[model] = self._asker.agent.with_model(model)
        return self._judges[model]

    def _record(self, task: Task, check: Check, finding: Finding) -> None:
        complaint: dict[str, Any] = {"complaint": finding.complaint} if finding.complaint else {}
        self._recorder.put(
            EventType.CHECKED, task, check=check.words, outcome=finding.outcome, attempt=task.attempts + 1, **complaint
        )


def _search(pattern: str, text: str) -> Finding:
    try:
        return Finding.of("" if is_found(pattern, text) else "it does not match")
    except ValueError as error:
        return Finding("fail", str(error))
