"""Workers of other packages: found by what the packages say about themselves, and imported only once they are enabled.

A package names its workers in its entry points, in the group `ramify.workers`: the type of task, and where the worker
is: a `Worker`, a class of workers that takes its configuration by keyword, or a function.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import UsageError
from ramify.planner.runtime.border import border, error_text
from ramify.planner.work.protocol import Worker

from .built_in import BUILT_IN
from .functions import FunctionWorker

if TYPE_CHECKING:
    from ramify.planner.settings.settings import WorkerSettings

GROUP = "ramify.workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A worker of an installed package, as the package describes it.

    Attributes:
        name: the type of task that it does.
        package: the package's name and version.
        about: what the package is, in its own words.
        place: where the worker is, as `module:name`.
    """

    name: str
    package: str
    about: str
    place: str


def installed_plugins() -> dict[str, Plugin]:
    """Return the workers of all installed packages, by type; nothing of the packages is imported.

    Raises:
        UsageError: if two packages have a worker for the same type.
    """
    found: dict[str, Plugin] = {}
    for plugin in sorted(map(_described, entry_points(group=GROUP)), key=lambda each: (each.name, each.package)):
        other = found.get(plugin.name)
        if other is not None and other != plugin:
            raise UsageError(
                f"two packages have a worker {plugin.name!r}: {other.package} and {plugin.package}; uninstall one"
            )
        found[plugin.name] = plugin
    return found


def plugin_workers(chosen: "Mapping[str, WorkerSettings]") -> dict[str, Worker]:
    """Return the workers of the packages that the settings enable; none stands in for one that comes with Ramify.

    Raises:
        UsageError: if an enabled one is not installed, or cannot be imported or configured.
    """
    enabled = {name: each for name, each in chosen.items() if each.enabled and name not in BUILT_IN}
    return {name: load_plugin(plugin_named(name), each.config) for name, each in enabled.items()}


def plugin_named(name: str) -> Plugin:
    """Return the plugin of that name.

    Raises:
        UsageError: if it is not installed.
    """
    installed = installed_plugins()
    if name not in installed:
        known = ", ".join([*BUILT_IN, *installed])
        raise UsageError(f"no installed package has a worker {name!r} (there are: {known}); install one with pip first")
    return installed[name]


def load_plugin(plugin: Plugin, config: Mapping[str, Any]) -> Worker:
    """Import a plugin and return its worker, with its configuration.

    Raises:
        UsageError: if it cannot be imported or configured, or is no worker.
    """
    module, _, attribute = plugin.place.partition(":")
    try:
        with border:
            found = EntryPoint(plugin.name, f"{module}:{attribute}", GROUP).load()
            found, unused = (found(**config), {}) if inspect.isclass(found) else (found, config)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"the worker {plugin.name!r} of {plugin.package} cannot be used: {error_text(error)}; see its"
            f" documentation, or `ramify workers disable {plugin.name}`"
        ) from error
    if unused:
        raise UsageError(f"the worker {plugin.name!r} of {plugin.package} has no configuration")
    if isinstance(found, Worker):
        return found
    if callable(found):
        return FunctionWorker(found, name=plugin.name)
    raise UsageError(f"{plugin.place} of {plugin.package} is {type(found).__name__}, and no worker")


def _described(point: EntryPoint) -> Plugin:
    package = point.dist
    name = "an unknown package" if package is None else f"{package.name} {package.version}"
    about = "" if package is None else str(package.metadata["Summary"] or "")
    return Plugin(name=point.name, package=name, about=" ".join(about.split()), place=f"{point.module}:{point.attr}")
