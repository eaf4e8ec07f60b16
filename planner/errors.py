"""The errors of models, runs and stores; the whole tree is drawn in `ramify.prompts.errors`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ramify.prompts.errors import RamifyError

if TYPE_CHECKING:
    from ramify.tasks import Task, Usage


class PlannerError(RamifyError):
    """Base of the errors about models, runs and stores.

    Attributes:
        is_unknown: whether nobody knows if what raised it was done; None where the error does not say.
    """

    is_unknown: bool | None = None


class UsageError(PlannerError):
    """Raised for an argument, option or setting that cannot be used."""


class NotAllowedError(UsageError):
    """Raised when a task needs a permission that the run does not grant; nothing of it was started.

    Attributes:
        task_id: the task.
        permissions: what is missing, by name.
    """

    def __init__(self, message: str, *, task_id: str, permissions: tuple[str, ...]) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.permissions = permissions


class NoModelError(PlannerError):
    """Raised when no model, key or recording can do the work; the message says how to get one."""


class ModelError(PlannerError):
    """Raised when a model call failed.

    Attributes:
        kind: the class of the failure, from the table in `ramify.planner.models.retry`.
        status_code: the HTTP status, if there was one.
        retry_after_s: how long the server asked to wait, in seconds, if it did.
        model: the model's name.
        usage: what the call has used, as far as the server said; None if nothing is known but the kind.
        prompt_tokens: how many tokens the prompt has, if that is what is wrong with it and the server said so.
        window_tokens: how many there may be.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        model: str,
        status_code: int | None = None,
        retry_after_s: float | None = None,
        usage: "Usage | None" = None,
        prompt_tokens: int | None = None,
        window_tokens: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.model = model
        self.usage = usage
        self.prompt_tokens = prompt_tokens
        self.window_tokens = window_tokens
        self.status_code = status_code
        self.retry_after_s = retry_after_s


class NotDoneError(PlannerError):
    """Raised by whoever takes a step that may not be repeated, to say that it was not done: it may be tried again.

    After any other error nobody knows whether it was done, but for those whose `is_unknown` is False.
    """

    is_unknown = False


class NoPlanError(PlannerError):
    """Raised when the methods of a domain reach no plan, or none within its limits.

    Attributes:
        task: the task, with what it is given, at which the deepest try has ended; None if there was none.
        steps: how many steps were tried.
    """

    def __init__(self, message: str, *, task: tuple[object, ...] | None = None, steps: int = 0) -> None:
        super().__init__(message)
        self.task = task
        self.steps = steps


class WorkFailedError(PlannerError):
    """Raised when a worker or a model said that it could not do a task.

    Attributes:
        task_id: the task.
        reason: why, as one of the reasons of the reply contract, or "other".
        question: what the model has to know of an ambiguous task, in its own words; empty if it did not ask.
        is_unknown: whether nobody knows if it has done something all the same, as its answer cannot be used.
    """

    def __init__(
        self, message: str, *, task_id: str, reason: str = "other", question: str = "", is_unknown: bool = False
    ) -> None:
        super().__init__(message)
        self.is_unknown = is_unknown
        self.task_id = task_id
        self.reason = reason
        self.question = question


class WorkerLostError(PlannerError):
    """Raised when what worked on a task is gone before it said what came of it; another attempt may end better.

    Attributes:
        task_id: the task.
        is_unknown: False if it is known that it had not begun; None otherwise.
    """

    def __init__(self, message: str, *, task_id: str, is_unknown: bool | None = None) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.is_unknown = is_unknown


class EngineError(PlannerError):
    """Raised when an engine cannot be used as it stands; nothing was started there, and the run can be resumed.

    Attributes:
        options: the words of `ramify resume` with which the run goes on without it.
    """

    is_unknown = False
    options = ("--engine", "here")


class OutsideError(PlannerError):
    """Raised for what other people's code raised and no code of ours could carry: SystemExit, StopIteration, ...

    What it was is the cause of this error.

    Attributes:
        where: where in the user's own code it was raised, if that was in another process.
    """

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where


class ScriptError(OutsideError):
    """Raised for what a script raised; it would raise that again, so it is not tried again."""


class ToolError(PlannerError):
    """Raised when a tool fails or cannot be called; the model sees the message and can correct its call.

    Attributes:
        is_unknown: whether it is unknown if the tool did its work.
    """

    def __init__(self, message: str, *, is_unknown: bool = False) -> None:
        super().__init__(message)
        self.is_unknown = is_unknown


