"""Settings: every place that they can come from, and which of them wins.

Knows no run and no model; it only says what somebody wants. Begin with `settings`.
"""
