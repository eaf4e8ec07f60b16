"""The progress of a run on a terminal: events in, lines out; nothing here touches the run."""

from .displays import Display, DisplayKind, fitting_kind, follow_on_display, open_display

__all__ = ["Display", "DisplayKind", "fitting_kind", "follow_on_display", "open_display"]
