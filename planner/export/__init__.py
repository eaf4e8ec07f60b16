"""Pictures, texts and data of task trees, of what ran when, of whole runs, and of runs side by side.

A new format is one file and one row of `formats.FORMATS`; begin there. Knows nothing of commands and of live runs:
what is drawn is a tree, or what the store has of a run.
"""
