"""Comparisons: runs side by side, and how they are shown as text, page, chart, table and data.

Knows nothing of where runs are stored; `strategies.comparing` reads them from there. Begin with `content.py`.
"""

from .content import Comparison, Variant

__all__ = ["Comparison", "Variant"]