class FollowUpError(PlannerError):
    """Raised when something cannot follow in a conversation; the table is in `ramify.planner.tools.transitions`.

    Attributes:
        old: the kind of what was there last.
        new: the kind of what was to follow.
        allowed: what may follow, with the conditions.
        missing: the conditions that do not hold.
    """

    def __init__(self, old: str, new: str, *, allowed: Sequence[str], missing: Sequence[str]) -> None:
        why = f" unless {' and '.join(missing)}" if missing else ""
        super().__init__(f"{new} cannot follow {old}{why}; what may follow: {', '.join(allowed)}")
        self.old = old
        self.new = new
        self.allowed = tuple(allowed)
        self.missing = tuple(missing)


class CheckFailedError(PlannerError):
    """Raised when an answer does not pass the checks of its task.

    Attributes:
        task_id: the task.
        answer: the text that did not pass.
        kinds: the kinds of the checks that it did not pass.
    """

    def __init__(self, message: str, *, task_id: str, answer: str, kinds: tuple[str, ...]) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.answer = answer
        self.kinds = kinds


class FetchError(PlannerError):
    """Raised when a page could not be fetched or read.

    Attributes:
        url: its address.
        may_pass: whether another attempt may end better.
        status_code: the HTTP status, if there was one.
        retry_after_s: how long the server asked to wait, in seconds, if it did.
        is_unreached: whether nothing came from its site.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str,
        may_pass: bool = False,
        status_code: int | None = None,
        retry_after_s: float | None = None,
        is_unreached: bool = False,
    ) -> None:
        super().__init__(message)
        self.url = url
        self.may_pass = may_pass
        self.is_unreached = is_unreached
        self.status_code = status_code
        self.retry_after_s = retry_after_s


class RefusedError(FetchError):
    """Raised when a page is not fetched since the policy, its site or this machine's safety forbids it."""

    is_unknown = False


class CommandError(PlannerError):
    """Raised when a command failed, or was ended for what it took.

    Attributes:
        may_pass: whether another attempt may end better.
        exit_code: the command's exit code; None if it was ended from outside.
        is_unknown: whether nobody knows if it has done what it was run for, as it did not end by itself.
    """

    def __init__(self, message: str, *, may_pass: bool = False, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.may_pass = may_pass
        self.exit_code = exit_code
        self.is_unknown = exit_code is None or exit_code < 0


class HeardError(PlannerError):
    """Raised when a reply that was heard while it came broke off, or is malformed, and a part of it is used already.

    Attributes:
        cause: what was wrong with the rest.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class TooLongError(PlannerError):
    """Raised when a prompt would show less than all of its documents; the task is then done in parts.

    Attributes:
        parts: the subtasks that each read a part of them; none as long as nobody has made any.
    """

    def __init__(self, message: str, *, parts: Sequence["Task"] = ()) -> None:
        super().__init__(message)
        self.parts = tuple(parts)


class WaitingError(PlannerError):
    """Raised when only a person can go on, and none is there; the run can be resumed once one has answered.

    Attributes:
        task_id: the task that is waited for.
        options: the words of `ramify resume` with which it goes on, where there are such.
    """

    def __init__(self, message: str, *, task_id: str, options: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.options = tuple(options)


class UnknownStepError(WaitingError):
    """Raised when nobody knows whether a step was taken that may not be repeated; a person has to find out.

    Attributes:
        key: the step: the id of its task, the attempt, its name.
    """

    def __init__(self, message: str, *, key: tuple[str, int, str], options: Sequence[str] = ()) -> None:
        super().__init__(message, task_id=key[0], options=options)
        self.key = key


class LimitError(PlannerError):
    """Raised when a limit was reached; the run can be resumed with a higher one.

    Args:
        message: what happened; a function says it anew whenever it is read, as what was under way is still counted.

    Attributes:
        limit: the name of the limit.
        options: the words of `ramify resume` that raise it, where these are known.
    """

    def __init__(self, message: str | Callable[[], str], *, limit: str, options: Sequence[str] = ()) -> None:
        super().__init__(message)
        self._message = message
        self.limit = limit
        self.options = tuple(options)

    def __str__(self) -> str:
        return self._message if isinstance(self._message, str) else self._message()


class RunError(PlannerError):
    """Raised when a run is unknown, or does not fit the plan that it is resumed with."""


class LeaseError(RunError):
    """Raised when another process holds the run.

    Attributes:
        holder: who holds it: host, process id.
        is_brief: whether the run is given back at once.
    """

    def __init__(self, message: str, *, holder: str, is_brief: bool = False) -> None:
        super().__init__(message)
        self.holder = holder
        self.is_brief = is_brief


class StoreError(PlannerError):
    """Raised when a store cannot be opened, read or written; nothing that was committed is lost."""


class ExportError(PlannerError):
    """Raised when a picture or a file cannot be made."""
