"""How templates are read and rendered: Jinja in its immutable sandbox, with nothing in it but the declared names.

The only file that imports Jinja; it is imported when a template is first used.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .errors import PromptError

# What the expressions in a template can raise while they are rendered.
_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
_OTHER_FILES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)

# No autoescape: prompts are text, not HTML.
_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_ENVIRONMENT.globals.clear()


class CompiledTemplate:
    """The blocks of one template file, checked.

    Args:
        source: the file's text.
        path: the file, for messages.
        name: the template's name.
        names: for each block that the template has to have, the names that it may use.

    Raises:
        PromptError: if the source is no Jinja, takes anything from another file, lacks a block, or uses another name.
    """

    def __init__(self, source: str, *, path: Path, name: str, names: Mapping[str, Sequence[str]]) -> None:
        self._path = path
        self._name = name
        try:
            tree = _ENVIRONMENT.parse(source, name, str(path))
            self._check(tree, names)
            code = _ENVIRONMENT.compile(tree, name, str(path))
        except TemplateSyntaxError as error:
            raise self._error(error.lineno, error.message or "syntax error") from error
        self._template = Template.from_code(_ENVIRONMENT, code, _ENVIRONMENT.globals)

    def render_block(self, block: str, context: Mapping[str, Any]) -> str:
        """Return one block as text; values are filled in once, and never looked at again.

        Raises:
            PromptError: if an expression in the template fails.
        """
        try:
            return "".join(self._template.blocks[block](self._template.new_context(dict(context)))).strip()
        except _FAULTS as error:
            raise self._error(self._line_of(error), f"{type(error).__name__}: {error}") from error

    def _check(self, tree: nodes.Template, names: Mapping[str, Sequence[str]]) -> None:
        for other in tree.find_all(_OTHER_FILES):
            raise self._error(other.lineno, "a template is one file; write here what it takes from another")
        blocks = {block.name: block for block in tree.find_all(nodes.Block)}
        if missing := [name for name in names if name not in blocks]:
            raise self._error(1, f"there is no block {missing[0]!r}; a template has the blocks {', '.join(names)}")
        known = {name for allowed in names.values() for name in allowed}
        for block, allowed in names.items():
            for line, name in _undeclared(blocks[block], set(allowed)):
                raise self._error(line, _complaint(name, block=block, allowed=allowed, known=known))

    def _line_of(self, error: BaseException) -> int | None:
        for frame in reversed(extract_tb(error.__traceback__)):
            if frame.filename == str(self._path) and frame.lineno is not None:
                return self._template.get_corresponding_lineno(frame.lineno)
        return None

    def _error(self, line: int | None, message: str) -> PromptError:
        return PromptError(message, template=self._name, path=self._path, line=line)


def render_text(source: str, variables: Mapping[str, Any]) -> str:
    """Return a template of the user's own, filled in; every name in it has to be one of `variables`.

    >>> render_text("{{ n }} {{ words | join(' ') }}", {"n": 2, "words": ["a", "b"]})
    '2 a b'

    Raises:
        PromptError: if it is no template, uses another name, or takes anything from another file.
    """
    try:
        tree = _ENVIRONMENT.parse(source)
        if next(tree.find_all(_OTHER_FILES), None) is not None:
            raise PromptError("a template is one text; write here what it takes from another", template=None)
        return _ENVIRONMENT.from_string(tree).render(dict(variables))
    except TemplateSyntaxError as error:
        raise PromptError(f"line {error.lineno}: {error.message or 'syntax error'}", template=None) from error
    except _FAULTS as error:
        raise PromptError(f"{type(error).__name__}: {error}", template=None) from error


def _undeclared(block: nodes.Block, allowed: set[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of every name in `block` that is neither allowed nor set by the template itself."""
    body = nodes.Template(block.body, lineno=block.lineno)
    body.set_environment(_ENVIRONMENT)
    unknown = meta.find_undeclared_variables(body) - allowed
    for name in block.find_all(nodes.Name):
        if name.ctx == "load" and name.name in unknown:
            yield name.lineno, name.name


def _complaint(name: str, *, block: str, allowed: Sequence[str], known: set[str]) -> str:
    if name in known:
        return (
            f'"{name}" cannot stand in the block "{block}", which does not change from task to task; use it in "user"'
        )
    near = get_close_matches(name, allowed, 1)
    hint = f'did you mean "{near[0]}"?' if near else f"the names are: {', '.join(allowed) or 'none'}"
    return f'"{name}" is not a name that the block "{block}" may use; {hint}'
