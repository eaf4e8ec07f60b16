"""Which policies there are, by name: those that come with Ramify, those of other packages, and those of one's own.

A package names its policies in its entry points, in the group `ramify.policies`: the name, and where the class is. A
policy of one's own is a class with the methods `next` and `after`, or an object of one; what it raises, or decides that
cannot be, ends the run with its name. A run's policy holds for all tasks but those whose config, or that of a task
above them, names another.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ramify.planner.asking.budget import Configs
from ramify.planner.errors import PlannerError, UsageError
from ramify.planner.runtime.border import border, error_text
from ramify.planner.runtime.entry_points import named_object
from ramify.tasks import Task, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.tree.node import index_of

from .as_needed import AsNeeded
from .policy import Direct, Failure, Policy, Recovery, Verb, whole
from .split import PlanLimits
from .streaming import Streaming
from .upfront import Upfront

GROUP = "ramify.policies"

OWN = "own:"
"""What the stored name of a policy begins with that only whoever has begun the run can give."""

BUILT_IN: Mapping[str, Callable[[int], Policy]] = {
    "upfront": Upfront,
    "as_needed": lambda _: AsNeeded(),
    "streaming": Streaming,
    "direct": lambda _: Upfront(0),
}
"""The policies that come with Ramify: by name, what makes one that knows the deepest level."""

PolicyGiven = str | Policy | type[Policy]
"""What users give as a policy: its name, or a class or an object of their own."""


Said = TypeVar("Said", Verb, Recovery)


class Guarded:
    """A policy of somebody else's, whose mistakes have its name.

    Args:
        given: the policy.
        name: its name, for people to read.
    """

    def __init__(self, given: Any, name: str) -> None:
        self._given = given
        self.name = name
        self.plans_ahead = bool(getattr(given, "plans_ahead", False))

    def next(self, task: Task) -> Verb:
        """Return what it says; a task that has subtasks is not split again, but composed."""
        verb = self._said("next", Verb, task)
        return verb if task.is_leaf else whole(task)

    def after(self, task: Task, failure: Failure) -> Recovery:
        """Return what it says."""
        return self._said("after", Recovery, task, failure)

    def _said(self, method: str, kind: type[Said], task: Task, *more: Failure) -> Said:
        try:
            with border:
                said: Said = getattr(self._given, method)(task, *more)
        except Exception as error:
            raise UsageError(
                f"the policy {self.name} cannot be used: {method}(task {task.id}) raised {error_text(error)}"
            ) from error
        if not isinstance(said, kind):
            raise UsageError(
                f"the policy {self.name} cannot be used: {method}(task {task.id}) returned {said!r}, not a"
                f" {kind.__name__}"
            )
        return said


class _ByTask:
    """The policy of a run in which some tasks have policies of their own.

    Args:
        others: the policy of all other tasks.
        configs: name the policies of tasks.
        max_depth: the deepest level that a task may stand on.
        known: policies that are not to be looked up, by the names that configs have for them.
    """

    def __init__(
        self, others: Policy, configs: Configs, max_depth: int, known: Mapping[str, Policy] | None = None
    ) -> None:
        self.plans_ahead = others.plans_ahead
        self._others = others
        self._configs = configs
        self._max_depth = max_depth
        self._known = dict(known or ())

    def next(self, task: Task) -> Verb:
        """Return what the policy of `task` says."""
        return self._of(task).next(task)

    def after(self, task: Task, failure: Failure) -> Recovery:
        """Return what the policy of `task` says."""
        return self._of(task).after(task, failure)

    def _of(self, task: Task) -> Policy:
        name = self._configs.of(task).policy
        if name is None:
            return self._others
        if name not in self._known:
            self._known[name] = policy_named(name, self._max_depth)
        return self._known[name]


def policy_named(name: str, max_depth: int) -> Policy:
    """Return the policy of that name.

    Args:
        name: its name.
        max_depth: the deepest level that a task may stand on; the root's is 1.

    Raises:
        UsageError: if there is none, or it cannot be imported or made.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](max_depth)
    if name.startswith(OWN):
        raise UsageError(f"{name.removeprefix(OWN)} is your own policy; pass it again in Python: policy=...")
    found, place = named_object(name, group=GROUP, what="policy", built_in=BUILT_IN)
    return own_policy(found, name=f"{name!r} ({place})")


