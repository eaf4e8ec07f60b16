"""The worker that all tasks without a type go to: the run's model, asked with the templates `execute` and `compose`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ramify.planner.asking.composing import compose
from ramify.planner.asking.reading import Steps, read_in_parts, reads_whole, reads_words
from ramify.planner.errors import TooLongError, UsageError, WorkFailedError
from ramify.planner.events.events import EventType
from ramify.planner.models.protocol import Model
from ramify.planner.tools.protocol import permissions_of
from ramify.planner.work.context import WorkContext
from ramify.planner.work.protocol import Outcome, Worker
from ramify.prompts import ComposeVariables, ExecuteVariables
from ramify.prompts.rendered import Message
from ramify.prompts.variables import TaskResult
from ramify.tasks import Task, TaskConfig
from ramify.tasks.checks import schema_of
from ramify.tasks.prompt_variables import compose_variables, execute_variables, is_part
from ramify.tasks.replies.by_schema import answer_schema
from ramify.tasks.replies.grammar import Answer

from .answers import read_answer, read_json
from .chains import CHAIN, chain_before
from .lengths import not_too_long
from .services import services_of
from .tool_choice import may_call_tools, required_of
from .votes import is_voted_on, voted_answer

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.asking.asker import Asker


class ModelWorker(Worker):
    """Has an agent's model do a task, in one call or with the agent's tools, and compose a parent's answer.

    Args:
        agent: whose model; the run's own agent if None.
        about: what it is good at; the agent's role unless given.
    """

    about = "asks the run's model"
    keeps = frozenset({"conversation", "vote_ahead", "max_samples", "max_answer_characters", "tool_choice"})

    def __init__(self, agent: "Agent | None" = None, *, about: str | None = None) -> None:
        self.agent = agent
        if about is not None or agent is not None:
            role = f"an agent in the role of {agent.role_name if agent else 'assistant'}"
            self.about = about or (agent.about if agent else None) or role

    def needs(self, task: Task) -> frozenset[str]:
        """Return the permissions of the agent's tools."""
        return frozenset() if self.agent is None else permissions_of(self.agent.tools)

    def check_asking(self, task: Task, config: TaskConfig, agent: "Agent") -> None:
        """Make sure that its agent, or else the run's own `agent`, can be asked as `config` says.

        Raises:
            UsageError: if a vote has nothing to decide, or a tool has to be called, and there are none.
        """
        asked = self.agent or agent
        is_voted_on(task, config, asked)
        may_call_tools(task, config, asked)

    @property
    def models(self) -> tuple[Model, ...]:
        """The agent's model, if it has an agent of its own."""
        return () if self.agent is None else (self.agent.model,)

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Ask the model for the task's answer.

        Raises:
            TooLongError: if it cannot read the task's documents at once; the error has the subtasks that read parts.
        """
        asker = self.asker(context)
        root = services_of(context).root
        shown = asker.agent.prompt_settings
        may_split = services_of(context).may_split(task)
        variables = execute_variables(
            task, root=root, inputs=context.inputs, seen=context.seen, may_split=may_split, **shown
        )
        try:
            if may_call_tools(task, context.config, asker.agent):
                return outcome_of(task, await answer_with_tools(context, asker, variables))
            answer = self._continued if context.config.conversation == CHAIN else self._answer
            return outcome_of(task, await answer(context, asker, variables))
        except TooLongError as error:
            parts = read_in_parts(task, asker, variables, error)
            raise TooLongError(str(error), parts=parts) from error

    async def _continued(self, context: WorkContext, asker: "Asker", variables: ExecuteVariables) -> Answer:
        """Return the answer in the conversation of a leaf before, or in one of its own if none fits."""
        chain = await chain_before(context, asker, variables)
        if chain is not None:
            try:
                return await self._answer(context, asker, chain.variables, chain.messages)
            except TooLongError:
                services_of(context).recorder.warn(
                    f"task {context.task.id} cannot continue the conversation of task {chain.task_id}: it is too long"
                    " for the"
                    " model with its own prompt; it starts a new one, with the result as data",
                    context.task,
                )
        return await self._answer(context, asker, variables, ())

    async def _answer(
        self,
        context: WorkContext,
        asker: "Asker",
        variables: ExecuteVariables,
        earlier: tuple[Message, ...] | None = None,
    ) -> Answer:
        task = context.task
        wanted = schema_of(task.checks)
        schema = None if wanted is None else answer_schema(wanted, has_steps=True, may_split=variables.may_split)
        read = read_answer if schema is None else read_json
        whole = bool(earlier) or reads_whole(variables.materials, asker.agent)

        async def ask(number: int, *, repairs: bool = False) -> Answer:
            return await asker.ask(
                task,
                variables,
                read,
                attempt=context.attempt,
                sample=context.first_sample + number,
                schema=schema,
                repairs=repairs,
                whole=whole,
                earlier=earlier,
            )

        if is_voted_on(task, context.config, asker.agent):
            return await voted_answer(context, ask)
        return not_too_long(await ask(0, repairs=True), context)

    async def compose(self, task: Task, context: WorkContext) -> Outcome:
        """Have the agent's own model compose the answer."""
        return await compose_by_model(context, self.asker(context))

    def asker(self, context: WorkContext) -> "Asker":
        """Return what asks its agent."""
        return services_of(context).asker if self.agent is None else services_of(context).asker_of(self.agent)


