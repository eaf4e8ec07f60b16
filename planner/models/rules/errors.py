"""Why the `rules` model cannot do a task that is of its kind; these become `<failed>` replies and never leave it.

PlannerError
+-- RulesError          a task of a known kind that has no answer
    +-- ExpressionError    an expression without an exact value within the limits
    +-- MaterialError      a document that is missing, ambiguous, or without prose
    +-- OutlineError       an outline that is nested too deep, or has parts that are not done
"""

from ramify.planner.errors import PlannerError


class RulesError(PlannerError):
    """Base of the failures of the `rules` model.

    Attributes:
        reason: which of the reasons of the reply contract it is.
    """

    def __init__(self, message: str, *, reason: str = "other") -> None:
        super().__init__(message)
        self.reason = reason


class ExpressionError(RulesError):
    """Raised for an expression that is malformed, or has no exact value within the limits."""


class MaterialError(RulesError):
    """Raised for a document that is not attached, could be one of several, or has no prose."""


class OutlineError(RulesError):
    """Raised for an outline that is nested too deep, or whose parts are not done."""
