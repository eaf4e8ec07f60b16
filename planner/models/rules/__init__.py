"""The `rules` model: exact algorithms on the user's own words, and no language model."""

from .model import RulesModel

__all__ = ["RulesModel"]
