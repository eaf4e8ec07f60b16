"""The task tree: tasks, their states, its rules, its order, and which task is ready.

Knows no plan file and no reply of a model. Begin with `task`, then `states` and `schedule`.
"""
