"""What each template is given: one pydantic model a template, its fields the only names that the template may use."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .whole_text import Text

Examples = Literal["none", "few", "many"]
"""How many examples a prompt shows: none for reasoning models, few for strong ones, many for weak ones."""

EvolveMethod = Literal["constraint", "deepen", "concretise", "reasoning", "breadth"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Material(_Data):
    """A document that the user attached: data, never instructions.

    A task with attached parts sees only these parts of the documents attached above it.

    Attributes:
        name: the file's name, as the user gave it.
        text: its text; empty if it is a part.
        part: which characters of the document of that name attached above, from 0; None for a whole document.
    """

    name: Text
    text: Text
    part: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_part(cls, data: Any) -> Any:
        """Let a part be written without a text, which it has none of."""
        return {**data, "text": ""} if isinstance(data, dict) and data.get("part") and "text" not in data else data

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        if self.part is None:
            return {"name": self.name, "text": self.text}
        return {"name": self.name, "part": list(self.part)}


class WorkerCard(_Data):
    """A worker that a task can be given to.

    Attributes:
        type: what `type="..."` in a reply must say to choose it.
        description: what it can do, in a line.
        is_agent: whether it can work on a task together with others of its kind.
    """

    type: str
    description: str
    is_agent: bool = False


class TaskResult(_Data):
    """A task and what came of it.

    Attributes:
        id: the task's id.
        content: what was to be done.
        state: its state, by name.
        result: its answer; empty if there is none.
    """

    id: str
    content: str
    state: str = "DONE"
    result: str = ""


class ToolCard(_Data):
    """A tool that a model may have called.

    Attributes:
        name: what a call names it by.
        description: what it does.
        parameters: the JSON schema of its arguments, as JSON text.
    """

    name: str
    description: str
    parameters: str


class ToolOutcome(_Data):
    """What came of one call of a tool.

    Attributes:
        tool: the tool's name.
        number: which of the calls of one reply it was, from 1.
        text: what came of it.
        is_error: whether it failed; the text says why.
    """

    tool: str
    number: int
    text: str
    is_error: bool = False


class PromptVariables(_Data):
    """What every template is given.

    Attributes:
        task_id: the task that the call is made for.
        language: the language that the answer is to be written in; None leaves it to the goal's own.
        own_language: the goal's own, as far as its words tell.
        instructions: the user's own system prompt, put before the template's; None if there is none.
        examples: how many examples to show.
        as_json: whether the reply is to be JSON, as its schema is sent along, instead of tags.
        template: the template's name.
        parts: blocks of the template besides those that every template has.
    """

    template: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = ()

    task_id: str
    language: str | None = None
    own_language: str | None = None
    instructions: str | None = None
    examples: Examples = "few"
    as_json: bool = False


class DecomposeVariables(PromptVariables):
    """For `decompose`: split a goal only if that helps.

    Attributes:
        goal: what is to be done.
        ancestors: the goals above it, the root's first.
        siblings: what its sibling tasks are about.
        workers: available workers; empty if there is only the model.
        depth_left: how many more levels may be split; 0 on the last.
        max_tasks: the most tasks that the reply may hold.
        results: results that the goal builds on.
        materials: attached documents.
        inputs: named arguments, as JSON text.
        tried: why the goal failed whole; None if that was not tried.
        begun: existing tasks of its plan by id; only the rest is asked for.
        fault: what was wrong with the previous rest, or None.
        plan: the current plan, if another is wanted, one task per line.
        revisions: what the person wants of the plan, oldest first.
    """

    template = "decompose"

    goal: str
    ancestors: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()
    workers: tuple[WorkerCard, ...] = ()
    depth_left: Annotated[int, Field(ge=0)] = 0
    max_tasks: Annotated[int, Field(ge=1)] = 8
    results: tuple[TaskResult, ...] = ()
    materials: tuple[Material, ...] = ()
    inputs: dict[str, str] = Field(default_factory=dict)
    tried: str | None = None
    begun: dict[str, str] = Field(default_factory=dict)
    fault: str | None = None
    plan: str | None = None
    revisions: tuple[str, ...] = ()


class FitVariables(PromptVariables):
    """For `fit`: say what the parameters of a method stand for in a goal, or that it does not fit.

    Attributes:
        goal: what is to be done.
        pattern: the goals that the method is for, with the names of its parameters in braces.
        parameters: words about each parameter, by name; the name itself where nobody has said anything.
        tasks: the tasks of the method, with the names of parameters in braces.
    """

    template = "fit"

    goal: str
    pattern: str
    parameters: dict[str, str]
    tasks: tuple[str, ...] = ()


class ExecuteVariables(PromptVariables):
    """For `execute`: do one leaf.

    Attributes:
        task: what is to be done.
        root_goal: the run's goal, shortened if very long; empty if the task is the goal.
        needs: its dependencies, with results.
        materials: attached documents.
        inputs: named arguments, as JSON text.
        format: the checks of the result; None if there are none.
        last_error: what was wrong with the previous attempt; None on the first.
        may_split: whether the task can be split if it is too big.
        continues: whether it continues a conversation with the results it needs.
    """

    template = "execute"

    task: str
    root_goal: str = ""
    needs: tuple[TaskResult, ...] = ()
    materials: tuple[Material, ...] = ()
    inputs: dict[str, str] = Field(default_factory=dict)
    format: str | None = None
    last_error: str | None = None
    may_split: bool = False
    continues: bool = False


class ComposeVariables(PromptVariables):
    """For `compose`: answer a task from its subtasks.

    Attributes:
        goal: what the parent is to answer.
        children: its subtasks in order, without failed ones.
        clarified: what was asked about the run's goal, with the answers or assumptions.
        missing: failed parts and why, one line each.
        format: the form of the answer; None leaves it to the goal.
        last_error: what was wrong with the previous attempt; None on the first.
    """

    template = "compose"

    goal: str
    children: tuple[TaskResult, ...]
    clarified: tuple[Material, ...] = ()
    missing: tuple[str, ...] = ()
    format: str | None = None
    last_error: str | None = None


class VerifyVariables(PromptVariables):
    """For `verify`: find a requirement that a result does not meet.

    Attributes:
        goal: what was to be done.
        result: what came of it.
        criteria: what the result has to fulfil besides, in the user's words.
        checks: what programs have found out about the result already, a line each.
        needs: the results that it was to be made from.
        materials: the documents that it was to be made from.
    """

    template = "verify"

    goal: str
    result: str
    criteria: str
    checks: tuple[str, ...] = ()
    needs: tuple[TaskResult, ...] = ()
    materials: tuple[Material, ...] = ()


class EvolveVariables(PromptVariables):
    """For `evolve`: make one harder or fresh variant of a task.

    Attributes:
        task: the task to start from.
        method: how the new one differs.
    """

    template = "evolve"

    task: str
    method: EvolveMethod = "deepen"


class ReplanVariables(PromptVariables):
    """For `replan`: change what is open of a plan after something in it has failed.

    Attributes:
        goal: what the plan is for.
        ancestors: the goals above it, the root's first.
        done: the tasks of the plan that are done, with their results.
        failed: those that failed; the result of each is why.
        open: those that have not begun, a line each, with what they need.
        given_up: what was to be done before, and is not tried again in these words.
        workers: available workers; empty if there is only the model.
        may_split: whether a task may be split into tasks below it.
        max_tasks: the most new tasks.
    """

    template = "replan"

    goal: str
    ancestors: tuple[str, ...] = ()
    done: tuple[TaskResult, ...] = ()
    failed: tuple[TaskResult, ...] = ()
    open: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    workers: tuple[WorkerCard, ...] = ()
    may_split: bool = False
    max_tasks: Annotated[int, Field(ge=1)] = 8


class SteerVariables(PromptVariables):
    """For `steer`: change what is open of a plan that is being carried out, as the person wants who set the goal.

    Attributes:
        goal: what the plan is for.
        revisions: what the person wants of the plan, in words, the last ones last.
        done: the tasks of the plan that are done, with their results.
        failed: those that had failed and are open again; the result of each is why.
        open: those that are open, a line each, with what they are a part of, and need; the first one is the goal.
        workers: available workers; empty if there is only the model.
        may_split: whether a task may be split into tasks below it.
        max_tasks: the most new tasks.
    """

    template = "steer"

    goal: str
    revisions: tuple[str, ...]
    done: tuple[TaskResult, ...] = ()
    failed: tuple[TaskResult, ...] = ()
    open: tuple[str, ...] = ()
    workers: tuple[WorkerCard, ...] = ()
    may_split: bool = False
    max_tasks: Annotated[int, Field(ge=1)] = 8


class RepairVariables(PromptVariables):
    """For `repair`: express a malformed reply again in the right form.

    Attributes:
        contract: the form that was asked for.
        complaint: what the parser found wrong.
        reply: the reply, whole.
    """

    template = "repair"

    contract: str
    complaint: str
    reply: str


class ToolsVariables(PromptVariables):
    """For `tools`: what is added to `execute` where there are tools, and how a conversation with them goes on.

    The block `outcomes` tells what came of calls, the block `error` what was wrong with a reply.

    Attributes:
        tools: the tools.
        is_native: whether the model calls tools by itself, without `<call>` elements.
        required: which tool has to be called before the result: "`NAME`", or "a tool"; None if none has to be.
        outcomes: what came of the calls.
        complaint: what was wrong with the reply.
        is_last: whether no more tools can be called.
    """

    template = "tools"
    parts = ("outcomes", "error")

    tools: tuple[ToolCard, ...]
    is_native: bool = False
    required: str | None = None
    outcomes: tuple[ToolOutcome, ...] = ()
    complaint: str = ""
    is_last: bool = False
