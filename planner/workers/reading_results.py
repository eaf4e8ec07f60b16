"""Composing an answer from results that one prompt does not hold: the model is shown how each begins, and reads on.

It reads with the tool `read_result`, so that what it wants of them is what it is given: `composing: read`. Small models
use tools badly; unless this is asked for, results are composed in steps.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ramify.planner.asking.reading import Steps
from ramify.planner.errors import ToolError
from ramify.planner.tools.protocol import Tool, near_hint
from ramify.planner.work.context import WorkContext
from ramify.prompts import ComposeVariables
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.prompts.variables import TaskResult
from ramify.tasks.replies.grammar import Answer

from .conversation import ToolLoop
from .tool_calls import OUTCOME_LIMIT

if TYPE_CHECKING:
    from ramify.planner.asking.asker import Asker

LONGEST_HEAD = 1_000
SHORTEST_HEAD = 80
"""The most and the fewest characters of a result that the first prompt shows."""

_SHARE = 4
"""How many parts of the room for data the heads of all results, and one reading, may take: one of so many."""

_MEMBER = 9
"""Tells the conversation from those that were held about the task before it was split."""


class ReadResult(Tool):
    """Reads a piece of a result.

    Args:
        results: the results.
        most: how many characters it reads at once.
    """

    name = "read_result"
    may_repeat = True

    def __init__(self, results: Sequence[TaskResult], most: int) -> None:
        self._results = {each.id: each.result for each in results}
        self._most = most
        self.description = (
            "Read a piece of a subtask's result, of which the prompt shows the beginning alone. Characters are counted"
            f" from 0; at most {most:,} are read at once."
        )
        number = {"type": "integer", "minimum": 0}
        self.parameters = {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "the id of the subtask"},
                "from": number | {"description": "the first character, counted from 0"},
                "length": number | {"minimum": 1, "maximum": most, "description": "how many characters"},
            },
            "required": ["id", "from", "length"],
            "additionalProperties": False,
        }

    def check(self, arguments: dict[str, Any]) -> None:
        """Make sure that there is such a piece.

        Raises:
            ToolError: if there is none; it says what there is.
        """
        known = ("id", "from", "length")
        for name in arguments:
            if name not in known:
                raise ToolError(f"there is no argument {name!r}; {near_hint(name, known)}")
        if missing := [name for name in known if name not in arguments]:
            raise ToolError(f"{' and '.join(missing)} must be given; read_result takes id, from and length")
        task_id, start, length = (arguments[name] for name in known)
        result = self._results.get(task_id) if isinstance(task_id, str) else None
        if result is None:
            raise ToolError(f"there is no subtask {task_id!r}; {near_hint(str(task_id), self._results)}")
        if not _is_count(start) or start >= len(result):
            last = f"give `from` from 0 to {len(result) - 1}" if result else "there is nothing to read of it"
            raise ToolError(f"the result of {task_id} has {len(result)} characters; {last}, not {start!r}")
        if not _is_count(length) or not 1 <= length <= self._most:
            raise ToolError(f"length must be from 1 to {self._most}, not {length!r}; read the rest with another call")

    async def call(self, arguments: dict[str, Any], context: WorkContext) -> str:
        """Return the piece, and how much there is after it."""
        result, start = self._results[arguments["id"]], arguments["from"]
        end = min(start + arguments["length"], len(result))
        left = len(result) - end
        rest = f"{left} characters follow, from {end} on" if left else "the end of the result"
        return f"{result[start:end]}\n[{rest}]"


async def answer_by_reading(
    context: WorkContext, asker: "Asker", whole: ComposeVariables, steps: Steps, *, is_native: bool
) -> Answer:
    """Return the answer of a model that is shown how each result begins, and reads what it wants.

    Args:
        context: the task's.
        asker: asks the model.
        whole: what is composed.
        steps: knows how much one prompt may show.
        is_native: whether the model calls tools by itself.

    Raises:
        ReplyError: if its replies could not be used, time and again.
        WorkFailedError: if it came to no answer in the turns that it has.
    """
    room = (steps.budget or DEFAULT_BUDGET) // _SHARE
    head = max(SHORTEST_HEAD, min(LONGEST_HEAD, room // max(1, len(whole.children))))
    shown = whole.model_copy(update={"children": tuple(_begun(each, head) for each in whole.children)})
    reader = ReadResult(whole.children, most=min(OUTCOME_LIMIT // 2, max(room, SHORTEST_HEAD)))
    tools = {reader.name: reader}
    return await ToolLoop(context.beside((), _MEMBER), asker, tools, shown, is_native=is_native).run()


def _begun(child: TaskResult, head: int) -> TaskResult:
    """Return a subtask with the beginning of its result, and how long that is."""
    length = len(child.result)
    if length <= head:
        return child
    told = f"[the first {head} of {length} characters; read_result gives the rest, from {head} on]"
    return child.model_copy(update={"result": f"{child.result[:head]}\n{told}"})


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
