"""What a model has said, from OpenAI-like messages or chunks; and whether that is a reply at all.

Blank, cut and filtered replies are failures of their own kinds, never replies.
"""

from dataclasses import dataclass, field
from typing import Any

from ramify.planner.retry import FailureKind
from ramify.tasks.counting import counted

from .protocol import FinishReason, ToolCall

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_BROKEN_OFF = frozenset({"error", "ERROR", "network_error", "abort", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"})


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Said:
    """What a model has said, whole or so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._refusals: list[str] = []
        self.has_begun = False
        self._finish: str | None = None
        self._native_finish: str | None = None
        self.usage: Any = None

    @classmethod
    def of(cls, response: Any) -> "Said":
        """Read a whole response."""
        said = cls()
        choice = response.choices[0]
        said._take(choice.message)
        said._finish = choice.finish_reason
        said._native_finish = (getattr(choice, "provider_specific_fields", None) or {}).get("native_finish_reason")
        said.usage = getattr(response, "usage", None)
        return said

    def add(self, chunk: Any) -> str:
        """Take one chunk of a stream, and return its words."""
        self.usage = getattr(chunk, "usage", None) or self.usage
        if not chunk.choices:
            return ""
        self._finish = chunk.choices[0].finish_reason or self._finish
        return self._take(chunk.choices[0].delta)

    def end(self, native_finish: str | None) -> None:
        """Take the finish reason that the server sent, in its own words; without one, the stream was cut."""
        self._native_finish = native_finish
        if native_finish is None:
            self._finish = None

    def _take(self, message: Any) -> str:
        words = message.content or ""
        self._pieces.append(words)
        self._refusals.append(str((getattr(message, "provider_specific_fields", None) or {}).get("refusal") or ""))
        for position, call in enumerate(getattr(message, "tool_calls", None) or ()):
            index = getattr(call, "index", None)
            parts = self._calls.setdefault(position if index is None else index, _Call())
            parts.id = parts.id or call.id or ""
            parts.name = parts.name or call.function.name or ""
            parts.arguments.append(call.function.arguments or "")
        self.has_begun = bool(self.has_begun or words or self._calls or getattr(message, "reasoning_content", None))
        return words

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

    def fault(self) -> tuple[FailureKind, str] | None:
        """Return why this is no reply; None if it is one."""
        refusal = "".join(self._refusals)
        far = f"after {counted(len(self.text), 'character')}"
        is_blank = not self.text.strip() and not self._calls
        faults = (
            (is_blank and self._finish is None, FailureKind.MALFORMED, "the server sent a stream without a reply"),
            (self._finish is None, FailureKind.TRUNCATED, f"the stream ended {far} without saying why"),
            (self._native_finish in _BROKEN_OFF, FailureKind.TRUNCATED, f"stopped {far}: {self._native_finish}"),
            (self._finish == "content_filter", FailureKind.CONTENT_FILTERED, f"stopped {far}"),
            (is_blank and refusal, FailureKind.CONTENT_FILTERED, f"the model refused: {refusal}"),
            (
                is_blank and self._finish == "length",
                FailureKind.TRUNCATED,
                "the output limit was used up before the first word; raise max_output_tokens",
            ),
            (is_blank, FailureKind.MALFORMED, "the reply is empty"),
        )
        return next(((kind, detail) for holds, kind, detail in faults if holds), None)
