"""What a model has said, from OpenAI-like messages or chunks; and whether that is a reply at all.

Blank, cut and filtered replies are failures of their own kinds, never replies.
"""

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ramify.tasks.counting import counted
from ramify.tasks.json_text import json_text, read_json

from .protocol import Cap, FinishReason, ToolCall
from .retry import FailureKind

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thinking_blocks")
_THOUGHT_ALOUD = re.compile(r"\s*<(think|thinking)>.*?</\1>", re.DOTALL)
_THOUGHT_BEGUN = re.compile(r"\s*<(?:think|thinking)>")
_THOUGHT_ENDS = "</think"
_BROKEN_OFF = frozenset({"error", "ERROR", "network_error", "abort", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"})


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class _Loose(SimpleNamespace):
    """JSON data by attributes; what is not there is None."""

    def __getattr__(self, name: str) -> None:
        return None


class Completion:
    """What a model has said, whole or so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._refusals: list[str] = []
        self._has_choices = True
        self._odd = ""
        self.has_begun = False
        self.has_streamed = False
        self.has_thought = False
        self._finish: str | None = None
        self._native_finish: str | None = None
        self.usage: Any = None

    @classmethod
    def of(cls, response: Any) -> "Completion":
        """Read a whole response."""
        said = cls()
        said.usage = getattr(response, "usage", None)
        choice = next(iter(response.choices or ()), None)
        if choice is None:
            said._has_choices = False
            return said
        said._take(choice.message)
        said._finish = choice.finish_reason or "stop"  # a body that is whole was not cut
        native = (getattr(choice, "provider_specific_fields", None) or {}).get("native_finish_reason")
        said._native_finish = native or choice.finish_reason
        return said

    @classmethod
    def of_text(cls, text: str | bytes | None) -> "Completion | None":
        """Read a whole response as the server wrote it, in JSON, whatever its form; None if it is none."""
        try:
            response = loose(text or "")
            return cls.of(response) if response is not None and "choices" in vars(response) else None
        except (TypeError, AttributeError):
            return None

    def add(self, chunk: Any) -> str:
        """Take one chunk of a stream, and return its words; of a server that does not stream, it is the whole reply."""
        self.usage = getattr(chunk, "usage", None) or self.usage
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self.has_streamed = self.has_streamed or choice.delta is not None
        self._finish = self._native_finish = choice.finish_reason or self._finish
        return self._take(choice.delta or getattr(choice, "message", None))

    def end(self, native_finish: str | None) -> None:
        """Take the finish reason that the server sent, where chunks may have one that it did not send."""
        self._native_finish = native_finish
        if native_finish is None:
            self._finish = None

    def _take(self, message: Any) -> str:
        content = getattr(message, "content", None)
        words = _words_of(content)
        self._odd = self._odd or _odd(content, getattr(message, "function_call", None))
        self._pieces.append(words)
        self.has_thought = self.has_thought or any(getattr(message, name, None) for name in _THOUGHTS)
        noted = (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
        self._refusals.append(str(noted or getattr(message, "refusal", None) or ""))
        for position, call in enumerate(getattr(message, "tool_calls", None) or ()):
            index = getattr(call, "index", None)
            parts = self._calls.setdefault(position if index is None else index, _Call())
            parts.id = parts.id or call.id or ""
            parts.name = parts.name or call.function.name or ""
            parts.arguments.append(_arguments_of(call.function.arguments))
        self.has_begun = bool(self.has_begun or words or self._calls or self.has_thought)
        return words

    def leave_thoughts_out(self) -> None:
        """Keep of the whole text what stands behind the thoughts that it begins with; servers do so, or do not."""
        text = self.text
        if (found := _THOUGHT_ALOUD.match(text)) is not None:
            self._pieces = [text[found.end() :]]
        elif self._finish == "length" and _THOUGHT_BEGUN.match(text):
            self._pieces = []
        self.has_thought = self.has_thought or text != self.text or _THOUGHT_ENDS in text

    @property
    def text(self) -> str:
        """All words."""
        return "".join(self._pieces)

    def calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model wants called."""
        return tuple(
            ToolCall(id=call.id, name=call.name, arguments="".join(call.arguments))
            for _, call in sorted(self._calls.items())
        )

    @property
    def finish_reason(self) -> FinishReason:
        """Why the model stopped, in the protocol's words."""
        return _FINISH.get(self._finish or "", "stop")

    def fault(self, *, limit: Cap | None = None, has_tools: bool = True) -> tuple[FailureKind, str] | None:
        """Return why this is no reply; None if it is one.

        Args:
            limit: how long it was allowed to become; None if nobody said.
            has_tools: whether the model was given tools that it may call.
        """
        refusal = "".join(self._refusals)
        far = f"after {counted(len(self.text), 'character')}"
        has_words = bool(self.text.strip())
        is_blank = not has_words and not self._calls
        tools = "" if has_tools or has_words else ", ".join(call.name for call in self._calls.values())
        faults = (
            (not self._has_choices, FailureKind.MALFORMED, "the server's reply holds no choices, so no words either"),
            (
                is_blank and self._finish is None,
                FailureKind.MALFORMED,
                "the server sent no reply",
            ),
            (self._finish is None, FailureKind.TRUNCATED, f"the stream ended {far} without a reason"),
            (self._native_finish in _BROKEN_OFF, FailureKind.TRUNCATED, f"stopped {far}: {self._native_finish}"),
            (self._finish == "content_filter", FailureKind.CONTENT_FILTERED, f"stopped {far}"),
            (is_blank and refusal, FailureKind.CONTENT_FILTERED, f"the model refused: {refusal}"),
            (is_blank and self._finish == "length", FailureKind.CUT_OFF, self._used_up(limit)),
            (is_blank and self._odd, FailureKind.MALFORMED, self._odd),
            (
                not has_words and tools and not has_tools,
                FailureKind.EMPTY,
                f"it called {tools} but was given no tools",
            ),
            (is_blank and self.has_thought, FailureKind.EMPTY, "it thought, and stopped before its answer"),
            (is_blank, FailureKind.EMPTY, "the reply is empty"),
        )
        return next(((kind, detail) for holds, kind, detail in faults if holds), None)

    def _used_up(self, limit: Cap | None) -> str:
        what = limit or "the space for its reply"
        return f"{what} was used up {'by reasoning ' if self.has_thought else ''}before the first word"


def _odd(content: Any, function_call: Any) -> str:
    """Return what stands where words are due, and is none; empty if there is nothing."""
    if function_call is not None:
        name = getattr(function_call, "name", None) or "a function"
        return f"it called {name} with function_call, which is obsolete; use tool_calls"
    if content is None or isinstance(content, str | list):
        return ""
    is_number = isinstance(content, int | float) and not isinstance(content, bool)
    what = "a number" if is_number else "true or false" if isinstance(content, bool) else "an object"
    return f"its content is {what}, not text"


def _arguments_of(value: Any) -> str:
    """Return the arguments of a call as JSON text; some servers send the object itself."""
    return value or "" if isinstance(value, str) or value is None else json_text(value, default=vars)


def loose(text: str | bytes) -> "_Loose | None":
    """Return the JSON object that a text is, with its parts as attributes; None if it is none."""
    try:
        value = read_json(text, object_hook=lambda data: _Loose(**data), parse_constant=_unknown)
    except (ValueError, TypeError, RecursionError):
        return None
    return value if isinstance(value, _Loose) else None


def _words_of(content: Any) -> str:
    """Return the words of a message: a text, or parts of which some are texts."""
    if isinstance(content, list):
        return "".join(map(_words_of_part, content))
    return content if isinstance(content, str) else ""


def _words_of_part(part: Any) -> str:
    if isinstance(part, dict):
        part = _Loose(**part)
    text = getattr(part, "text", None)
    return part if isinstance(part, str) else text if isinstance(text, str) else ""


def _unknown(_constant: str) -> None:
    """Stand for NaN and infinities, which servers write where they do not know a probability."""