def own_policy(given: Any, *, name: str | None = None) -> Policy:
    """Return the policy that somebody has given as a class or as an object.

    Raises:
        UsageError: if it is none, or its class cannot be made.
    """
    name = name or _class_of(given)
    missing = [each for each in ("next", "after") if not callable(getattr(given, each, None))]
    if missing:
        raise UsageError(
            f"the policy {name} cannot be used: it has no method {missing[0]}(); a policy has next and after"
        )
    if not inspect.isclass(given):
        return Guarded(given, name)
    try:
        with border:
            return Guarded(given(), name)
    except Exception as error:
        raise UsageError(
            f"the policy {name} cannot be used: {error_text(error)}; its class must take no arguments, or pass an"
            " object"
        ) from error


def stored_name(given: PolicyGiven) -> str:
    """Return the name that a policy is stored under: its own, or that of its class, which cannot be looked up."""
    return given if isinstance(given, str) else f"{OWN}{_class_of(given)}"


def policy_given(given: PolicyGiven | None, plan: PlanLimits | None) -> Policy | None:
    """Return the policy that was given as a class or an object; None if there is none, or it goes by its name.

    Raises:
        UsageError: if it is no policy, or there is none of its name.
    """
    if given is not None and not isinstance(given, str):
        return own_policy(given)
    if plan is not None:
        policy_named(plan.policy, plan.max_depth)
    return None


def plans_ahead(plan: PlanLimits | None, own: Policy | None) -> bool:
    """Return whether a run so planned has a whole plan before anything else is done."""
    if plan is None:
        return False
    return (own or policy_named(plan.policy, plan.max_depth)).plans_ahead


def check_plan_only(plan: PlanLimits | None, own: Policy | None, *, plan_only: bool) -> None:
    """Raise `UsageError` if a plan is wanted before anything runs, and the policy makes none."""
    if plan_only and plan is not None and not plans_ahead(plan, own):
        raise UsageError(
            f"the policy {plan.policy.removeprefix(OWN)} splits tasks while others run, so there is no plan to show"
            " or approve first; use --policy upfront (policy='upfront'), or leave out the option that needs the plan"
        )


def run_policy(root: Task, others: Policy, configs: Configs, *, max_depth: int) -> Policy:
    """Return the policy of the run of the tree of `root`, where tasks have none of their own it is `others`."""
    return _ByTask(others, configs, max_depth) if names_policies(root) else others


def policy_of_calls(known: Mapping[str, Policy], configs: Configs, *, max_depth: int) -> Policy:
    """Return the policy of a run whose tasks a script calls: those alone are split whose config says how."""
    return _ByTask(UNPLANNED, configs, max_depth, known)


def names_policies(root: Task) -> bool:
    """Return whether the config of a task in the tree of `root` names a policy."""
    return any(task.config.policy is not None for task in index_of(root).by_id.values())


def too_deep_words(root: Task, limits: PlanLimits, configs: Configs) -> str:
    """Return what is to be said of the leaves of a given tree that stand too deep to be split; empty if none does."""
    if root.is_leaf:
        return ""
    deep = [task for task in index_of(root).by_id.values() if _is_too_deep(task, limits, configs)]
    if not deep:
        return ""
    deepest = max(task.get_depth() for task in deep)
    return (
        f"{counted(len(deep), 'task')} of the plan, such as {deep[0].id}, cannot be split, because max_depth ="
        f" {limits.max_depth} counts from the goal; use --max-depth {deepest + 1} to allow it"
    )


def _is_too_deep(task: Task, limits: PlanLimits, configs: Configs) -> bool:
    is_fresh = task.type is None and task.state is TaskState.OPEN and task.is_leaf
    is_deep = is_fresh and task.get_depth() >= limits.max_depth
    return is_deep and (configs.of(task).policy or limits.policy) != "direct"


def check_policies(root: Task) -> None:
    """Raise `UsageError` if a task of the tree of `root` names a policy that is not there."""
    for task in index_of(root).by_id.values():
        name = task.config.policy
        if name is not None and not name.startswith(OWN) and (fault := fault_of_policy(name)) is not None:
            raise UsageError(f"task {task.id}, {fault}")


def fault_of_policy(name: str) -> str | None:
    """Return what is wrong with a policy that a task's config names; None if nothing is."""
    try:
        policy_named(name, 1)
    except PlannerError as error:
        return f"config.policy: {error}"
    return None


def _class_of(given: Any) -> str:
    return str((given if inspect.isclass(given) else type(given)).__qualname__)


UNPLANNED = Direct()
"""The policy of a tree that is run as it is."""
