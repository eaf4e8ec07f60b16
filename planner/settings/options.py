"""The options of a run: each is one field here, and every shape that it has elsewhere is read off that.

A field is a keyword of the Python API, typed. Its `Option` makes it a setting too (in the environment and in settings
files), a flag of the commands, a part of what is stored with a run, and a row of docs/reference.md. The class that it
stands in says who takes it:

    class          solve  evolve  Executor  resume
    LimitOptions     x      x        x        x      what the whole run may take
    RunOptions       x      x        x        x      how it runs from here on
    AgainOptions     x      x                 x      what its agent or its root says, and a resume can say instead
    AgentOptions    x      x                        what its agent or its root says
    FileOptions      x      x       (x)      (x)     where more of it is; the executor has other names for them
    PlaceOptions     x      x                        where and how things are kept
    SizeOptions      x               (x)      x      how far its goal is split, and when
    PlanOptions      x                               likewise
    OtherOptions                                     settings whose keywords take more, or another thing

To add an option, add a field. Knows no pydantic and no typer, so that help is quick.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from ramify.tasks.tree.bounds import MOST_AHEAD, SLOWEST_RATE

MOST_SEED = 2**63 - 1
"""The largest seed: servers keep it in 64 bits."""

Names = str | Iterable[str]
Words = tuple[str, ...]
Part = Literal["run", "limits", "plan", "task", "asking", "agent", "sampling", ""]
Group = Literal["running", "limits", "planning", "asking", "voting", "agents", "store", "working", "reusing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What there is to know of an option besides its name and its type; at most one of `at_least` and `above` is given.

    Attributes:
        about: what it means.
        default: what holds unless somebody says otherwise.
        part: what of a run it is a part of: its settings, where it is stored under its name; its limits; those of its
            plan; the config of its root; its agent, and how that asks, and draws its words; or nothing.
        stored: the name that it is stored and resumed under, if that is another.
        kind: its type as a setting, where that is not the keyword's; a text names one that settings know.
        flag: the words of its flag, such as "--jobs/-j"; its name unless given, and "" if it has none.
        group: the flags that it stands among.
        metavar: how help shows its value; "N" for a whole number.
        help: what help says, if not what the docs say.
        at_least, above, at_most: the bounds of a number.
        is_secret: whether it is left out where settings are shown.
    """

    about: str
    default: Any = None
    part: Part = "run"
    stored: str = ""
    kind: Any = None
    flag: str | None = None
    group: Group = "running"
    metavar: str | None = None
    help: str = ""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    is_secret: bool = False


def _limit(about: str, metavar: str | None = None, **more: Any) -> Option:
    return Option(about=about, part="limits", group="limits", metavar=metavar, **more)


def _plan(about: str, **more: Any) -> Option:
    return Option(about=about, part="plan", group="planning", **more)


def _asking(about: str, metavar: str | None = None, *, part: Part = "asking", **more: Any) -> Option:
    return Option(about=about, part=part, group="asking", metavar=metavar, **more)


def _setting(about: str, **more: Any) -> Option:
    return Option(about=about, part="", **{"flag": "", **more})


# fmt: off
class OtherOptions(TypedDict, total=False):
    """Settings whose keywords take more, or another thing."""

    model: Annotated[str | None, _setting(
        "the model's name, as `ramify models` lists them.", group="asking", flag="--model/-m", metavar="NAME",
        help="The model; `ramify models` lists some.")]
    agents: Annotated[Path | None, _setting(
        "agents that tasks can be assigned to, by name; settings files only: see docs/agents.md.", default={},
        kind="dict[str, dict[str, Any]]", group="agents", flag=None, metavar="FILE",
        help="A TOML file that describes agents.")]
    workers: Annotated[Mapping[str, Any] | None, _setting(
        "configuration of workers, by name; settings files only: see `ramify workers`.", default={},
        kind="dict[str, WorkerSettings]")]


