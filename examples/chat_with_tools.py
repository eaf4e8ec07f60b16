"""The allowed steps of a conversation; then a model that calls a tool, makes a mistake and corrects it.

RAMIFY_MODEL=gpt-5-mini python examples/chat_with_tools.py
"""

from ramify.planner import Store, ToolError, solve, tool
from ramify.planner.tools import transition_diagram

RATES = {"NOK": 11.5, "SEK": 11.2}


@tool
def convert(euros: float, currency: str) -> str:
    """Convert an amount of euros.

    Args:
        euros: the amount.
        currency: three letters, such as NOK.
    """
    if currency not in RATES:
        raise ToolError(f"there is no rate for {currency!r}, only for {', '.join(RATES)}")
    return f"{euros * RATES[currency]:.2f} {currency}"


print(transition_diagram())

run = solve("What are 12 euros in Norwegian kroner?", tools=[convert], max_depth=1, store="chat.db")
with Store.open("chat.db") as store:
    for step in store.steps(run.id):  # each is in the journal, so a killed conversation goes on where it was
        print(f"{step.key.key} -> {step.output['text']}")
print(run.result)
