"""Changing a settings file: what is changed is changed, and every comment, order and space around it stays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.runtime.output_files import unwritable, write_text

from .layers import settings_file


def change_settings(table: Sequence[str], values: Mapping[str, Any], *, for_user: bool = False) -> Path:
    """Set values in a table of the project's settings file, or the user's; it is made if it is not there.

    Args:
        table: the names of the table and those above it.
        values: what is set; None removes a value.
        for_user: whether the user's own file is changed, for all projects.

    Returns:
        The file.

    Raises:
        UsageError: if the file cannot be read.
        ExportError: if it cannot be written.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = settings_file(for_user=for_user)
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8-sig")) if path.exists() else tomlkit.document()
        place: Any = document
        for name in table:
            if name not in place:
                place[name] = tomlkit.table(is_super_table=name != table[-1])
            place = place[name]
        for name, value in values.items():
            if value is None:
                place.pop(name, None)
            else:
                place[name] = value
        text = tomlkit.dumps(document)
    except (OSError, UnicodeDecodeError, TOMLKitError, TypeError, AttributeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"the settings file {path} cannot be changed: {why}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
    write_text(path, text)
    return path
