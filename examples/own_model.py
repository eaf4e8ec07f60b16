"""Write your own model: anything that answers requests.

This one looks words up in a small glossary. It splits "Explain: a, b, c" into a task for each word and answers each
from the table. A real one would send `request.messages` to a server and return what comes back.
"""

from collections.abc import AsyncIterator

from ramify.planner import solve
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.prompts import ComposeVariables, DecomposeVariables, ExecuteVariables

GLOSSARY = {
    "leaf": "a task without subtasks; it is executed",
    "wave": "the tasks that could run at the same time",
    "journal": "every call of a run with its reply, on disk",
}


class Glossary:
    """Explains words it knows."""

    name = "glossary"
    maker = "a glossary of three words (no language model)"
    is_language_model = False

    async def complete(self, request: ModelRequest) -> ModelReply:
        return ModelReply(text=self._answer(request), model=self.name, cost_usd=0.0)

    async def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        yield await self.complete(request)

    async def aclose(self) -> None:
        pass

    def _answer(self, request: ModelRequest) -> str:
        match request.variables:
            case DecomposeVariables(goal=goal):
                words = goal.removeprefix("Explain: ").split(", ")
                if len(words) == 1:
                    return "<atomic/>"
                return "".join(f"<task>{word}</task>" for word in words)
            case ExecuteVariables(task=word):
                if word not in GLOSSARY:
                    return f'<failed reason="missing_input">{word} is not in the glossary</failed>'
                return f"<result>{GLOSSARY[word]}</result>"
            case ComposeVariables(children=children):
                return "<result>" + "\n".join(f"{each.content}: {each.result}" for each in children) + "</result>"
        raise NotImplementedError(request.purpose)


run = solve("Explain: leaf, wave, journal", model=Glossary())
print(run.result)
print("answered by", run.made_by)
