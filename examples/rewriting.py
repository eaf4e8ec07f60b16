"""Embed a text rewritten by several models, with several embedding models: a strategy over a grid.

    python examples/rewriting.py gpt-5-mini,gpt-5 text-embedding-3-small
    RAMIFY_BASE_URL=http://127.0.0.1:11434/v1 python examples/rewriting.py NAME,NAME NAME     a server on this machine

Every combination is a variation: a run of its own, stored, named by its parameters, and resumed with the others.
"""

import json
import os
import sys

from ramify.planner import Agent, Strategy
from ramify.tasks import Task

writers, embedders = (names.split(",") for names in sys.argv[1:3])

embedding_of_rewritten = Task(content="This is a test of what is left of a text", id="0", type="prompt")
embedding_of_rewritten.add_subtasks(
    [
        Task(content=embedding_of_rewritten.content, id="0.1", name="rewriter", type="rewrite"),
        Task(content="Embed what came of it", id="0.2", name="embedding", type="embed", dependencies=["0.1"]),
    ]
)
strategy = Strategy(
    "text embedding",
    embedding_of_rewritten,
    {
        "embedding": [{"model": name} for name in embedders],
        "rewriter": [
            {"model": name, "prompt": "Make this more concise: {{ content }}", "params": {"temperature": 0.7}}
            for name in writers
        ],
    },
)
done = strategy.run(Agent(writers[0], base_url=os.environ.get("RAMIFY_BASE_URL")), jobs=2)
for variant in done.comparison:
    text, vector = json.loads(variant.answer)
    print(variant.name)
    print(f"  {text!r}: {len(vector)} numbers, {vector[0]} ...")
