"""Data generation: new tasks made from seeds by a model, checked, free of copies, with lineage, as a stored run."""

from .api import Evolution, aevolve, evolve

__all__ = ["Evolution", "aevolve", "evolve"]