class HumanWorker(ModelWorker):
    """Has a person do a task: the prompt is shown in the terminal, and the answer read there."""

    def __init__(self) -> None:
        from ramify.planner.asking.agent import Agent

        super().__init__(Agent("human"), about="a person, who reads the task in the terminal and writes the answer")


async def answer_with_tools(context: WorkContext, asker: "Asker", variables: ExecuteVariables) -> Answer:
    """Return the answer of an agent that may have tools called.

    Raises:
        UsageError: if the task asks for a vote, or for a call of a tool that is not there.
        NotAllowedError: if a tool needs a permission that is not granted.
    """
    from .conversation import ToolLoop

    if context.config.vote_ahead is not None:
        raise UsageError(
            f"task {context.task.id}: vote_ahead repeats a question, but a conversation with tools runs only"
            " once; leave one out"
        )
    grants = context.services.grants
    grants.check(context.task, permissions_of(asker.agent.tools))
    tools = await services_of(context).toolbox.tools_of(asker.agent, grants)
    required = required_of(context, asker.agent, tools)
    is_native = await _calls_natively(context, asker)
    return await ToolLoop(context, asker, tools, variables, is_native=is_native, required=required).run()


async def _calls_natively(context: WorkContext, asker: "Asker") -> bool:
    """Return whether the model calls tools by itself; it is told where that is wished, and cannot be."""
    is_native = await asker.calls_tools()
    if asker.agent.settings.native_tools and not is_native:
        words = "the model's template does not support tools, so the server drops them; using `<call>` in the prompt"
        told = f"task {context.task.id} cannot use --native-tools: {words}"
        context.services.recorder.put(EventType.WARNING, context.task, message=told)
    return is_native


async def compose_by_model(context: WorkContext, asker: "Asker | None" = None) -> Outcome:
    """Have a model answer the context's task from its subtasks' results: the run's own unless `asker` is given."""
    asker = asker or services_of(context).asker
    return await _composed(context, asker, compose_variables(context.task, **asker.agent.prompt_settings))


async def join_by_model(context: WorkContext, worker: ModelWorker, answers: Sequence[TaskResult]) -> Outcome:
    """Have the agent of `worker` make one answer of several to the same task."""
    asker = worker.asker(context)
    variables = compose_variables(context.task, **asker.agent.prompt_settings)
    return await _composed(context, asker, variables.model_copy(update={"children": tuple(answers)}))


async def _composed(context: WorkContext, asker: "Asker", whole: ComposeVariables) -> Outcome:
    """Return what comes of composing: in more steps than one where the model cannot read all results at once."""
    task = context.task
    wanted = schema_of(task.checks)
    schema = None if wanted is None else answer_schema(wanted, has_steps=False)
    steps = Steps(asker, whole)
    reads = context.config.composing == "read" and reads_words(asker.agent) and not task.is_leaf

    async def ask(part: ComposeVariables) -> Answer:
        has_schema = schema is not None and part.format == whole.format
        return await asker.ask(
            task,
            part,
            read_json if has_schema else read_answer,
            attempt=context.attempt,
            schema=schema if has_schema else None,
            whole=reads or (steps.may_be_smaller and len(part.children) > 1),
        )

    if reads and asker.steps_of(task.id) is not None:  # as it was when the same was composed before
        return outcome_of(task, await _read(context, asker, whole, steps))
    while True:
        try:
            budget = None if reads else steps.budget
            return outcome_of(task, await compose(whole, ask, budget=budget, head=steps.head))
        except TooLongError:
            steps.make_smaller()
            if reads:
                return outcome_of(task, await _read(context, asker, whole, steps))


async def _read(context: WorkContext, asker: "Asker", whole: ComposeVariables, steps: Steps) -> Answer:
    from .reading_results import answer_by_reading

    is_native = await _calls_natively(context, asker)
    return await answer_by_reading(context, asker, whole, steps, is_native=is_native)


def outcome_of(task: Task, answer: Answer) -> Outcome:
    """Return what an answer means for its task; where the task reads a part of a document, nothing found is an answer.

    Raises:
        WorkFailedError: if the model said that it could not do the task.
    """
    if answer.failed is not None:
        reason, detail = answer.failed.reason, answer.failed.detail or "the model gave no reason"
        if reason == "missing_input" and is_part(task):
            return Outcome(f"Nothing is found here: {detail}", gaps=(f"nothing in {task.description}: {detail}",))
        question = answer.failed.detail if reason == "ambiguous" else ""
        raise WorkFailedError(answer.failed.words, task_id=task.id, reason=reason, question=question)
    return Outcome(answer.text, gaps=answer.gaps)
