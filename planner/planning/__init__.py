"""Planning: the policies that say what is done with a task, and the splitting of one task.

Knows no loop and no store; `running` carries out what is decided here. Begin with `policy`.
"""
