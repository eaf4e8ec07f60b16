"""The first example of CAMEL's page on tasks: a task."""

from ramify.tasks import Task

task = Task(
    content="Maya is paid $12 for an hour of babysitting. Yesterday it was 51 minutes. What did she earn?",
    id="0",
)
print(task.to_string(), end="")
