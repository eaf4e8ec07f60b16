"""Print the graph of a scientific workflow as WfCommons makes it, as JSON: each task, its kind, its time, its needs.

    python wfcommons_graphs.py NAME TASKS SEED     # with PYTHONHASHSEED=0, as sets decide what is drawn

Runs in an environment that has `wfcommons`. Files that tasks exchange are left out: making them up takes longer than
all else, and nothing here moves any.
"""

import importlib
import json
import random
import sys
from typing import Any

import numpy as np


def graph_of(name: str, tasks: int, seed: int) -> list[dict[str, Any]]:
    """Return the tasks of a workflow of about that size, in an order in which they can run."""
    import networkx as nx

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what scipy draws from
    recipes = importlib.import_module("wfcommons.wfchef.recipes")
    recipe = getattr(recipes, f"{name.capitalize()}Recipe").from_num_tasks(tasks)
    recipe._generate_task_files = lambda _: []  # noqa: SLF001 - there is no switch
    workflow = recipe.build_workflow()
    order = nx.lexicographical_topological_sort(workflow)
    return [
        {
            "id": each,
            "type": workflow.nodes[each]["task"].program,
            "seconds": workflow.nodes[each]["task"].runtime,
            "needs": sorted(workflow.predecessors(each)),
        }
        for each in order
    ]


if __name__ == "__main__":
    json.dump(graph_of(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), sys.stdout)
