"""The fourth example of CAMEL's page on tasks: make a harder task from a task.

RAMIFY_MODEL=gpt-5-mini python examples/camel_evolve.py

`ramify evolve` does this for files of tasks, with checks.
"""

from ramify.planner import Agent
from ramify.tasks import Task, TaskManager

agent = Agent()

task = Task(
    content="Maya is paid $12 for an hour of babysitting. Yesterday it was 51 minutes. What did she earn?",
    id="0",
)
print(task.to_string(), end="")

manager = TaskManager(task)
evolved = manager.evolve(task, agent=agent)
print(evolved.to_string(), end="")