class LimitOptions(TypedDict, total=False):
    """What a whole run may take: see `RunLimits`."""

    max_calls: Annotated[int | None, _limit(
        "the most model calls, counting those whose reply is rejected or lost.", at_least=1,
        help="The most model calls of the run.")]
    max_tokens: Annotated[int | None, _limit("the most input and output tokens of the run.", at_least=1)]
    max_cost_usd: Annotated[float | None, _limit("the most the run may cost, in US dollars.", "USD", above=0)]
    ask_at_usd: Annotated[float | None, _limit(
        "the cost at which to ask a person whether to continue, in US dollars.", "USD", above=0,
        flag="--ask-at", help="Ask a person at this cost whether to continue.")]
    max_seconds: Annotated[float | None, _limit(
        "the most seconds the run may take, from its start or resume.", "SECONDS", above=0,
        help="The most seconds the run may take.")]
    max_wait_seconds: Annotated[float | None, _limit(
        "how long to wait for a model that is unreachable or overloaded, in seconds.", "SECONDS",
        default=600.0, at_least=0, help="How long to wait for an unreachable model.")]


class RunOptions(LimitOptions, total=False):
    """How a run goes on from here."""

    jobs: Annotated[int | None, Option(
        about="the number of tasks that run in parallel.", default=8, at_least=1, at_most=10_000, group="asking",
        flag="--jobs/-j")]
    on_error: Annotated[Literal["continue", "partial", "stop"] | None, Option(
        about="what to do when a task fails: finish the tasks that do not need it, then fail (continue) or compose a"
        " partial answer (partial); or start nothing new (stop).",
        help="What to do when a task fails.", default="continue")]
    cache: Annotated[bool | None, Option(
        about="whether to reuse stored answers to the same request.",
        help="Reuse answers to the same requests from the store.", default=False, group="reusing",
        flag="--cache")]
    allow: Annotated[Names | None, Option(
        about="permissions of workers, such as network or secret:NAME; comma-separated in the environment.",
        help="Grant workers a permission: network, secret:NAME, ...; repeatable.", default=(), kind=Words,
        group="working", metavar="NAME")]
    engine: Annotated[str | None, Option(
        about="where functions and programs run: here (the default), process, dask (its own cluster), dask:ADDRESS, or"
        " a package's engine; a worker's own engine comes first: see docs/engines.md.",
        help="Where functions run: here, process, dask, dask:ADDRESS.", group="working", metavar="NAME")]
    assume: Annotated[bool | None, Option(
        about="whether to let the model make assumptions about an ambiguous goal, instead of asking a person.",
        help="Make assumptions if the goal is ambiguous; do not ask.", default=False, group="planning",
        flag="--assume")]


class AgainOptions(TypedDict, total=False):
    """What the agent of a run or its root says, and who resumes it can say instead."""

    base_url: Annotated[str | None, _asking(
        "the address of an OpenAI-compatible server.", "URL",
        help="The address of an OpenAI-compatible server; it ends in /v1.")]
    recovery: Annotated[Literal["retry", "split", "replan"] | None, Option(
        about="what to try before a task fails: retry it (the default), then also split it, then also replan the tasks"
        " around it.", part="task",
        help="What to try before a task fails: retry, then split, then replan.")]
    max_turns: Annotated[int | None, _asking(
        "the most replies in one conversation with tools.", part="task", at_least=2,
        help="The most replies in one conversation with tools.")]
    conversation: Annotated[Literal["chain", "fresh"] | None, Option(
        about="whether a leaf continues the conversation of a leaf it depends on, which saves cached tokens (chain), or"
        " starts a new one (fresh, the default).", part="task", group="asking",
        help="Continue the conversation of a leaf's dependency, or start fresh.")]
    composing: Annotated[Literal["steps", "read"] | None, Option(
        about="how to compose results that do not fit into one prompt: in steps (the default), or by letting the model"
        " read them with a tool (read).", part="task", group="asking",
        help="How to compose results too long for one prompt.")]
    vote_ahead: Annotated[int | None, Option(
        about="ask each leaf's question until one answer leads by this many votes.", part="task", group="voting",
        metavar="K", at_least=1, at_most=MOST_AHEAD,
        help="Ask each leaf's question until one answer leads by K votes.")]


class SamplingOptions(TypedDict, total=False):
    """How a model draws its replies; what nobody gives is not sent, as some models refuse it."""

    temperature: Annotated[float | None, _asking(
        "the sampling temperature; default: the server's.", "NUMBER",
        part="sampling", at_least=0, at_most=2)]
    top_p: Annotated[float | None, _asking(
        "nucleus sampling: draw from the likeliest tokens with this total probability.", "NUMBER", part="sampling",
        above=0, at_most=1)]
    seed: Annotated[int | None, _asking(
        "the sampling seed, for servers that support it; voted answers use seed, seed + 1, ...", part="sampling",
        metavar="N", at_least=-MOST_SEED - 1, at_most=MOST_SEED,
        help="The sampling seed, for servers that support it.")]
    max_output_tokens: Annotated[int | None, _asking(
        "the most tokens of any reply; a longer one is asked for once more, shorter.", "N", part="sampling",
        at_least=1)]


