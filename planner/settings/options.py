"""The options of a run: each is one field here, and every shape that it has elsewhere is read off that.

A field is a keyword of the Python API, typed. Its `Option` makes it a setting too (in the environment and in settings
files), a flag of the commands, a part of what is stored with a run, and a row of docs/settings.md. The class that it
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
        "the agents that tasks can be given to, by name: see docs/agents.md; in settings files only.", default={},
        kind="dict[str, dict[str, Any]]", group="agents", flag=None, metavar="FILE",
        help="A TOML file with agents that tasks are given to.")]
    workers: Annotated[Mapping[str, Any] | None, _setting(
        "how single workers are set up, by name: see `ramify workers`; in settings files only.", default={},
        kind="dict[str, WorkerSettings]")]


class LimitOptions(TypedDict, total=False):
    """What a whole run may take: see `RunLimits`."""

    max_calls: Annotated[int | None, _limit(
        "model calls that are sent, also those whose reply is refused or never comes.", at_least=1,
        help="Model calls of the run.")]
    max_tokens: Annotated[int | None, _limit("input and output tokens of the run.", at_least=1)]
    max_cost_usd: Annotated[float | None, _limit("known cost of the run, in US dollars.", "USD", above=0)]
    ask_at_usd: Annotated[float | None, _limit(
        "known cost at which a person is asked whether the run goes on, in US dollars.", "USD", above=0,
        flag="--ask-at", help="Known cost at which a person is asked.")]
    max_seconds: Annotated[float | None, _limit(
        "how long the run may take, from when it is started or resumed, in seconds.", "SECONDS", above=0,
        help="How long the run may take.")]
    max_wait_seconds: Annotated[float | None, _limit(
        "how long to wait for a model that cannot be reached or refuses, without a break, in seconds.", "SECONDS",
        default=600.0, at_least=0, help="How long to wait for a model that is out of reach.")]


class RunOptions(LimitOptions, total=False):
    """How a run goes on from here."""

    jobs: Annotated[int | None, Option(
        about="tasks that run at the same time.", default=8, at_least=1, at_most=10_000, group="asking",
        flag="--jobs/-j")]
    on_error: Annotated[Literal["continue", "partial", "stop"] | None, Option(
        about='what follows when a task has failed: what does not need it goes on, and the run fails ("continue") or is'
        ' answered from what there is ("partial"); or nothing new is started ("stop").',
        help="What happens to other tasks when one has failed.", default="continue")]
    cache: Annotated[bool | None, Option(
        about="whether an answer to the same request in any run of the store is taken instead of a new call.",
        help="Take answers to the same requests from the store's runs.", default=False, group="reusing",
        flag="--cache")]
    allow: Annotated[Names | None, Option(
        about="what workers may do, by name, such as network or secret:NAME; comma-separated in the environment.",
        help="Let workers do this: network, secret:NAME, ...; repeatable.", default=(), kind=Words, group="working",
        metavar="NAME")]
    engine: Annotated[str | None, Option(
        about="where functions and programs are called whose workers do not say: here, process, dask (a cluster of its"
        " own), dask:ADDRESS, or an engine of a package; see docs/engines.md. `here` unless set.",
        help="Where functions are called: here, process, dask, dask:ADDRESS.", group="working", metavar="NAME")]
    assume: Annotated[bool | None, Option(
        about="whether the run goes on as the model assumes where it calls the goal ambiguous, and nobody is asked.",
        help="Go on with assumptions where the goal is ambiguous.", default=False, group="planning", flag="--assume")]




class AgainOptions(TypedDict, total=False):
    """What the agent of a run or its root says, and who resumes it can say instead."""

    base_url: Annotated[str | None, _asking(
        "the address of an OpenAI-compatible server.", "URL",
        help="The address of an OpenAI-compatible server, ending in /v1.")]
    recovery: Annotated[Literal["retry", "split", "replan"] | None, Option(
        about="how far it goes until a task has failed: it is tried again (retry, as unless set), then split too, then"
        " what is open of the plan around it is changed too (replan).", part="task",
        help="Until a task fails: retry, then split, then replan.")]
    max_turns: Annotated[int | None, _asking(
        "replies in one conversation of a model with its tools.", part="task", at_least=2,
        help="Replies in one conversation with tools.")]
    conversation: Annotated[Literal["chain", "fresh"] | None, Option(
        about="whether a leaf goes on with the conversation of a leaf that it needs (chain), which caches have read, or"
        " begins one of its own (fresh, as unless set).", part="task", group="asking",
        help="Whether leaves go on with the conversation of one they need.")]
    composing: Annotated[Literal["steps", "read"] | None, Option(
        about="how results are composed that one prompt does not hold: in steps (as unless set), or by a model that"
        " reads what it wants of them with a tool (read).", part="task", group="asking",
        help="Compose what no prompt holds in steps, or have it read.")]
    vote_ahead: Annotated[int | None, Option(
        about="questions of leaves are asked until one answer leads by so many.", part="task", group="voting",
        metavar="K", at_least=1, at_most=MOST_AHEAD, help="Ask for each leaf until one answer leads by K.")]


class SamplingOptions(TypedDict, total=False):
    """How a model draws its replies; what nobody gives is not sent, as some models refuse it."""

    temperature: Annotated[float | None, _asking(
        "how far replies stray from the likeliest words; what the server takes unless set.", "NUMBER",
        part="sampling", at_least=0, at_most=2)]
    top_p: Annotated[float | None, _asking(
        "the share of the likeliest words that replies are drawn from.", "NUMBER", part="sampling", above=0,
        at_most=1)]
    seed: Annotated[int | None, _asking(
        "what the draw begins with, for servers that take it; answers that are voted on begin with it, one more, two"
        " more, ...", part="sampling", metavar="N", at_least=-MOST_SEED - 1, at_most=MOST_SEED,
        help="What the draw begins with, for servers that take it.")]
    max_output_tokens: Annotated[int | None, _asking(
        "the most tokens of one reply; a longer one is asked for again, shorter.", "N", part="sampling", at_least=1)]


class AgentOptions(TypedDict, total=False):
    """How an agent asks: the fields of `AgentSettings`, and of what is stored of an agent."""

    system: Annotated[str | None, _asking(
        "a system prompt of your own, put before Ramify's.", "TEXT", part="agent")]
    language: Annotated[str | None, _asking("the language of the answers.", "NAME", part="agent")]
    examples: Annotated[Literal["none", "few", "many"] | None, _asking(
        "how many examples prompts show: none, few, or many for strong models.", part="agent", default="none",
        help="How many examples prompts show.")]
    timeout_s: Annotated[float | None, _asking(
        "the longest to wait for one reply, in seconds.", "SECONDS", part="agent", default=600.0, above=0)]
    constrain: Annotated[Literal["auto", "always", "never"] | None, _asking(
        "whether the model is held to JSON schemas in plans, verdicts and answers that have one: auto does it where its"
        " server takes them, and tries it once where nobody knows.", part="agent", default="auto",
        help="Whether the model is held to JSON schemas.")]
    window: Annotated[int | None, _asking(
        "the tokens that the model reads at once, its reply included; what its server says, or of a `gguf:` model"
        " 8,192, or what fits, unless set.", "N", part="agent", at_least=256,
        help="Tokens that the model reads at once.")]
    parts: Annotated[bool | None, _asking(
        "whether documents that the model cannot read whole are gone through in parts, or else refused.", part="agent",
        default=True, flag="--parts/--no-parts", help="Go through documents that are too long in parts, or refuse.")]
    max_plan_tokens: Annotated[int | None, _asking(
        "the most tokens of one plan; 400 and 150 for each task that it may have, unless this or max_output_tokens is"
        " set, or the model thinks.", "N", part="agent", at_least=1, help="The most tokens of one plan.")]
    max_verdict_tokens: Annotated[int | None, _asking(
        "the most tokens of one verdict of a model on an answer; 1,500 unless this or max_output_tokens is set, or the"
        " model thinks.", "N", part="agent", at_least=1, help="The most tokens of one verdict on an answer.")]
    max_answer_tokens: Annotated[int | None, _asking(
        "the most tokens of one answer, also of one that is composed; what the server takes unless set.", "N",
        part="agent", at_least=1, help="The most tokens of one answer.")]
    stop_runaway: Annotated[bool | None, _asking(
        "whether a reply is stopped that repeats itself again and again, or plans far too many tasks.", part="agent",
        default=True, flag="--stop-runaway/--no-stop-runaway",
        help="Stop replies that repeat themselves again and again.")]
    native_tools: Annotated[bool | None, _asking(
        "whether the model calls tools by itself; what is known of it unless this is set.", part="agent",
        flag="--native-tools/--no-native-tools", help="Whether the model calls tools by itself.")]
    tool_choice: Annotated[str | None, _asking(
        "which tool is called before an answer: auto, required for any, none, or the name of one.", "NAME",
        part="agent", default="auto", help="Which tool is called first: auto, required, none, or its name.")]


class AskingOptions(AgentOptions, SamplingOptions, total=False):
    """What an agent says of how it asks, and the root of its tasks."""

    prompts: Annotated[str | Path | None, _asking(
        "a folder of prompt templates over the built-in ones.", "DIR", kind=Path)]
    requests_per_second: Annotated[float | None, _asking(
        "model calls of a run that are started in a second.", "NUMBER", part="task", at_least=SLOWEST_RATE,
        help="Model calls started in a second.")]


class FileOptions(TypedDict, total=False):
    """Python files that define more; see `SourceOptions`."""

    worker_files: Annotated[Names | None, Option(
        about="Python files and modules that define workers; comma-separated in the environment.",
        help="A Python file or module with workers; repeatable.", default=(), stored="worker_sources", kind=Words,
        group="working", flag="--workers", metavar="FILE")]
    tool_files: Annotated[Names | None, Option(
        about="Python files and modules that define tools, and servers as mcp:NAME; comma-separated likewise.",
        help="A Python file or module with tools, or mcp:NAME; repeatable.", default=(), stored="tool_sources",
        kind=Words, group="working", flag="--tools", metavar="FILE")]


class SourceOptions(TypedDict, total=False):
    """What `Executor` and its `resume` call the files of `FileOptions`; so they are stored too."""

    worker_sources: Names | None
    tool_sources: Names | None


class PlaceOptions(TypedDict, total=False):
    """Where and how things are kept, and what is told of a run."""

    store: Annotated[str | Path | None, _setting(
        "a file, or the URL of a database.", kind=str, is_secret=True, flag=None, group="store", metavar="PLACE",
        help="A file or database URL; else .ramify/ramify.db.")]
    synchronous: Annotated[Literal["FULL", "NORMAL", "OFF"] | None, _setting(
        "how sure SQLite makes that a commit survives a power cut; see `Store.open`.", default="FULL")]
    embedding_model: Annotated[str | None, _setting(
        "the model of `embed` tasks; `hashing` is built in, and no language model.")]
    otel: Annotated[bool | None, _setting(
        "whether OpenTelemetry spans are made of runs; see docs/events.md.", default=False)]
    otel_content: Annotated[bool | None, _setting(
        "whether the words of tasks, prompts and replies go into the spans.", default=False)]
    mcp: Annotated[Mapping[str, Any] | None, _setting(
        "servers of tools, by name: see docs/tools.md; in settings files only.", default={},
        kind="dict[str, ServerSettings]")]


class SizeOptions(TypedDict, total=False):
    """When tasks are split, and how many there may be; who resumes a run can say it anew."""

    policy: Annotated[str | Any | None, _plan(
        "when tasks are split: upfront, as_needed, streaming, direct, or a policy of a package, by name; in Python, a"
        " class or object of your own too. `upfront` unless set, and `direct` where `split` is never.", kind=str,
        metavar="NAME", help="When tasks are split: upfront, as_needed, streaming, direct.")]
    methods: Annotated[str | Path | None, _plan(
        "the folder of methods, which are tried before the model is asked to split a task; `.ramify/methods`, if that"
        " is there, unless set; `none` for none.", kind=Path, metavar="DIR",
        help="A folder of methods; `none` for none.")]
    max_tasks: Annotated[int | None, _plan(
        "the most tasks of the whole tree, the root included.", default=200, at_least=1,
        help="The most tasks of the tree.")]


class PlanOptions(SizeOptions, total=False):
    """How a goal is split."""

    split: Annotated[Literal["auto", "always", "never"] | None, _plan(
        "which tasks the model is asked to split: auto leaves out those whose words tell that it would not help.",
        default="auto", help="Which tasks the model is asked to split.")]
    max_depth: Annotated[int | None, _plan(
        "the deepest level that a task may stand on; the root's is 1, so 1 splits nothing.", default=3, at_least=1,
        help="The deepest level of the tree; the root's is 1.")]
    max_children: Annotated[int | None, _plan("the most subtasks of one task.", default=12, at_least=2)]


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
