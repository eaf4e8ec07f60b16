"""The `human` model: a person reads each prompt and writes the reply.

One question is asked at a time. What a prompt says is model-written text, so nothing in it reaches the terminal but
letters, line breaks and tabs: control characters and marks that turn the direction of writing are left out.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TextIO

from ramify.planner.errors import WaitingError
from ramify.planner.runtime.terminal import printable, terminal_taken

from .protocol import ModelReply, ModelRequest
from .reply_lines import END, FileReplies, StreamReplies

_WAYS = "in a terminal, or with --model human:FILE, a file of replies separated by ---"


class HumanModel:
    """Asks a person.

    Args:
        replies: a file of replies, with lines `---` between them, see `FileReplies`; None asks at `source`.
        prompts_to: where prompts are printed; None is standard error.
        source: where replies are read, each up to a line with a single `.`; None is standard input, if it is a
            terminal.

    Attributes:
        is_person: True: no limit of time cuts an answer off, and stopping a run does not wait for it.
    """

    name = "human"
    maker = "human"
    is_language_model = False
    is_person = True

    def __init__(
        self, replies: Path | None = None, *, prompts_to: TextIO | None = None, source: TextIO | None = None
    ) -> None:
        self._file = FileReplies(replies) if replies is not None else None
        self._prompts_to = prompts_to
        self._source = source
        self._stream: StreamReplies | None = None
        self._turn = asyncio.Lock()
        self._systems_shown: set[str] = set()

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Print the prompt of `request` and return what the person writes.

        Raises:
            WaitingError: if nobody is there to answer, or the input ended without an answer.
            UsageError: if the file of replies cannot be read.
        """
        started = time.perf_counter()
        async with self._turn:
            text = await self._answer(request)
        return ModelReply(text=text, model=self.name, cost_usd=0.0, latency_s=time.perf_counter() - started)

    async def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Print the prompt of `request` and yield what the person writes, whole, since people take words back.

        Raises:
            WaitingError: if nobody is there to answer, or the input ended without an answer.
            UsageError: if the file of replies cannot be read.
        """
        reply = await self.complete(request)
        yield reply.text
        yield reply

    async def aclose(self) -> None:
        """Do nothing: the streams belong to others."""

    async def _answer(self, request: ModelRequest) -> str:
        key = f"{request.task_id} {request.purpose}"
        if self._file is not None:
            text = await self._file.next_reply(key)
            if text is None:
                await asyncio.to_thread(self._show, request)
        else:
            stream = self._open_stream(request.task_id)
            with terminal_taken():
                await asyncio.to_thread(self._show, request)
                text = await stream.next_reply()
        if text is None:
            raise WaitingError(
                f"task {request.task_id} waits for a person to answer its {request.purpose!r} prompt; "
                f"resume the run {_WAYS}; in the file, one reply must start with a line [{key}]",
                task_id=request.task_id,
            )
        return text.strip()

    def _open_stream(self, task_id: str) -> StreamReplies:
        if self._stream is None:
            source: Any = self._source or getattr(sys.stdin, "behind", sys.stdin)
            if self._source is None and (source is None or source.closed or not source.isatty()):
                raise WaitingError(
                    f"task {task_id} waits for a person, and there is no terminal; resume the run {_WAYS}",
                    task_id=task_id,
                )
            self._stream = StreamReplies(source)
        return self._stream

    def _show(self, request: ModelRequest) -> None:
        out = self._prompts_to or sys.stderr
        parts = [f"===== {request.purpose} for task {request.task_id} ====="]
        for message in request.messages:
            content = printable(message["content"])
            if message["role"] != "system":
                parts.append(content)
            elif content not in self._systems_shown:
                self._systems_shown.add(content)
                parts.append(content)
        parts.append(f"===== your reply, then a line with a single {END!r} =====")
        out.write("\n\n".join(parts) + "\n")
        out.flush()
