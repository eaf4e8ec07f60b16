"""Solve a goal without a language model, and print its tree."""

from ramify.planner import solve

run = solve("((17*23 + 4^5) / (9 - 2)) * 60%", model="rules")

print(run.result)
print()
print(run.task.to_string(state=True))
print("answered by", run.made_by)
