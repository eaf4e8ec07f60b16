"""Variations of one task over parameters: the grid, the task that is a strategy, its workers, and the comparison."""

from ramify.planner.export.comparison import Comparison, Variant

from .comparing import compare
from .grid import Variation, variations
from .strategy import Strategy, StrategyRun

__all__ = ["Comparison", "Strategy", "StrategyRun", "Variant", "Variation", "compare", "variations"]
