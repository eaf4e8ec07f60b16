"""Jinja with a meter: a template's operators, calls, filters, lists, loops and words are counted as `bounds` says.

What the sandbox lets be watched is watched there; the rest is put into filters of ours before a template is compiled.
Their names have a space in them, so no template can name them. What Jinja works out while it compiles is counted too.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from jinja2 import nodes, pass_eval_context
from jinja2.exceptions import SecurityError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from .bounds import meter
from .growth import METHODS, size_of_filter, size_of_method, size_of_operation

_MADE, _EACH, _JOINED = "made value", "each item", "joined texts"
_BUILT_IN = (str, bytes, int, float, list, tuple, dict)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox for templates that may make only so much; they are compiled and rendered while `metered`."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=_written, **options)
        self.filters = {name: _watched(name, function) for name, function in self.filters.items()}
        self.filters |= {_MADE: _made, _EACH: _each, _JOINED: _joined}

    @staticmethod
    def concat(pieces: Any) -> str:
        """Return pieces of text as one."""
        return meter().join(pieces)

    def _generate(self, source: nodes.Template, *place: Any, **options: Any) -> str:
        watched = _Watching().visit(source)
        watched.set_environment(self)
        return super()._generate(watched, *place, **options)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return the value of an operator, if there is room for it."""
        meter().check(size_of_operation(operator, left, right))
        return meter().made(super().call_binop(context, operator, left, right))

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Return what a function or method gives, if it may be called and there is room for it."""
        method = getattr(called, "__wrapped__", called)
        owner = getattr(method, "__self__", None)
        if isinstance(owner, _BUILT_IN):
            name = method.__name__
            if name not in METHODS:
                raise SecurityError(f"a template cannot call {name} of {type(owner).__name__}")
            args = tuple(map(_held, args))
            meter().check(size_of_method(name, owner, (*args, *kwargs.values())))
        return meter().made(super().call(context, called, *args, **kwargs))


class _Watching(NodeTransformer):
    """Puts filters of ours around what the sandbox does not let be watched."""

    def visit_For(self, node: nodes.For) -> nodes.Stmt:  # noqa: N802 - Jinja's names, here and below
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _EACH)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), _JOINED)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, _MADE) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, _MADE) if isinstance(node.arg, nodes.Slice) else node

    def _visit_value(self, node: nodes.Expr) -> nodes.Expr:
        self.generic_visit(node)
        return _filtered(node, _MADE)

    visit_List = visit_Dict = visit_Compare = visit_Test = _visit_value  # noqa: N815


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that is made sure to have room for its value."""
    hidden = int(hasattr(function, "jinja_pass_arg"))

    @wraps(function)
    def filtered(*args: Any, **kwargs: Any) -> Any:
        args = (*args[:hidden], *map(_held if name == "join" else _counted, args[hidden:]))
        if len(args) > hidden:
            meter().check(size_of_filter(name, args[hidden], (*args[hidden + 1 :], *kwargs.values())))
        return meter().made(function(*args, **kwargs))

    return filtered


def _counted(value: Any) -> Any:
    return meter().each(value) if isinstance(value, Iterator) else value


def _held(value: Any) -> Any:
    return list(meter().each(value)) if isinstance(value, Iterator) else value


def _made(value: Any) -> Any:
    return meter().made(value)


def _each(items: Any) -> Iterator[Any]:
    return meter().each(items)


@pass_eval_context
def _joined(context: EvalContext, values: list[Any]) -> str:
    texts = [value if isinstance(value, str) else str(value) for value in values]
    meter().take(sum(map(len, texts)))
    return markup_join(texts) if context.autoescape else str_join(texts)


def _written(value: Any) -> Any:
    """Return what stands in the text for a value."""
    return meter().made(value if isinstance(value, str) or hasattr(value, "__html__") else str(value))
