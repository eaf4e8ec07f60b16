"""How templates are read and rendered: Jinja in its immutable sandbox, with nothing in it but the declared names.

Templates that do not come with Ramify are bounded: see `bounds`. With `jinja_bounds`, the only file that imports Jinja;
it is imported when a template is first used.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .bounds import MOST_SECONDS, TooMuchError, metered, size_of
from .errors import PromptError
from .jinja_bounds import BoundedEnvironment

# What the expressions in a template can raise while they are rendered.
_FAULTS = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError, RecursionError,
    MemoryError,
)  # fmt: skip
# What a source can raise that is nested too deep, or has a number in it that is too long.
_UNREADABLE = (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError)
_OTHER_FILES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def _ready(environment: ImmutableSandboxedEnvironment) -> ImmutableSandboxedEnvironment:
    environment.globals.clear()
    return environment


# No autoescape: prompts are text, not HTML.
_ENVIRONMENT = _ready(ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True))
_BOUNDED = _ready(BoundedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True))


class CompiledTemplate:
    """The blocks of one template file, checked.

    Args:
        source: the file's text.
        path: the file, for messages.
        name: the template's name.
        names: for each block that the template has to have, the names that it may use.
        is_bounded: whether it may make only so much; see `bounds`.

    Raises:
        PromptError: if the source is no Jinja, takes anything from another file, lacks a block, or uses another name.
    """

    def __init__(
        self, source: str, *, path: Path, name: str, names: Mapping[str, Sequence[str]], is_bounded: bool
    ) -> None:
        self._path = path
        self._name = name
        self._is_bounded = is_bounded
        self._environment = environment = _BOUNDED if is_bounded else _ENVIRONMENT
        try:
            with self._metered(0):  # what can be worked out beforehand is, and when the names are looked for too
                tree = environment.parse(source, name, str(path))
                self._check(tree, names)
                code = environment.compile(tree, name, str(path))
        except TemplateSyntaxError as error:
            raise self._error(error.lineno, error.message or "syntax error") from error
        except _UNREADABLE as error:
            raise self._error(None, _unreadable(error)) from error
        self._template = Template.from_code(environment, code, environment.globals)

    def render_block(self, block: str, context: Mapping[str, Any], *, given: int = 0) -> str:
        """Return one block as text; values are filled in once, and never looked at again.

        Args:
            block: its name.
            context: what it is filled in with.
            given: how many characters that has, for a template that may make only so much of it.

        Raises:
            PromptError: if an expression in the template fails, or makes too much.
        """
        try:
            with self._metered(given):
                pieces = self._template.blocks[block](self._template.new_context(dict(context)))
                return self._environment.concat(pieces).strip()
        except _FAULTS as error:
            raise self._error(self._line_of(error), _fault(error)) from error

    def _metered(self, given: int) -> AbstractContextManager[None]:
        return metered(given) if self._is_bounded else nullcontext()

    def _check(self, tree: nodes.Template, names: Mapping[str, Sequence[str]]) -> None:
        for other in tree.find_all(_OTHER_FILES):
            raise self._error(other.lineno, "a template must be one file; copy here what it uses")
        blocks = {block.name: block for block in tree.find_all(nodes.Block)}
        if missing := [name for name in names if name not in blocks]:
            raise self._error(1, f"there is no block {missing[0]!r}; a template has the blocks {', '.join(names)}")
        known = {name for allowed in names.values() for name in allowed}
        for block, allowed in names.items():
            for line, name in _undeclared(blocks[block], set(allowed), self._environment):
                raise self._error(line, _complaint(name, block=block, allowed=allowed, known=known))

    def _line_of(self, error: BaseException) -> int | None:
        for frame in reversed(extract_tb(error.__traceback__)):
            if frame.filename == str(self._path) and frame.lineno is not None:
                return self._template.get_corresponding_lineno(frame.lineno)
        return None

    def _error(self, line: int | None, message: str) -> PromptError:
        return PromptError(message, template=self._name, path=self._path, line=line)


def render_text(source: str, variables: Mapping[str, Any], *, most_s: float = MOST_SECONDS) -> str:
    """Return a template of the user's own, filled in; every name in it has to be one of `variables`.

    It may make so much of them as `bounds` says, and take `most_s` seconds of the processor.

    >>> render_text("{{ n }} {{ words | join(' ') }}", {"n": 2, "words": ["a", "b"]})
    '2 a b'

    Raises:
        PromptError: if it is no template, uses another name, takes anything from another file, or makes too much.
    """
    with metered(size_of(variables), most_s=most_s):
        try:
            tree = _BOUNDED.parse(source)
            if next(tree.find_all(_OTHER_FILES), None) is not None:
                raise PromptError("a template must be one text; copy here what it uses", template=None)
            template = _BOUNDED.from_string(tree)
        except TemplateSyntaxError as error:
            raise PromptError(f"line {error.lineno}: {error.message or 'syntax error'}", template=None) from error
        except _UNREADABLE as error:
            raise PromptError(_unreadable(error), template=None) from error
        try:
            return template.render(dict(variables))
        except _FAULTS as error:
            raise PromptError(_fault(error), template=None) from error


def _fault(error: BaseException) -> str:
    return str(error) if isinstance(error, TooMuchError) else f"{type(error).__name__}: {error}"


def _unreadable(error: BaseException) -> str:
    is_deep = isinstance(error, RecursionError | MemoryError)
    return f"it cannot be read: {'it is nested too deep' if is_deep else error}"


def _undeclared(
    block: nodes.Block, allowed: set[str], environment: ImmutableSandboxedEnvironment
) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of every name in `block` that is neither allowed nor set by the template itself."""
    body = nodes.Template(block.body, lineno=block.lineno)
    body.set_environment(environment)
    unknown = meta.find_undeclared_variables(body) - allowed
    for name in block.find_all(nodes.Name):
        if name.ctx == "load" and name.name in unknown:
            yield name.lineno, name.name


def _complaint(name: str, *, block: str, allowed: Sequence[str], known: set[str]) -> str:
    if name in known:
        return (
            f'"{name}" cannot be used in the block "{block}", which does not change from task to task; use it in "user"'
        )
    near = get_close_matches(name, allowed, 1)
    hint = f'did you mean "{near[0]}"?' if near else f"the names are: {', '.join(allowed) or 'none'}"
    return f'"{name}" is not a name that the block "{block}" may use; {hint}'
