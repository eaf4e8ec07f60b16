"""The progress of a run on a terminal: events in, lines out; nothing here touches the run."""

from .displays import Display, DisplayKind, open_display

__all__ = ["Display", "DisplayKind", "open_display"]
