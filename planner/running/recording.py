"""A recording: the calls of one run in a file of their own, for `replay:FILE`; written from the journal when it ends.

The journal has every reply as soon as it arrives, so that nothing is lost when a run is killed: the recording of a run
that is resumed holds the calls from before too. It holds what the journal holds, which is never a key.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ramify.planner.errors import ExportError, UsageError
from ramify.planner.store import Store
from ramify.planner.store.run_file import read_head


@dataclass(frozen=True, slots=True)
class Recording:
    """Where the calls of a run are to be written; checked when it is made, not hours later.

    Attributes:
        path: the file.
        run_id: the run.

    Raises:
        UsageError: if the file cannot be made there, or is there and is not a recording of this run.
    """

    path: Path
    run_id: str

    def __post_init__(self) -> None:
        folder = self.path.absolute().parent
        if self.path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(f"the calls cannot be recorded to {self.path}: name a file in a writable folder")
        if self.path.exists() and not self._is_mine():
            raise UsageError(f"{self.path} already exists and is not a recording of this run; choose another name")

    @classmethod
    def at(cls, path: str | Path | None, run_id: str) -> "Recording | None":
        """Return the recording of a run at `path`; None if no path is given."""
        return None if path is None else cls(Path(path), run_id)

    def write(self, store: Store) -> None:
        """Write the calls that the run has made so far; a file that is there is replaced once all are written.

        Raises:
            ExportError: if the file cannot be written; the calls are in the journal all the same.
            StoreError: if they cannot be read.
        """
        try:
            store.record_calls(self.run_id, self.path)
        except ExportError as error:
            raise ExportError(
                f"{error}. Run {self.run_id} is stored: `ramify show {self.run_id}` shows it, and"
                f" `ramify store export {self.run_id} FILE` writes a file that can be replayed too"
            ) from error

    def _is_mine(self) -> bool:
        try:
            kind, run = read_head(self.path)
        except UsageError:
            return False
        return kind == "recording" and run.get("id") == self.run_id
