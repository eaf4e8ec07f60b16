"""The root of every error that Ramify raises, and the errors of the prompt library.

    RamifyError
    +-- PromptError                a template is missing, broken, or given the wrong variables
    +-- TaskError                  ramify.tasks.errors: the tree, its states, plans and replies
    |   +-- TransitionError        a state move that the table does not allow
    |   +-- TreeError              a task added twice, below itself, or an id that is unknown or taken
    |   |   +-- HeldError          a tree changed by somebody else while a run has it
    |   +-- DependencyError        a dependency on a task that is not there, an ancestor or a descendant
    |   |   +-- CycleError         tasks that wait for each other, shown as a path
    |   +-- DocumentError          a plan file or JSON document that cannot be read
    |   +-- ReplyError             a model's reply that does not keep its contract
    |       +-- TruncatedReplyError   a reply cut by the length limit
    +-- PlannerError               ramify.planner.errors: models, runs, stores
        +-- UsageError             an argument, option or setting that cannot be used
        |   +-- NotAllowedError    a permission that a task needs and the run does not grant
        +-- NoModelError           no model, key or recording that could do the work
        +-- ModelError             a model call that failed
        +-- NotDoneError           a step that may not be repeated says that it was not done
        +-- NoPlanError            methods of a domain that reach no plan, or none within its limits
        +-- WorkFailedError        a worker or model said that it could not do the task
        +-- WorkerLostError        what worked on a task is gone before it said what came of it
        +-- EngineError            an engine that cannot be used as it stands
        +-- OutsideError           a worker, tool or hook raised SystemExit, StopIteration, ...
        |   +-- ScriptError        a script raised an error of its own
        +-- ToolError              a tool that cannot be called, or has failed; the model is told
        +-- FollowUpError          something that cannot follow in a conversation with tools
        +-- CheckFailedError       an answer that does not pass the checks of its task
        +-- FetchError             a page that could not be fetched or read
        |   +-- RefusedError       a page that may not be fetched
        +-- CommandError           a command that failed, or was ended for what it took
        +-- HeardError             a reply that broke off after a part of it was used
        +-- TooLongError           a prompt that would show less than all of its documents
        +-- WaitingError           only a person can go on, and none is there
        |   +-- UnknownStepError   nobody knows whether a step was taken that may not be repeated
        +-- LimitError             a limit that was reached
        +-- RunError               a run that is unknown, held by another process, or does not fit its plan
        |   +-- LeaseError         another process holds the run
        +-- StoreError             a store that cannot be opened, read or written
        +-- ExportError            a picture or file that cannot be made

A message says what happened, to which id, and what to do now. The facts are attributes too.
"""

from pathlib import Path


class RamifyError(Exception):
    """Base class of all errors that Ramify raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        from .tracebacks import short_traceback

        return short_traceback(self)


class PromptError(RamifyError):
    """Raised when a prompt template is missing, broken, or given the wrong variables.

    Attributes:
        template: the name of the template; None if the folder is wrong.
        path: the file or folder, or None.
        line: the line, from 1, or None.
    """

    def __init__(
        self, message: str, *, template: str | None, path: Path | None = None, line: int | None = None
    ) -> None:
        place = [str(part) for part in (path, line) if part is not None]
        super().__init__(": ".join([":".join(place), message]) if place else message)
        self.template = template
        self.path = path
        self.line = line
