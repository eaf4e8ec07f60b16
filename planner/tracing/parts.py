"""Large runs in traces that viewers can open: a trace holds so many spans, then further subtrees begin in another one.

A trace of 100,000 spans is more than viewers draw, or stores take. Each further trace has a root of its own, which
stands for the run there; links lead from it to the run, and from each task that begins there to the span that it
belongs below.
"""

from collections import Counter

from opentelemetry import context as contexts
from opentelemetry.trace import Link, Span, Tracer

from .attributes import Attributes

MOST_SPANS = 5_000
"""Spans in a trace after which no more tasks begin in it; the calls of those that have begun still stand there."""

LINK = "ramify.link"
"""The attribute of a link that says what it leads to."""


class Parts:
    """The traces of one run.

    Args:
        tracer: makes spans.
        most: spans in a trace after which no more tasks begin in it.
    """

    def __init__(self, tracer: Tracer, *, most: int = MOST_SPANS) -> None:
        self._tracer = tracer
        self._most = most
        self._sizes: Counter[int] = Counter()
        self._roots: list[Span] = []

    def count(self, span: Span) -> None:
        """Count a span that was begun."""
        self._sizes[span.get_span_context().trace_id] += 1

    def is_full(self, span: Span) -> bool:
        """Return whether no more tasks begin in the trace of a span."""
        return span.is_recording() and self._sizes[span.get_span_context().trace_id] >= self._most

    def room(self, run: Span, name: str, attributes: Attributes, at_ns: int) -> Span:
        """Return the root of the trace in which tasks begin for which there is no room where they belong.

        Args:
            run: the span of the run.
            name: how that is called.
            attributes: what it says.
            at_ns: the time now.
        """
        if not self._roots or self.is_full(self._roots[-1]):
            number = len(self._roots) + 2
            part = self._tracer.start_span(
                name, contexts.Context(), attributes=attributes | {"ramify.trace.part": number},
                links=[Link(run.get_span_context(), {LINK: "run"})], start_time=at_ns,
            )  # fmt: skip
            run.add_link(part.get_span_context(), {LINK: "part"})
            self._roots.append(part)
            self.count(part)
        return self._roots[-1]

    def end(self, at_ns: int, attributes: Attributes) -> None:
        """End all of their roots, which say this of the end."""
        for root in self._roots:
            root.set_attributes(attributes)
            root.end(at_ns)
        self._roots.clear()