class AgentOptions(TypedDict, total=False):
    """How an agent asks: the fields of `AgentSettings`, and of what is stored of an agent."""

    system: Annotated[str | None, _asking(
        "your own system prompt, placed before Ramify's.", "TEXT", part="agent")]
    language: Annotated[str | None, _asking("the language of the answers.", "NAME", part="agent")]
    examples: Annotated[Literal["none", "few", "many"] | None, _asking(
        "how many examples to show in prompts; many is for strong models.", part="agent", default="none",
        help="How many examples to show in prompts.")]
    timeout_s: Annotated[float | None, _asking(
        "how long to wait for one reply, in seconds.", "SECONDS", part="agent", default=600.0, above=0)]
    constrain: Annotated[Literal["auto", "always", "never"] | None, _asking(
        "whether to constrain plans, verdicts and answers to JSON schemas; auto does so if the server supports it, and"
        " tries once if that is unknown.", part="agent", default="auto",
        help="Whether to constrain replies to JSON schemas.")]
    window: Annotated[int | None, _asking(
        "the model's context window in tokens, including its reply; default: what the server reports, or up to 8,192"
        " for a `gguf:` model.", "N", part="agent", at_least=256,
        help="The model's context window, in tokens.")]
    parts: Annotated[bool | None, _asking(
        "whether to split documents that are too long for the model into parts, or refuse them.", part="agent",
        default=True, flag="--parts/--no-parts", help="Split documents that are too long into parts, or refuse them.")]
    max_plan_tokens: Annotated[int | None, _asking(
        "the most tokens of one plan; default: 400 plus 150 per possible task, unless max_output_tokens is set or the"
        " model reasons.", "N", part="agent", at_least=1, help="The most tokens of one plan.")]
    max_verdict_tokens: Annotated[int | None, _asking(
        "the most tokens of one verdict on an answer; default: 1,500, unless max_output_tokens is set or the model"
        " reasons.", "N", part="agent", at_least=1, help="The most tokens of one verdict on an answer.")]
    max_answer_tokens: Annotated[int | None, _asking(
        "the most tokens of one answer, composed ones included; default: the server's limit.", "N",
        part="agent", at_least=1, help="The most tokens of one answer.")]
    stop_runaway: Annotated[bool | None, _asking(
        "whether to stop replies that repeat themselves endlessly or plan far too many tasks.", part="agent",
        default=True, flag="--stop-runaway/--no-stop-runaway",
        help="Whether to stop replies that repeat themselves endlessly.")]
    native_tools: Annotated[bool | None, _asking(
        "whether to use the model's native tool calls; default: if it is known to support them.", part="agent",
        flag="--native-tools/--no-native-tools", help="Whether to use the model's native tool calls.")]
    tool_choice: Annotated[str | None, _asking(
        "which tool to call before answering: auto, required (any), none, or a tool's name.", "NAME",
        part="agent", default="auto", help="Which tool to call first: auto, required, none, or its name.")]


class AskingOptions(AgentOptions, SamplingOptions, total=False):
    """What an agent says of how it asks, and the root of its tasks."""

    prompts: Annotated[str | Path | None, _asking(
        "a folder of prompt templates that replace built-in ones.", "DIR", kind=Path)]
    requests_per_second: Annotated[float | None, _asking(
        "the most model calls started per second.", "NUMBER", part="task", at_least=SLOWEST_RATE,
        help="The most model calls started per second.")]


class FileOptions(TypedDict, total=False):
    """Python files that define more; see `SourceOptions`."""

    worker_files: Annotated[Names | None, Option(
        about="Python files or modules with workers; comma-separated in the environment.",
        help="A Python file or module with workers; repeatable.", default=(), stored="worker_sources", kind=Words,
        group="working", flag="--workers", metavar="FILE")]
    tool_files: Annotated[Names | None, Option(
        about="Python files or modules with tools, or mcp:NAME; comma-separated in the environment.",
        help="A Python file or module with tools, or mcp:NAME; repeatable.", default=(), stored="tool_sources",
        kind=Words, group="working", flag="--tools", metavar="FILE")]


