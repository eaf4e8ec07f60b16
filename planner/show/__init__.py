"""A run to look at: where it stands, while it runs or later, as data, tables, pictures and pages.

Changes nothing of a run. Begin with `shown_run`.
"""
