"""OpenTelemetry: a run as spans, for whoever asks; the packages come with `ramify[otel]` and are loaded then."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ramify.planner.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from ramify.planner.run import Run


def instrument(run: "Run", *, provider: "TracerProvider | None" = None, content: bool = False) -> Callable[[], None]:
    """Trace `run`, its tasks and its model calls; return a function that stops this.

    The run's span is a child of the current span, if any. Where spans go is up to the provider.

    Args:
        run: a run that has not been started.
        provider: the tracer provider; default: the global one.
        content: whether spans contain the texts of tasks, prompts and replies.

    Raises:
        UsageError: if the packages are not installed.
    """
    try:
        from .spans import RunSpans
    except ModuleNotFoundError as error:
        raise missing_packages(error) from None
    return RunSpans(run.id, run.task, provider=provider, content=content).follow(run.bus)


def export_as_environment_says() -> None:
    """Set the process up to send spans where the variables `OTEL_*` say, unless it is set up already; for commands.

    Raises:
        UsageError: if the packages, or those of the exporter that is asked for, are not installed.
    """
    try:
        from .exporters import set_up
    except ModuleNotFoundError as error:
        raise missing_packages(error) from None
    set_up()


def missing_packages(error: ModuleNotFoundError) -> Exception:
    """Return what to raise for a module that is not there: how to install it, if it is one of OpenTelemetry's."""
    if (error.name or "").partition(".")[0] != "opentelemetry":
        return error
    return UsageError("OpenTelemetry is not installed; pip install 'ramify[otel]', or leave RAMIFY_OTEL unset")
