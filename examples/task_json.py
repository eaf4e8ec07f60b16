"""Export tasks as JSON with the names of the structure that GPT-4 once proposed.

Ramify's own export has the same fields under other names.
"""

import json

from ramify.planner import Executor
from ramify.tasks import Task, TaskConfig

NAMES = {
    "id": "id", "type": "type", "name": "name", "description": "description", "status": "state",
    "priority": "priority", "createdAt": "created_at", "updatedAt": "updated_at", "completedAt": "completed_at",
    "input": "inputs", "output": "output", "error": "error", "metadata": "metadata", "dependencies": "dependencies",
    "nextTasks": "next_tasks",
}  # fmt: skip
STATUSES = {"OPEN": "pending", "RUNNING": "in-progress", "DONE": "completed", "FAILED": "error"}
NOTHING = {"priority": 0, "input": {}, "metadata": {}, "dependencies": [], "nextTasks": []}

root = Task(content="Greet", id="0", type="prompt")
root.add_subtasks(
    [
        Task(
            id="greeting",
            name="greeting",
            description="Say hello",
            type="prompt",
            priority=1,
            inputs={"prompt": "Hello, {{ who }}!", "who": "Ada"},
            metadata={"language": "en"},
            config=TaskConfig(max_retries=0),
        ),
        Task(content="Shout it", id="shout", type="prompt", inputs={"prompt": "{{ results.greeting | upper }}"}),
    ]
)
root.find("shout").add_dependency("greeting")
run = Executor("rules").run(root)
for task in run.to_data()["tasks"]:
    renamed = {name: task.get(ours, NOTHING.get(name)) for name, ours in NAMES.items()}
    renamed["status"] = STATUSES[task["state"]]
    renamed["output"] = task.get("output", task["result"])
    if task["id"] == "greeting":
        print(json.dumps({name: value for name, value in renamed.items() if not name.endswith("At")}, indent=1))
        print("times:", sorted(name for name, value in renamed.items() if name.endswith("At") and value))