class SourceOptions(TypedDict, total=False):
    """What `Executor` and its `resume` call the files of `FileOptions`; so they are stored too."""

    worker_sources: Names | None
    tool_sources: Names | None


class PlaceOptions(TypedDict, total=False):
    """Where and how things are kept, and what is told of a run."""

    store: Annotated[str | Path | None, _setting(
        "the database: a file or a URL.", kind=str, is_secret=True, flag=None, group="store", metavar="PLACE",
        help="The store: a file or database URL; default: .ramify/ramify.db.")]
    synchronous: Annotated[Literal["FULL", "NORMAL", "OFF"] | None, _setting(
        "whether a commit survives a power cut: see docs/durability.md.", default="FULL")]
    embedding_model: Annotated[str | None, _setting(
        "the model of `embed` tasks; `hashing` is built in and is not a language model.")]
    otel: Annotated[bool | None, _setting(
        "whether to send OpenTelemetry spans: see docs/events.md.", default=False)]
    otel_content: Annotated[bool | None, _setting(
        "whether spans contain the texts of tasks, prompts and replies.", default=False)]
    mcp: Annotated[Mapping[str, Any] | None, _setting(
        "MCP servers, by name; settings files only: see docs/tools.md.", default={},
        kind="dict[str, ServerSettings]")]


class SizeOptions(TypedDict, total=False):
    """When tasks are split, and how many there may be; who resumes a run can say it anew."""

    policy: Annotated[str | Any | None, _plan(
        "when to split tasks: upfront (the default), as_needed, streaming, direct, or a package's policy by name; in"
        " Python also your own class or object.", kind=str,
        metavar="NAME", help="When to split tasks: upfront, as_needed, streaming, direct.")]
    methods: Annotated[str | Path | None, _plan(
        "the folder of methods; default: `.ramify/methods`, if it exists; `none` for none.", kind=Path, metavar="DIR",
        help="The folder of methods; `none` for none.")]
    max_tasks: Annotated[int | None, _plan(
        "the most tasks in the tree, including the root.", default=200, at_least=1,
        help="The most tasks in the tree.")]


class PlanOptions(SizeOptions, total=False):
    """How a goal is split."""

    split: Annotated[Literal["auto", "always", "never"] | None, _plan(
        "which tasks to ask the model to split; auto skips those that clearly need no splitting.",
        default="auto", help="Which tasks to ask the model to split.")]
    max_depth: Annotated[int | None, _plan(
        "the deepest level of the tree; the root is level 1, so 1 splits nothing.", default=3, at_least=1,
        help="The deepest level of the tree; the root is level 1.")]
    max_children: Annotated[int | None, _plan("the most subtasks of a task.", default=12, at_least=2)]


# fmt: on


class SharedOptions(AgainOptions, AskingOptions, RunOptions, FileOptions, PlaceOptions, total=False):
    """What every run can be given."""


class ResumedOptions(RunOptions, AgainOptions, SizeOptions, SourceOptions, total=False):
    """What a run can be resumed with instead of what it had."""

    stop_runaway: bool | None


class Entry(NamedTuple):
    """An option with its name and its type as a keyword."""

    name: str
    type: Any
    option: Option

    @property
    def stored_as(self) -> str:
        """The name that it is stored and resumed under."""
        return self.option.stored or self.name


def _table(*classes: type) -> dict[str, Entry]:
    found = {}
    for each in classes:
        for name, hint in each.__annotations__.items():
            found[name] = Entry(name, hint.__origin__, hint.__metadata__[0])
    return found


OPTIONS = _table(OtherOptions, SharedOptions, PlanOptions)
"""Every option, by its name."""

RESUMABLE = tuple(name for name in OPTIONS if OPTIONS[name].stored_as in ResumedOptions.__annotations__)
"""The names of those that a run can be resumed with."""

STORED = {
    entry.stored_as: entry
    for name, entry in OPTIONS.items()
    if entry.option.part == "run" or (entry.option.part == "task" and name in RESUMABLE)
}
"""What is stored of a run besides its plan, its limits and its agent, by the name that it has there."""


def options_of(part: Part) -> dict[str, Entry]:
    """Return the options that are of a part of the run."""
    return {name: entry for name, entry in OPTIONS.items() if entry.option.part == part}
