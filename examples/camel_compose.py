"""The third example of CAMEL's page on tasks: an agent splits a task and composes its answer.

RAMIFY_MODEL=gpt-5-mini python examples/camel_compose.py

Any agent with CAMEL's `step(message)` works too; docs/from-camel.md lists the differences.
"""

from ramify.planner import Agent
from ramify.tasks import Task
from ramify.tasks.task_prompt import TASK_COMPOSE_PROMPT, TASK_DECOMPOSE_PROMPT

agent = Agent(role_name="tutor")  # the model of RAMIFY_MODEL, or of a settings file

task = Task(
    content="Maya is paid $12 for an hour of babysitting. Yesterday it was 51 minutes. What did she earn?",
    id="0",
)
for subtask in task.decompose(agent=agent, template=TASK_DECOMPOSE_PROMPT):
    print(subtask.to_string(), end="")
    subtask.update_result(agent.step(subtask.content).msg.content)

task.compose(agent=agent, template=TASK_COMPOSE_PROMPT)
print(task.result)
