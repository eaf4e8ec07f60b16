"""Composing a parent whose children's results are too much for one prompt: in batches first, then from the batches."""

from collections.abc import Awaitable, Callable, Sequence

from ramify.prompts import ComposeVariables
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.prompts.variables import TaskResult
from ramify.tasks.replies.grammar import Answer

Ask = Callable[[ComposeVariables], Awaitable[Answer]]


async def compose(
    variables: ComposeVariables, ask: Ask, *, budget: int | None = DEFAULT_BUDGET, head: int = 0
) -> Answer:
    """Return the answer to `variables`, asked for in as many steps as the budget makes necessary.

    Args:
        variables: the goal and its children.
        ask: puts one prompt to the model; a batch that has failed fails the whole.
        budget: the most characters of results in one prompt; None is no limit.
        head: how many of these each child takes besides its own.
    """
    gaps: list[str] = []
    children = variables.children
    while len(groups := batches(children, budget, head=head)) > 1:
        parts = []
        for number, group in enumerate(groups, 1):
            form = (
                f"Part {number} of {len(groups)} of an answer that a later step joins. Keep every fact, number, name"
                " and source that the goal may need."
            )
            some = {"children": group, "format": form, "last_error": None, "missing": ()}
            answer = await ask(variables.model_copy(update=some))
            if answer.failed is not None:
                return answer
            gaps += answer.gaps
            ids = f"{group[0].id} to {group[-1].id}"
            parts.append(TaskResult(id=f"{ids}", content=f"What the subtasks {ids} gave", result=answer.text))
        children = tuple(parts)
    answer = await ask(variables.model_copy(update={"children": children}))
    return Answer(answer.text, (*gaps, *answer.gaps), answer.failed)


def batches(children: Sequence[TaskResult], budget: int | None, *, head: int = 0) -> list[tuple[TaskResult, ...]]:
    """Return `children` in consecutive groups whose texts keep within `budget` characters; each has two at least.

    Without a budget they are one group; `head` is what each takes besides its texts.

    Children that are too long even in pairs are cut when they are shown; so every round of batches halves their
    number.

    >>> long = [TaskResult(id=str(n), content="x", result="y" * 9) for n in range(5)]
    >>> [len(group) for group in batches(long, 30)]
    [3, 2]
    """
    groups: list[list[TaskResult]] = [[]]
    size = 0
    for child in children:
        length = head + len(child.content) + len(child.result)
        if budget is not None and len(groups[-1]) > 1 and size + length > budget:
            groups.append([])
            size = 0
        groups[-1].append(child)
        size += length
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2].append(groups.pop()[0])
    return [tuple(group) for group in groups]
