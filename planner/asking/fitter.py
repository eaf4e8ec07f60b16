"""One question put to a model: in the longest form that it takes, and once more for less where its reply was cut."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ramify.planner.errors import ModelError, TooLongError
from ramify.planner.models.listening import Listener
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
from ramify.planner.models.retry import FailureKind, shrinks
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.tasks import Task
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.parts import Part

from .caller import Caller
from .cut_replies import ROOM_FOR_REPLY, Cut, ask_for_less, cut_again, cut_of
from .windows import Make

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a task: what makes its request, and which of several in the same words it is."""

    task: Task
    make: Make
    attempt: int
    sample: int
    whole: bool = False
    listener: Listener | None = None


class Fitter:
    """Makes requests fit what one model takes.

    Args:
        model: the model.
        caller: makes the calls.
    """

    def __init__(self, model: Model, caller: Caller) -> None:
        self._model = model
        self._caller = caller

    async def fitting(
        self,
        task: Task,
        make: Callable[[int], ModelRequest],
        *,
        attempt: int,
        sample: int = 0,
        step: int = 0,
        budget: int = DEFAULT_BUDGET,
        whole: bool = False,
        listener: Listener | None = None,
    ) -> tuple[ModelReply, int]:
        """Return the reply to the longest request that the model takes, and the budget of that.

        What is left out of it is told, and known to whoever asks the model later.

        Args:
            task: the task that it is asked for.
            make: makes a request whose supporting data have at most so many characters.
            attempt: the attempt at the task.
            sample: which of several answers to the same question, from 0.
            step: which turn of a conversation, from 0.
            budget: where to begin; it becomes less as long as the model finds the request too long.
            whole: whether nothing is left out, unless that was so when the same was asked before.
            listener: hears the reply while it comes.

        Raises:
            TooLongError: if the model cannot read the `whole`.
            ModelError: if the call failed.
        """
        caller = self._caller
        known = caller.budgets and caller.budgets.get((task.id, make(budget).purpose, attempt, sample, step))
        whole = whole and not known
        if whole:
            await caller.window_tokens()
        budget = known or caller.window.first_budget(make, budget)
        is_refused = False
        while True:
            request = make(budget)
            if whole:
                self._check_whole(task, request)
            try:
                reply = await caller.call(
                    task, request, attempt=attempt, sample=sample, step=step, budget=budget, listener=listener
                )
            except ModelError as error:
                if not shrinks(error.kind):
                    raise
                smaller = caller.window.refused(make, request, budget, error)
                if whole:
                    raise self._too_long(request) from error
                if smaller is None:
                    raise _does_not_fit(error, request) from error
                budget, is_refused = smaller, True
            else:
                if is_refused:
                    caller.window.passed(request)
                return reply, budget

    def _check_whole(self, task: Task, request: ModelRequest) -> None:
        was_split = task.is_leaf and task.id in self.recorded_parts
        if was_split or not self._caller.window.holds(request):
            raise self._too_long(request)

    def _too_long(self, request: ModelRequest) -> TooLongError:
        tokens = self._caller.window.tokens
        why = "its server refuses that" if tokens is None else f"the model reads {tokens:,} tokens"
        if tokens is None and request.data_shown < request.data_given:
            why = f"a prompt shows at most {DEFAULT_BUDGET:,}"
        what = f"the {request.purpose} prompt of task {request.task_id} has {request.data_given:,} characters of data"
        return TooLongError(f"{what}, and {why}")

    @property
    def recorded_parts(self) -> Mapping[str, Sequence[Part]]:
        """In which parts documents were read when the calls were recorded that answer now, by task."""
        return getattr(self._model, "recorded_parts", {})

    async def found(self, question: Question, read: Callable[[ModelReply], T], *, tries_less: bool) -> T:
        """Return what the reply to `question` says; with `tries_less`, one that was cut is asked for shorter, once."""
        cut: Cut | None = None
        make, budget = question.make, DEFAULT_BUDGET
        while True:
            reply: ModelReply | None = None
            try:
                reply, budget = await self.fitting(
                    question.task,
                    make,
                    attempt=question.attempt,
                    sample=question.sample,
                    step=0 if cut is None else 1,
                    budget=budget,
                    whole=question.whole,
                    listener=question.listener,
                )
                return read(reply)
            except (TruncatedReplyError, ModelError) as error:
                if not tries_less or not _is_cut_off(error, reply):
                    raise
                request = question.make(budget)
                if cut is not None:
                    raise cut_again(cut, request, model=self._model.name) from error
                cut = await self._cut_of(request, reply, error)
                make, budget = self._for_less(question, request, budget, cut)

    async def _cut_of(self, request: ModelRequest, reply: ModelReply | None, error: Exception) -> Cut:
        counted = reply or getattr(error, "usage", None)
        return cut_of(
            request,
            input_tokens=getattr(counted, "input_tokens", 0),
            output_tokens=getattr(counted, "output_tokens", 0),
            window=await self._caller.window_tokens(),
            stopped=reply.stopped if reply else "",
        )

    def _for_less(self, question: Question, request: ModelRequest, budget: int, cut: Cut) -> tuple[Make, int]:
        """Return what makes the request that asks for less, and its budget."""

        def shorter(budget: int) -> ModelRequest:
            return ask_for_less(question.make(budget), cut)

        if cut.is_full and not question.whole:
            budget = self._caller.window.with_room(shorter, request, budget, share=ROOM_FOR_REPLY)
        return shorter, budget


def _is_cut_off(error: Exception, reply: ModelReply | None) -> bool:
    """Return whether a limit of length has cut a reply, in the middle of its words or before the first."""
    if isinstance(error, ModelError):
        return error.kind == FailureKind.CUT_OFF
    return reply is not None and reply.finish_reason == "length"


def _does_not_fit(error: ModelError, request: ModelRequest) -> ModelError:
    """Return the error for a prompt from which nothing more can be left out."""
    what = "its own text is too long; put it in a file (-f), which can be read in parts"
    if request.data_given:
        what = f"it does not fit even without most of its {request.data_given:,} characters of data"
    return ModelError(
        f"{error}; {what}",
        kind=error.kind,
        model=error.model,
        status_code=error.status_code,
        prompt_tokens=error.prompt_tokens,
        window_tokens=error.window_tokens,
    )
