"""What the models of a run were not shown: prompts that held less than all of their data, as the events tell it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ramify.tasks.counting import counted

from .events import Event, EventType


class Loss(NamedTuple):
    """One prompt that showed less than all of its data.

    Attributes:
        task_id: the task that it was made for.
        purpose: the name of its template.
        shown: how many characters of attached texts, results and inputs it showed.
        given: how many there were.
        window: how many tokens the model can read; None if that is not the reason, or not known.
    """

    task_id: str
    purpose: str
    shown: int
    given: int
    window: int | None

    @property
    def text(self) -> str:
        """What was left out, for people to read.

        >>> Loss("0", "execute", 30_000, 200_000, 8192).text.partition("because ")[2]
        "the model's window is 8,192 tokens"
        """
        why = "because no more fits into a prompt"
        if self.window is not None:
            why = f"because the model's window is {self.window:,} tokens"
        return (
            f"the {self.purpose} prompt of task {self.task_id} shows {self.shown:,} of {self.given:,} characters of"
            f" attached texts and results, {why}"
        )

    def to_data(self) -> dict[str, Any]:
        """Return what the event holds."""
        return {
            "purpose": self.purpose,
            "shown": self.shown,
            "given": self.given,
            "window": self.window,
            "message": self.text,
        }


def losses_of(events: Iterable[Event]) -> list[Loss]:
    """Return what the prompts of a run did not show, one for each task and purpose, in order."""
    found: dict[tuple[str | None, str], Loss] = {}
    for event in events:
        if event.type == EventType.PROMPT_CUT:
            data = event.data
            loss = Loss(event.task_id or "", data["purpose"], data["shown"], data["given"], data["window"])
            found.setdefault((event.task_id, loss.purpose), loss)
    return list(found.values())


def losses_text(losses: Sequence[Loss]) -> str:
    """Return in a line what was not shown; empty if all was."""
    if not losses:
        return ""
    worst = min(losses, key=lambda loss: loss.shown / loss.given)
    if len(losses) == 1:
        return f"the model did not see everything: {worst.text}"
    return f"the model did not see everything: {counted(len(losses), 'prompt')} were shortened; the most: {worst.text}"
