"""A worker in a package of its own: it counts the words of a text file in the folder that it is configured with."""

from pathlib import Path

from pydantic import BaseModel
from ramify.planner import Outcome, WorkContext, Worker
from ramify.planner.errors import WorkFailedError
from ramify.tasks import Task


class FileWordsInputs(BaseModel):
    name: str
    longer_than: int = 0


class FileWords(Worker):
    about = "counts the words of a text file"
    permissions = frozenset({"files"})
    inputs = FileWordsInputs

    def __init__(self, *, folder: str = ".") -> None:
        self._folder = Path(folder).resolve()

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        inputs = FileWordsInputs.model_validate(context.inputs)
        path = (self._folder / inputs.name).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise WorkFailedError(f"there is no file {inputs.name} in {self._folder}", task_id=task.id)
        words = [word for word in path.read_text(encoding="utf-8").split() if len(word) > inputs.longer_than]
        context.progress(1, f"read {path.name}")
        return Outcome(f"{len(words)} words", {"words": len(words)})
