"""Your own system prompt, placed before that of every template.

RAMIFY_MODEL=gpt-5-mini python examples/system_prompt.py

On the command line it is the setting `system`: RAMIFY_SYSTEM, or a line in ramify.toml.
"""

from ramify.planner import solve

run = solve("Name one thing to see in Oslo", system="You are a guide. Answer in one short sentence.")
print(run.result)
