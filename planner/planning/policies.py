"""The policies that go by a name: how the settings of a run become the policy that it has."""

from collections.abc import Callable

from .policy import Direct, Policy
from .split import PlanLimits
from .upfront import Upfront

POLICIES: dict[str, Callable[[PlanLimits], Policy]] = {
    "upfront": lambda limits: Upfront(limits.max_depth),
}
"""By name, what makes a policy that keeps the limits of a plan."""


def policy_of(limits: PlanLimits | None) -> Policy:
    """Return the policy that `limits` name; without a plan, the tree is run as it is."""
    return Direct() if limits is None else POLICIES[limits.policy](limits)
