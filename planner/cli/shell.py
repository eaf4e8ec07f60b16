"""`show --interactive`: a small shell over one stored run; it reads lines from a terminal or a pipe, and only looks.

Words of a line are looked up in one table of commands; nothing that is typed is evaluated.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from ramify.planner.errors import UsageError
from ramify.planner.export.making import who_made
from ramify.planner.store import RunRecord, Store
from ramify.tasks import RamifyError, Task

from .conversation import conversation_text, failures
from .output import print_text, tell, tell_error
from .records import run_text, task_text

MOST_FOUND = 50
_MOST_WORDS = 100


@dataclass
class Session:
    """What the commands work on.

    Attributes:
        store: where the run is.
        record: the run.
        root: its tree.
        place: where the store is, as it was said.
    """

    store: Store
    record: RunRecord
    root: Task
    place: str | None

    def made_by(self) -> str:
        """Return who the words of the run come from."""
        return who_made(self.store, self.record, self.root)


def talk(store: Store, record: RunRecord, place: str | None) -> int:
    """Read commands until there are no more, answer each, and return the exit code."""
    session = Session(store, record, store.load_tree(record.id), place)
    is_asked = sys.stdin.isatty()
    if is_asked:
        with suppress(ImportError):  # lines can be edited where there is a library for it
            import readline  # noqa: F401 - it changes `input`
        tell(f"run {record.id}: {' '.join(record.goal[:200].split())[:_MOST_WORDS]}")
        tell("`help` lists the commands, `quit` leaves")
    for line in _lines(is_asked=is_asked):
        try:
            name, _, rest = line.strip().partition(" ")
            if name and not _obey(session, name, rest.strip()):
                break
        except RamifyError as error:
            tell_error(str(error))
    return 0


def _lines(*, is_asked: bool) -> Iterator[str]:
    while True:
        try:
            yield input("ramify> ") if is_asked else input()
        except EOFError:
            if is_asked:
                tell("")
            return


def _obey(session: Session, name: str, rest: str) -> bool:
    """Do what the command `name` means with the `rest` of its line; return whether to go on."""
    if name in _ENDS:
        return False
    command = _COMMANDS.get(name)
    if command is None:
        known = [*_COMMANDS, "quit"]
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else "`help` lists them"
        raise UsageError(f"there is no command {name!r}; {hint}")
    command.run(session, rest)
    return True


def _tree(session: Session, task_id: str) -> None:
    """The run, or the tree below a task."""
    session.record = session.store.find_run(session.record.id)
    session.root = session.store.load_tree(session.record.id)
    if task_id:
        print_text(_task(session, task_id).to_string(state=True).rstrip())
    else:
        print_text(run_text(session.record, session.root, made_by=session.made_by()))


def _show(session: Session, task_id: str) -> None:
    """A task with its result."""
    print_text(task_text(_task(session, task_id)))


def _messages(session: Session, task_id: str) -> None:
    """What was said and done for a task."""
    task = _task(session, task_id)
    run_id = session.record.id
    text = conversation_text(
        session.store.calls(run_id, task.id),
        session.store.steps(run_id, task.id),
        failures(session.store.events(run_id), task.id),
    )
    print_text(text.lstrip("\n") or f"no model was called for task {task.id}")


def _result(session: Session, task_id: str) -> None:
    """The answer of the run, or of a task."""
    task = _task(session, task_id)
    print_text(task.result or f"task {task.id} has no result; it is {task.state.value}")


def _find(session: Session, word: str) -> None:
    """The tasks that have a word in their id, content, result or error."""
    if not word:
        raise UsageError("name a word: find WORD")
    wanted = word.casefold()
    found = [task for task in session.root.walk() if wanted in _words_of(task)]
    for task in found[:MOST_FOUND]:
        content = " ".join(task.content[:_MOST_WORDS].split())
        print_text(f"[{task.state.value}] {task.id}: {content}")
    if len(found) > MOST_FOUND:
        tell(f"and {len(found) - MOST_FOUND:,} more")
    elif not found:
        tell(f"no task contains {word!r}")


def _graph(session: Session, _: str) -> None:
    """The graph, as Mermaid text."""
    from ramify.planner.export.mermaid import to_mermaid
    from ramify.planner.export.snapshot import graph_view

    view = graph_view(session.root, made_by=session.made_by())
    print_text(to_mermaid(view))


def _resume(session: Session, _: str) -> None:
    """The command that goes on with the run."""
    from .carrying import command_to_go_on

    print_text(command_to_go_on(session.record, session.root, session.place))


def _help(_: Session, __: str) -> None:
    """The commands."""
    for name, command in _COMMANDS.items():
        print_text(f"{f'{name} {command.takes}'.strip():<14}{(command.run.__doc__ or '').strip()}")
    print_text(f"{'quit':<14}Leave; so does Ctrl-D.")


def _task(session: Session, task_id: str) -> Task:
    return session.root.find(task_id) if task_id else session.root


def _words_of(task: Task) -> str:
    return f"{task.id}\n{task.content}\n{task.result}\n{task.error or ''}".casefold()


@dataclass(frozen=True, slots=True)
class _Command:
    run: Callable[[Session, str], None]
    takes: str = ""


_ENDS = frozenset({"quit", "exit", "q"})
_COMMANDS: Mapping[str, _Command] = MappingProxyType(
    {
        "ls": _Command(_tree, "[ID]"),
        "tree": _Command(_tree, "[ID]"),
        "show": _Command(_show, "[ID]"),
        "messages": _Command(_messages, "[ID]"),
        "result": _Command(_result, "[ID]"),
        "find": _Command(_find, "WORD"),
        "graph": _Command(_graph),
        "resume": _Command(_resume),
        "help": _Command(_help),
    }
)
