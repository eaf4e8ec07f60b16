"""The second example of CAMEL's page on tasks: tasks with subtasks."""

from ramify.tasks import Task

root = Task(content="the start", id="0")
first = Task(content="first part", id="1")
second = Task(content="second part", id="2")
third = Task(content="third part", id="3")
for part in (first, second, third):
    root.add_subtask(part)
second.add_subtask(Task(content="a piece of the second part", id="2.1"))
second.add_subtask(Task(content="another piece of it", id="2.2"))
print(root.to_string(), end="")
