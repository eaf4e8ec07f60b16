"""Where workers keep files: a folder for each task, beside the store and apart from it.

.ramify/files/RUN/TASK/         of a task; it goes with its run
.ramify/files/permanent/TYPE/   of a type of task, for ever
.ramify/logs/RUN.log            what a process of its own has said that carried a run on; it goes with its run
"""

import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from ramify.planner.errors import StoreError
from ramify.planner.settings.place import DEFAULT_STORE, Place
from ramify.tasks import Task

from .records import PERMANENT

_LONGEST_NAME = 120


def files_beside(place: Place) -> Path:
    """Return the folder for the files of the runs in a store; for a database server, it is in the working directory."""
    return (place.path.parent if place.path is not None else DEFAULT_STORE.absolute().parent) / "files"


def log_beside(files: Path, run_id: str) -> Path:
    """Return the file that a process of its own that carries a run on writes its words to."""
    return files.parent / "logs" / f"{_name(run_id)}.log"


def folder_of(files: Path, run_id: str, task: Task) -> Path:
    """Return the folder of `task` below `files`, made now if it is not there.

    Raises:
        StoreError: if it cannot be made.
    """
    if task.memory_scope == PERMANENT:
        folder = files / PERMANENT / _name(task.type or "model")
    else:
        folder = files / _name(run_id) / _name(task.id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"task {task.id} cannot create the folder {folder}: {error.strerror or error}") from error
    return folder


def copy_files(files: Path, run_id: str, fork_id: str) -> bool:
    """Let the tasks of a new fork have what those of the run have kept that it is made of; return whether there is any.

    Raises:
        StoreError: if it cannot be copied.
    """
    source, target = files / _name(run_id), files / _name(fork_id)
    if target.exists() or not source.is_dir():
        return False
    try:
        shutil.copytree(source, target, symlinks=True)
    except OSError as error:
        remove_files(files, fork_id)
        raise StoreError(f"files of tasks of run {run_id} at {source} cannot be copied: {error}") from error
    return True


def remove_files(files: Path, run_id: str) -> None:
    """Remove what the tasks of a run have kept, and its log; files that cannot be removed are left."""
    shutil.rmtree(files / _name(run_id), ignore_errors=True)
    with suppress(OSError):
        log_beside(files, run_id).unlink(missing_ok=True)


def _name(word: str) -> str:
    """Return a file name for an id, which can be any text: different ids have different names."""
    name = quote(word, safe="").replace(".", "%2E") if word.strip(".") == "" else quote(word, safe="")
    if len(name) <= _LONGEST_NAME:
        return name
    from hashlib import sha256

    return f"{name[:_LONGEST_NAME]}-{sha256(word.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
