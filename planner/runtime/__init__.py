"""What the rest stands on: the process's event loop, its terminal and files, the border to other people's code.

Knows nothing of tasks that are run, models or stores. Begin with `border` and `background`.
"""
