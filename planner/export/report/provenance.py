"""What made the words of a run, as tables: the models and the templates that were used."""

from collections.abc import Iterator
from typing import Final

from .content import Report

MODEL_HEAD: Final = ("model", "answered as", "tasks", "calls", "taken over", "tokens in", "tokens out", "cost")
PROMPT_HEAD: Final = ("template", "version", "source", "calls")

_SHORT_HASH = 12


def model_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield what each model has made, below `MODEL_HEAD`."""
    for model in report.models:
        usage = model.usage
        yield (
            model.maker,
            ", ".join(model.answered_as),
            f"{model.tasks:,}",
            f"{usage.calls:,}",
            f"{model.taken:,}",
            f"{usage.input_tokens:,}{usage.cached_text}",
            f"{usage.output_tokens:,}",
            usage.cost_text if usage.calls else "",
        )


def prompt_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield how often each template was rendered, below `PROMPT_HEAD`; of the hash of its source, the beginning."""
    for prompt in report.prompts:
        yield prompt.name, prompt.version, prompt.sha256[:_SHORT_HASH], f"{prompt.calls:,}"
