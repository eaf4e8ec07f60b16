"""Checks: what an answer has to pass before it is one; programs, patterns and functions first, a model's view last."""

from .checking import Checker
from .predicates import Predicate, predicate, predicates_of

__all__ = ["Checker", "Predicate", "predicate", "predicates_of"]
