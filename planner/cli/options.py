"""The options that commands share: each is described once, and a command names those that it takes.

An option that is not given is None, so that the settings speak.
"""

from collections.abc import Callable, Collection
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from ramify.planner.export.formats import Subject, formats_of

from .completing import run_ids


def _writable(path: Path | None) -> Path | None:
    """Refuse a file that cannot be written, before anything is done."""
    if path is not None:
        from ramify.planner.runtime.output_files import check_writable

        check_writable(path)
    return path


def output_option(about: str) -> Any:
    """Return the option `-o`, a file that is to be written, with what its help says."""
    return typer.Option("--output", "-o", metavar="FILE", callback=_writable, help=about)


def format_option(of: Subject, *spelled: str) -> Any:
    """Return the option `-f`, or as it is spelled, whose choices are the formats of a subject."""
    names = list(formats_of(of))
    about = f"The format; that of -o's ending, or {names[0]}."
    words = spelled or ("--format", "-f")
    return typer.Option(*words, metavar=f"<{'|'.join(names)}>", autocompletion=lambda: names, help=about)


OPTIONS: dict[str, Any] = {
    "model": Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="The model; `ramify models` lists some.")
    ],
    "base_url": Annotated[
        str | None, typer.Option(metavar="URL", help="The address of an OpenAI-compatible server, ending in /v1.")
    ],
    "prompts": Annotated[
        str | None, typer.Option(metavar="DIR", help="A folder of prompt templates over the built-in ones.")
    ],
    "jobs": Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, max=10_000, metavar="N", help="Tasks that run at the same time."),
    ],
    "on_error": Annotated[
        Literal["continue", "stop"] | None,
        typer.Option(help="What happens to other tasks when one has failed."),
    ],
    "language": Annotated[str | None, typer.Option(metavar="NAME", help="The language of the answers.")],
    "system": Annotated[
        str | None, typer.Option(metavar="TEXT", help="A system prompt of your own, put before Ramify's.")
    ],
    "examples": Annotated[
        Literal["none", "few", "many"] | None,
        typer.Option(help="Examples in prompts: none for reasoning models, many for weak ones."),
    ],
    "timeout_s": Annotated[float | None, typer.Option(metavar="SECONDS", help="The longest to wait for one reply.")],
    "max_depth": Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The deepest level of the tree; the root's is 1.")
    ],
    "max_children": Annotated[int | None, typer.Option(min=2, metavar="N", help="The most subtasks of one task.")],
    "max_tasks": Annotated[int | None, typer.Option(min=1, metavar="N", help="The most tasks of the tree.")],
    "max_calls": Annotated[int | None, typer.Option(min=1, metavar="N", help="Model calls of the run.")],
    "max_tokens": Annotated[int | None, typer.Option(min=1, metavar="N", help="Input and output tokens of the run.")],
    "max_cost_usd": Annotated[float | None, typer.Option(metavar="USD", help="Known cost of the run, in US dollars.")],
    "max_seconds": Annotated[float | None, typer.Option(metavar="SECONDS", help="How long the run may take.")],
    "max_wait_seconds": Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long to wait for a model that is out of reach.")
    ],
    "requests_per_second": Annotated[
        float | None, typer.Option(metavar="NUMBER", help="Model calls started in a second.")
    ],
    "agents": Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file with agents that tasks are given to.")
    ],
    "vote_ahead": Annotated[
        int | None, typer.Option(min=1, max=1_000, metavar="K", help="Ask for each leaf until one answer leads by K.")
    ],
    "allow": Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Let workers do this: network, secret:NAME, ...; repeatable."),
    ],
    "worker_files": Annotated[
        list[str] | None,
        typer.Option("--workers", metavar="FILE", help="A Python file or module with workers; repeatable."),
    ],
    "tool_files": Annotated[
        list[str] | None,
        typer.Option("--tools", metavar="FILE", help="A Python file or module with tools, or mcp:NAME; repeatable."),
    ],
    "native_tools": Annotated[
        bool | None,
        typer.Option("--native-tools/--no-native-tools", help="Whether the model calls tools by itself."),
    ],
    "max_turns": Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Replies in one conversation with tools.")
    ],
    "store": Annotated[
        str | None, typer.Option("--store", metavar="PLACE", help="A file or database URL; else .ramify/ramify.db.")
    ],
    "record": Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the calls to a file, for --model replay:FILE.")
    ],
    "cache": Annotated[
        bool | None, typer.Option("--cache", help="Take answers to the same requests from the store's runs.")
    ],
    "display": Annotated[
        Literal["tree", "plain", "json", "none"] | None,
        typer.Option(help="How progress is shown on standard error."),
    ],
    "events": Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=_writable, help="Add every event to a file, as a line of JSON."),
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no summary.")],
    "dry_run": Annotated[bool, typer.Option("--dry-run", help="Show the plan and its waves; execute nothing.")],
    "estimate": Annotated[
        bool, typer.Option("--estimate", help="Show what the plan will take: calls, tokens, cost; execute nothing.")
    ],
    "as_json": Annotated[bool, typer.Option("--json", help="Print JSON.")],
}
_DEFAULTS = {"quiet": False, "as_json": False, "dry_run": False, "estimate": False}

RunId = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Its id, or the beginning of one.", autocompletion=run_ids)
]
Output = Annotated[Path | None, output_option("Where it goes.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Last = Annotated[bool, typer.Option("--last", help="The newest run.")]

ASKING = (
    "model",
    "base_url",
    "prompts",
    "jobs",
    "language",
    "system",
    "examples",
    "timeout_s",
    "requests_per_second",
    "native_tools",
    "max_turns",
)
VOTING = ("vote_ahead",)
TEAM = ("agents",)
PLANNING = ("max_depth", "max_children", "max_tasks")
LIMITS = ("max_calls", "max_tokens", "max_cost_usd", "max_seconds", "max_wait_seconds")
SHOWN = ("display", "events", "quiet")
PREVIEWS = ("dry_run", "estimate")
WORKING = ("allow", "worker_files", "tool_files")
REUSING = ("record", "cache")
_FOREIGN = frozenset({"worker_files", "tool_files"})
"""A command that takes one of these runs other people's code, whose words are no answer of its own."""

Command = Callable[..., int]


def refuse_others(context: typer.Context, why: str, *, kept: Collection[str]) -> None:
    """Refuse what was said on the command line, and would be ignored.

    Args:
        context: of the command.
        why: why it would be.
        kept: the names of the parameters that mean something.

    Raises:
        UsageError: if another one was given; it is named.
    """
    from ramify.planner.errors import UsageError

    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in kept:
            word = parameter.opts[0] if parameter.param_type_name == "option" else context.params[name]
            raise UsageError(f"{why}; leave out {word}")


def takes(*names: str) -> Callable[[Command], Command]:
    """Add the options `names` to a command, which gets them together, by name, as its argument `given`."""

    def decorate(command: Command) -> Command:
        def decorated(**values: Any) -> int:
            given = {name: values.pop(name) for name in names}
            if not _FOREIGN.intersection(names):
                return command(**values, given=given)
            from .apart import prints_apart

            with prints_apart():
                return command(**values, given=given)

        own = [each for each in signature(command).parameters.values() if each.name != "given"]
        shared = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=OPTIONS[name])
            for name in names
        ]
        keyword_only = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]
        decorated.__signature__ = Signature([*keyword_only, *shared])  # type: ignore[attr-defined]
        decorated.__annotations__ = {each.name: each.annotation for each in [*own, *shared]}
        decorated.__name__, decorated.__doc__ = command.__name__, command.__doc__
        return decorated

    return decorate
