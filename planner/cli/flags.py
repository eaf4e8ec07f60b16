"""The options that commands share: those of the table of options, and some that only commands have.

A command names those that it takes. One that is not given is None, so that the settings speak.
"""

from collections.abc import Callable, Collection
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer
from ramify.planner.export.formats import Subject, formats_of
from ramify.planner.settings.options import OPTIONS, RESUMABLE, Entry, Group, Words

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
    about = f"The format; default: from the ending of -o, or {names[0]}."
    words = spelled or ("--format", "-f")
    return typer.Option(*words, metavar=f"<{'|'.join(names)}>", autocompletion=lambda: names, help=about)


def _flag(entry: Entry) -> Any:
    """Return an option of the table as typer knows it."""
    option = entry.option
    kind: Any = list[str] if option.kind is Words else option.kind if isinstance(option.kind, type) else entry.type
    is_flag = bool in get_args(entry.type)
    words = () if option.flag is None else (option.flag,) if is_flag else option.flag.split("/")
    is_int, is_float = int in get_args(entry.type), float in get_args(entry.type)
    more: dict[str, Any] = {"min": option.at_least, "max": option.at_most} if is_int else {}
    metavar = option.metavar or ("N" if is_int else None)
    about = option.help or f"{option.about[:1].upper()}{option.about[1:]}"
    return Annotated[
        kind | None,
        typer.Option(*words, metavar=metavar, help=about, callback=_within if is_float else None, **more),
    ]


def _within(parameter: typer.CallbackParam, value: float | None) -> float | None:
    """Refuse a number that is out of bounds, before anything is done."""
    if value is not None:
        from ramify.planner.settings.option_fields import misfit_of

        if wrong := misfit_of(OPTIONS[str(parameter.name)], value):
            raise typer.BadParameter(wrong)
    return value


FLAGS: dict[str, Any] = {
    **{name: _flag(entry) for name, entry in OPTIONS.items() if entry.option.flag != ""},
    "record": Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record the calls to a file, for --model replay:FILE.")
    ],
    "display": Annotated[
        Literal["tree", "plain", "json", "none"] | None,
        typer.Option(help="How to show progress on standard error."),
    ],
    "events": Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=_writable, help="Append every event to a file, as JSON lines."),
    ],
    "detach": Annotated[bool, typer.Option("--detach", help="Run in a separate process that outlives the terminal.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Hide progress and summary.")],
    "dry_run": Annotated[bool, typer.Option("--dry-run", help="Show the plan and its waves; run nothing.")],
    "estimate": Annotated[bool, typer.Option("--estimate", help="Also estimate calls, tokens and cost; run nothing.")],
    "as_json": Annotated[bool, typer.Option("--json", help="Print JSON.")],
    "retry_failed": Annotated[bool, typer.Option("--retry-failed", help="Run failed tasks again.")],
    "plan": Annotated[Path | None, typer.Option(metavar="FILE", help="Replace the plan with this edited one.")],
    "contents": Annotated[
        list[str] | None, typer.Option("--set", metavar="ID=TEXT", help="Change a task's content; repeatable.")
    ],
    "results": Annotated[
        list[str] | None, typer.Option("--set-result", metavar="ID=TEXT", help="Set a task's result; repeatable.")
    ],
    "again": Annotated[
        list[str] | None,
        typer.Option("--from", metavar="ID", help="Run this task and its dependents again; repeatable."),
    ],
    "answer": Annotated[str | None, typer.Option(metavar="TEXT", help="Answer the model's question about the goal.")],
    "step_done": Annotated[
        list[str] | None,
        typer.Option("--step-done", metavar="ID=RESULT", help="An unknown step was done, with this result."),
    ],
    "step_again": Annotated[
        list[str] | None, typer.Option("--step-again", metavar="ID", help="Repeat an unknown step of this task.")
    ],
    "steer": Annotated[
        str | None, typer.Option(metavar="TEXT", help="Ask the planner to change the open part of the plan.")
    ],
    "approve": Annotated[
        Literal["plan"] | None, typer.Option(help="With --steer: show the changed plan and ask before running it.")
    ],
    "accept_changes": Annotated[
        bool, typer.Option("--accept-changes", help="Continue a changed script: run calls that differ again.")
    ],
}
_DEFAULTS = {
    "retry_failed": False,
    "accept_changes": False,
    "quiet": False,
    "detach": False,
    "as_json": False,
    "dry_run": False,
    "estimate": False,
}

RunId = Annotated[
    str | None, typer.Argument(metavar="RUN", help="The run's id, or the start of it.", autocompletion=run_ids)
]
Output = Annotated[Path | None, output_option("The output file.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
Last = Annotated[bool, typer.Option("--last", help="Use the newest run.")]

SHOWN = ("display", "events", "quiet")
PREVIEWS = ("dry_run", "estimate")
EDITED = (
    "retry_failed", "plan", "contents", "results", "again", "answer", "step_done", "step_again", "steer", "approve",
    "accept_changes",
)  # fmt: skip
"""How the plan of a stored run is changed before it goes on."""

RESUMED = tuple(name for name in RESUMABLE if name in FLAGS)
_FOREIGN = frozenset({"worker_files", "tool_files"})
"""A command that takes one of these runs other people's code, whose words are no answer of its own."""

Command = Callable[..., int]


def flags(*groups: Group) -> tuple[str, ...]:
    """Return the names of the options of the table that stand in `groups`, group by group."""
    return tuple(name for group in groups for name in FLAGS if name in OPTIONS and OPTIONS[name].option.group == group)


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
            Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=FLAGS[name])
            for name in names
        ]
        keyword_only = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]
        decorated.__signature__ = Signature([*keyword_only, *shared])  # type: ignore[attr-defined]
        decorated.__annotations__ = {each.name: each.annotation for each in [*own, *shared]}
        decorated.__name__, decorated.__doc__ = command.__name__, command.__doc__
        return decorated

    return decorate
