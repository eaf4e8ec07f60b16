#!/usr/bin/env bash
# myriapod 0.2.0 (PyPI): a planner calls for tasks in batches, and a task may depend on another one of its batch by that
# one's number in the batch, from 1, or on an older task by its id. Ids of the first level are "1", "2", ... too, and a
# number that comes as a string, as many models write it, is taken for the id of an older task wherever there is one. So
# the same words tie a task to its own batch in the first call, and to the work of an earlier batch in every later one:
# it starts before the task that it needs has, is given the result of another, and nothing is said of it. As a JSON
# number it means its own batch each time. Have planners write numbers, or name ids that the call before has returned.
#
# Seen:
#   first batch, depends_on ["1"]: task 2 needs 1
#   second batch, depends_on [1]: task 4 needs 3
#   third batch, depends_on ["1"]: task 6 needs 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "myriapod==0.2.0"
cat > "$folder/ask.py" <<'PY'
import json
import sys

from myriapod.core.planner import SwarmState, make_planner_tools
from myriapod.core.task_tree import TaskTree

tree = TaskTree("a report")
plan_tasks = make_planner_tools(tree, SwarmState())[0]
seen = []
for name, needed in (("first", "1"), ("second", 1), ("third", "1")):
    batch = [{"description": "gather the figures"}, {"description": "sum them up", "depends_on": [needed]}]
    plan_tasks(parent_id="root", subtasks=json.dumps(batch))
    last = tree.get(str(len(tree)))
    seen.append((last.id, last.depends_on))
    print(f"{name} batch, depends_on {json.dumps([needed])}: task {last.id} needs {', '.join(last.depends_on)}")
sys.exit(0 if seen == [("2", ["1"]), ("4", ["3"]), ("6", ["1"])] else 1)
PY
"$folder/venv/bin/python" "$folder/ask.py"
