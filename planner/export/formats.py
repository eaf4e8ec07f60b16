"""The formats that files are written in: one table, off which commands, endings, calls, errors and docs are read.

A new format is one file with a function that writes it, and one row in `FORMATS`. Knows nothing of its writers, which
are loaded when they are first needed, and loads little itself, as every `--help` reads it.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

Subject = Literal["graph", "timeline", "report", "comparison", "study"]


class Written(NamedTuple):
    """What a writer has made.

    Attributes:
        data: the whole file.
        note: what a person should know about how it was made; empty if there is nothing.
    """

    data: bytes
    note: str = ""


class Format(NamedTuple):
    """One format of one subject.

    Attributes:
        of: what is written in it.
        name: what users call it.
        endings: of files that are in it.
        writer: `module:function` below `ramify.planner.export`; it is given the subject, and returns text, bytes, or
            bytes and a note as `Written`.
        media_type: what it is called on the web.
        about: what it holds and is for, for the docs.
        is_text: whether it can be printed.
        by_dot: whether the program `dot` of Graphviz can draw it as well.
        folds: whether a graph in it shows 300 boxes unless more are asked for.
        takes_data: whether its writer is given the run as JSON data, whole, instead of a view of it.
    """

    of: Subject
    name: str
    endings: tuple[str, ...]
    writer: str
    media_type: str
    about: str
    is_text: bool = True
    by_dot: bool = False
    folds: bool = True
    takes_data: bool = False

    def write(self, subject: Any, **options: Any) -> Written:
        """Return `subject` in this format; the options are those of the writer.

        Raises:
            ExportError: if that needs a package that is missing or fails, or is too large to be read.
        """
        from ramify.planner.runtime.output_files import utf8

        made = self._load()(subject, **options)
        return made if isinstance(made, Written) else Written(utf8(made) if self.is_text else made)

    def text(self, subject: Any, **options: Any) -> str:
        """Return `subject` in this format, which is a text; otherwise as `write`.

        Raises:
            UsageError: if it is none.
        """
        if not self.is_text:
            from ramify.planner.errors import UsageError

            raise UsageError(f"{self.name} is not text; write it to a file")
        return str(self._load()(subject, **options))

    def _load(self) -> Callable[..., Any]:
        module, _, function = self.writer.partition(":")
        return getattr(import_module(f"{__package__}.{module}"), function)  # type: ignore[no-any-return]


_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

FORMATS = (
    Format(
        "graph", "dot", (".dot", ".gv"), "dot:to_dot", "text/vnd.graphviz",
        "text for Graphviz",
    ),
    Format(
        "graph", "svg", (".svg",), "svg:to_svg", "image/svg+xml",
        "a vector picture, for pages and papers", by_dot=True,
    ),
    Format(
        "graph", "png", (".png",), "painted:to_png", "image/png",
        "a bitmap; needs `ramify[render]`", is_text=False, by_dot=True,
    ),
    Format(
        "graph", "pdf", (".pdf",), "painted:to_pdf", "application/pdf",
        "for printing; needs `ramify[render]`", is_text=False, by_dot=True,
    ),
    Format(
        "graph", "mermaid", (".mmd", ".mermaid"), "mermaid:to_mermaid", "text/vnd.mermaid",
        "text that GitHub and others show as a diagram",
    ),
    Format(
        "graph", "d2", (".d2",), "d2:to_d2", "text/plain",
        "text for the program `d2`",
    ),
    Format(
        "graph", "graphml", (".graphml",), "graphml:to_graphml", "application/xml",
        "every task, for networkx, Gephi or yEd", folds=False,
    ),
    Format(
        "graph", "json", (".json",), "run_data:to_json", "application/json",
        "every task, with all its data", takes_data=True,
    ),
    Format(
        "timeline", "svg", (".svg",), "timeline:to_timeline_svg", "image/svg+xml",
        "a vector picture, for pages and papers",
    ),
    Format(
        "timeline", "png", (".png",), "painted:to_timeline_png", "image/png",
        "a bitmap; needs `ramify[render]`", is_text=False,
    ),
    Format(
        "timeline", "pdf", (".pdf",), "painted:to_timeline_pdf", "application/pdf",
        "for printing; needs `ramify[render]`", is_text=False,
    ),
    Format(
        "report", "md", (".md", ".markdown"), "report.markdown:to_markdown", "text/markdown",
        "summary, answer, task table, Mermaid graph; for papers and repositories",
    ),
    Format(
        "report", "html", (".html", ".htm"), "report.page:to_html", "text/html",
        "everything in one page that works offline; for reading, sharing, printing",
    ),
    Format(
        "report", "csv", (".csv",), "report.csv_file:to_csv", "text/csv",
        "one row per task; for spreadsheets and data frames",
    ),
    Format(
        "report", "json", (".json",), "report.json_file:to_json", "application/json",
        "everything stored, verbatim; for programs",
    ),
    Format(
        "report", "xlsx", (".xlsx",), "report.xlsx:to_xlsx", _SHEET,
        "summary, one row per task, one row per call; for Excel; needs `ramify[xlsx]`", is_text=False,
    ),
    Format(
        "comparison", "txt", (".txt",), "comparison.text:to_text", "text/plain",
        "figures and answers, for terminals",
    ),
    Format(
        "comparison", "md", (".md",), "comparison.text:to_markdown", "text/markdown",
        "figures and answers, for papers and repositories",
    ),
    Format(
        "comparison", "html", (".html",), "comparison.page:to_html", "text/html",
        "figures, chart and answers in one page that works offline",
    ),
    Format(
        "comparison", "csv", (".csv",), "data_files:to_csv", "text/csv",
        "one row per variant, one column per parameter",
    ),
    Format(
        "comparison", "json", (".json",), "data_files:to_json", "application/json",
        "everything, for programs",
    ),
    Format(
        "comparison", "svg", (".svg",), "comparison.chart:to_svg", "image/svg+xml",
        "a chart of time, tokens and cost",
    ),
    Format(
        "study", "txt", (".txt",), "study.text:to_text", "text/plain",
        "what to do, and the figures of each arm, for terminals",
    ),
    Format(
        "study", "md", (".md",), "study.text:to_markdown", "text/markdown",
        "the same, and the items on which arms differ; for papers and repositories",
    ),
    Format(
        "study", "html", (".html",), "study.page:to_html", "text/html",
        "the same with plots, in one page that works offline",
    ),
    Format(
        "study", "csv", (".csv",), "data_files:to_csv", "text/csv",
        "one row per item and arm; for spreadsheets and data frames",
    ),
    Format(
        "study", "json", (".json",), "data_files:to_json", "application/json",
        "everything, for programs",
    ),
    Format(
        "study", "svg", (".svg",), "study.plots:to_svg", "image/svg+xml",
        "accuracy against tokens, with the Pareto front",
    ),
)  # fmt: skip
"""Every format; the first of each subject is what commands print unless something else is said."""


def formats_of(of: Subject) -> Mapping[str, Format]:
    """Return the formats of a subject by name, the usual one first."""
    return {each.name: each for each in FORMATS if each.of == of}


def endings_of(of: Subject) -> Mapping[str, Format]:
    """Return the formats of a subject by the endings of files, as `.svg`."""
    return {ending: each for each in FORMATS if each.of == of for ending in each.endings}


def format_of(of: Subject, path: Path | None = None, form: str | None = None) -> Format:
    """Return the format `form`; if none is said, that of the ending of `path`, or the usual one.

    Raises:
        UsageError: if there is no such format, or the ending names none; the message says which comes near.
    """
    known = formats_of(of)
    if form is None:
        if path is None:
            return next(iter(known.values()))
        from ramify.planner.runtime.output_files import format_named_by

        return format_named_by(path, endings_of(of), what=of)
    if form not in known:
        from ramify.planner.errors import UsageError
        from ramify.planner.runtime.output_files import did_you_mean

        spellings = {ending[1:]: each.name for ending, each in endings_of(of).items()} | {name: name for name in known}
        hint = did_you_mean(form.lower().lstrip("."), spellings)
        raise UsageError(f"there is no {of} format {form!r}; the formats are {', '.join(known)}{hint}")
    return known[form]


def save_as(of: Subject, subject: Any, path: str | Path, *, form: str | None = None, **options: Any) -> Path:
    """Write `subject` to the file at `path`; its ending says as what, unless `form` does.

    Args:
        of: what it is.
        subject: a `Timeline`, `Report`, `Comparison` or `Study`.
        path: the file; one that is there is written over.
        form: the format's name.
        **options: what its writer takes.

    Raises:
        UsageError: if there is no such format, or the ending names none.
        ExportError: if the file cannot be written, or needs a package that is missing or fails.
    """
    from ramify.planner.runtime.output_files import write_bytes

    path = Path(path)
    write_bytes(path, format_of(of, path, form).write(subject, **options).data)
    return path
