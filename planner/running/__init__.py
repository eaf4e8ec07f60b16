"""Running: one loop that splits, executes and composes, its options, sessions, resuming and edits.

Knows nothing of how a run is shown or exported. Begin with `loop`, then `session`.
"""
