"""The pages of the documentation that are made from the code: commands, names, and the tables of settings and formats.

python -m tests.reference        writes the pages in `PAGES` anew; `make docs` does it
"""

import enum
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack, get_args, get_origin

import typer
from ramify.planner.cli.app import build_app
from ramify.planner.export.formats import Subject, formats_of
from ramify.planner.settings.options import OPTIONS

DOCS = Path(__file__).parent.parent / "docs"
PACKAGES = ("ramify.tasks", "ramify.prompts", "ramify.planner")
_SECTION = re.compile(r"^(Args|Keyword Args|Attributes|Raises|Returns|Source):\s*(.*)$")
_DOCTEST = re.compile(r"^>>> ", re.MULTILINE)


def commands_page() -> str:
    """Return the page of all commands, as they describe themselves."""
    app = typer.main.get_command(build_app())
    lines = [
        "# Every command",
        "",
        "Made from the commands themselves by `make docs`. `ramify COMMAND --help` says the same. Exit codes are in",
        "[errors and exit codes](errors-and-exit-codes.md), the shapes of `--json` in [JSON](json.md).",
        "",
        "```console",
        "$ ramify --version",
        "ramify ...",
        "```",
    ]
    for words, command in _walk(app, ("ramify",)):
        lines += _command(words, command)
    return "\n".join(lines) + "\n"


def reference_page() -> str:
    """Return the page of all public names, from their signatures and docstrings."""
    lines = [
        "# Every public name",
        "",
        "Made from the docstrings by `make docs`; [the Python API](python-api.md) is the page to start with.",
        "",
        "```python",
        "from ramify.tasks import Task",
        "",
        'print(Task(content="Describe Oslo", id="0").to_string(state=True), end="")',
        "```",
        "",
        "```text",
        "[OPEN] Task 0: Describe Oslo",
        "```",
    ]
    for package in PACKAGES:
        module = importlib.import_module(package)
        lines += ["", f"## {package}", "", _words((inspect.getdoc(module) or "").split("\n\n")[0])]
        for name in sorted(module.__all__, key=str.lower):
            lines += _name(name, getattr(module, name))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def settings_page() -> str:
    """Return the page of settings, with the rows of its last table from the table of options."""
    written, head, _ = (DOCS / "settings.md").read_text(encoding="utf-8").partition("| setting | default | means |\n")
    rows = [
        f"| `{name}` | {_shown_default(option.default)} | {option.about} |\n" for name, _, option in OPTIONS.values()
    ]
    return f"{written}{head}|---|---|---|\n{''.join(rows)}"


def _shown_default(default: Any) -> str:
    shown = (
        str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else default
    )
    return "" if default in (None, (), {}) else f"`{shown}`"


def formats_page() -> str:
    """Return the page of all file formats, from their table."""
    lines = [
        "# Every file format",
        "",
        "Made from the table in `planner/export/formats.py` by `make docs`. The ending of a file says its format,",
        "unless `-f` or `form=` does; of each kind, the first is what commands print when nothing is said.",
        "",
        "```console",
        '$ ramify solve -q --model rules "1 + 2"',
        "3",
        "$ ramify report --last -o sum.html",
        "```",
    ]
    for of, calls in _FORMATS_ARE_FOR.items():
        lines += [
            "",
            f"## {of.capitalize()}",
            "",
            f"{calls}.",
            "",
            "| format | endings | is | media type |",
            "|---|---|---|---|",
        ]
        for each in formats_of(of).values():
            endings = " ".join(f"`{ending}`" for ending in each.endings)
            lines.append(f"| {each.name} | {endings} | {each.about} | {each.media_type} |")
    return "\n".join(lines) + "\n"


_FORMATS_ARE_FOR: dict[Subject, str] = {
    "graph": "`ramify graph`, `run.save(path)`, and as a text `run.graph(form)`: [graphs](graphs.md)",
    "timeline": "`ramify timeline`, `run.save_timeline(path)`: [timelines](graphs.md#the-timeline)",
    "report": "`ramify report`, `run.report(path)`: [reports](reports.md)",
    "comparison": "`ramify compare`, `ramify sweep`, `comparison.save(path)`: [strategies](strategies.md)",
    "study": "`ramify bench`, `ramify compare` of a study, `study.save(path)`: [is it worth splitting?](bench.md)",
}
PAGES = {
    "commands.md": commands_page,
    "formats.md": formats_page,
    "reference.md": reference_page,
    "settings.md": settings_page,
}


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in sorted(getattr(command, "commands", {}).items()):
        if hasattr(each, "commands"):
            yield from _walk(each, (*words, name))
        else:
            yield (*words, name), each


