"""Studies: arms side by side on the same items, what splitting gains and costs, and how that is shown.

Knows nothing of where runs are stored, and asks no model; `ramify.planner.bench` makes what is shown here. Begin with
`content.py`, then `study.py`. Nothing is imported here, as displays of every run ask `content` whether one is a study.
"""
