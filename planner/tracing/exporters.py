"""Where commands send spans: where the variables `OTEL_*` say, and only when Ramify was told to trace.

Python programs set their provider up themselves; nothing here is called for them.
"""

import os
import sys
from importlib.metadata import entry_points

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from ramify.planner.errors import UsageError

_GROUP = "opentelemetry_traces_exporter"


def set_up() -> None:
    """Make a provider with the exporters that `OTEL_TRACES_EXPORTER` names the global one, unless there is one.

    Raises:
        UsageError: if an exporter is not installed.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    name = os.environ.get("OTEL_SERVICE_NAME", "ramify")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    for exporter in exporters(os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def exporters(names: str) -> list[SpanExporter]:
    """Return the exporters that `names`, a list with commas, names; `console` writes to standard error.

    Raises:
        UsageError: if one is not installed.
    """
    wanted = [name.strip() for name in names.split(",")]
    return [_exporter(name) for name in wanted if name not in {"", "none"}]


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    found = entry_points(group=_GROUP, name=_otlp() if name == "otlp" else name)
    if not found:
        package = "opentelemetry-exporter-otlp" if name.startswith("otlp") else f"opentelemetry-exporter-{name}"
        raise UsageError(
            f"RAMIFY_OTEL is set, and the exporter {name!r} is not installed: pip install {package}; or choose another"
            " with OTEL_TRACES_EXPORTER, such as console"
        )
    made: SpanExporter = next(iter(found)).load()()
    return made


def _otlp() -> str:
    variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((os.environ[name] for name in variables if os.environ.get(name)), "grpc")
    return "otlp_proto_http" if protocol.startswith("http") else "otlp_proto_grpc"