def _command(words: tuple[str, ...], command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    shown = " ".join([*words, *(_argument(each) for each in arguments)])
    about, _, example = _words(inspect.cleandoc(command.help or "")).partition(" Example: ")
    context = typer.Context(command)
    yield from ("", f"## `{shown}`", "", about)
    if example:
        yield from ("", f"    {example}")
    if any(each.help for each in arguments):
        yield ""
        yield from (f"- `{_argument(each)}`: {_words(each.help)}" for each in arguments if each.help)
    rows = [each for each in options if not each.hidden and each.name != "help"]
    if rows:
        yield from ("", "| option | means |", "|---|---|")
        yield from (
            f"| {_option(each, context)} | {_words(each.help or '').replace('|', chr(92) + '|')} |" for each in rows
        )


def _argument(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper()).strip("[]{}") or argument.name.upper()


def _option(option: Any, context: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    value = str(option.metavar or option.display_type(context)).strip("<>").replace(" range", "")
    return f"{names} {value.replace('|', chr(92) + '|')}"


def _name(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _class(name, value)
    elif callable(value) and not _is_data(value):
        yield from ("", f"### `{name}{_signature(value)}`", "", *_doc(value), *_options(value))
    else:
        yield from ("", f"### `{name}`", "", f"{_kind_of(value)}.")


def _is_data(value: Any) -> bool:
    return type(value).__module__ != "builtins" and not inspect.isroutine(value)


def _kind_of(value: Any) -> str:
    return f"A value of the type `{type(value).__name__}`" if _is_data(value) else f"`{str(value)[:80]}`"


def _class(name: str, kind: type) -> Iterator[str]:
    yield from ("", f"### `class {name}`", "", *_doc(kind), *_options(vars(kind).get("__init__", kind)), *_fields(kind))
    if issubclass(kind, enum.Enum):
        yield from ("", ", ".join(f"`{each.name}`" for each in kind))
    members = [
        (member, value)
        for member, value in inspect.getmembers_static(kind)
        if not member.startswith("_") and _is_ours(kind, member) and inspect.getdoc(_function(value))
    ]
    if members and not issubclass(kind, BaseException):
        yield from ("", "| member | does |", "|---|---|")
        for member, value in members:
            function = _function(value)
            shown = member if isinstance(value, property) else f"{member}{_signature(function, bound=True)}"
            first = (inspect.getdoc(function) or "").split("\n\n")[0]
            yield f"| `{shown.replace('|', chr(92) + '|')}` | {_words(first).replace('|', chr(92) + '|')} |"


def _options(function: Any) -> Iterator[str]:
    """Yield the options that a function takes by keyword, besides what its docstring describes."""
    hints: list[Any] = [*inspect.get_annotations(function).values()]
    taken = [name for hint in hints if get_origin(hint) is Unpack for name in get_args(hint)[0].__annotations__]
    known = {entry.stored_as for entry in OPTIONS.values()} | {*OPTIONS} - {"model", "agents", "workers"}
    if names := [f"`{name}`" for name in taken if name in known]:
        yield from ("", f"*Options*, as in [settings](settings.md#every-setting): {', '.join(names)}.")


def _fields(kind: Any) -> Iterator[str]:
    """Yield the options that are fields of a model."""
    fields = getattr(kind, "model_fields", {}).items()
    if described := [f"- {name}: {field.description}" for name, field in fields if field.description]:
        yield from ("", "*Options*:", "", *described)


def _is_ours(kind: type, member: str) -> bool:
    owner = next((each for each in kind.__mro__ if member in vars(each)), object)
    return owner.__module__.startswith("ramify.")


def _function(value: Any) -> Any:
    if isinstance(value, property):
        return value.fget
    return getattr(value, "__func__", value) if callable(getattr(value, "__func__", value)) else None


def _signature(function: Any, *, bound: bool = False) -> str:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    if bound and parameters and parameters[0].name in {"self", "cls"}:
        parameters = parameters[1:]
    shown = [
        each if each.default is each.empty else each.replace(default=_Default(each.default)) for each in parameters
    ]
    return str(signature.replace(parameters=shown, return_annotation=signature.empty))


class _Default:
    """A default that is shown alike on every machine."""

    def __init__(self, value: Any) -> None:
        self._text = re.sub(r" at 0x[0-9a-f]+", "", repr(value))

    def __repr__(self) -> str:
        return self._text if len(self._text) < 60 and not self._text.startswith("<") else "..."


def _doc(value: Any) -> Iterator[str]:
    """Yield a docstring as Markdown: its words, then a list for each section; examples are left to the doctests."""
    doc = _DOCTEST.split(inspect.getdoc(value) or "")[0].rstrip()
    section = ""
    for block in doc.split("\n\n"):
        head, _, rest = block.partition("\n")
        if found := _SECTION.match(head):
            section = found[1]
            yield from ("", f"*{section}*:", "")
            yield from _entries(textwrap.dedent(rest) if rest else found[2])
        elif block.startswith("    ") and not section:
            yield from ("", "```text", textwrap.dedent(block).rstrip(), "```", "")
        else:
            yield from (_words(block), "")


def _entries(text: str) -> Iterator[str]:
    entry: list[str] = []
    for line in text.splitlines():
        if not line.startswith(" ") and entry:
            yield f"- {_words(' '.join(entry))}"
            entry = []
        entry.append(line.strip())
    if entry:
        yield f"- {_words(' '.join(entry))}"


def _words(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
