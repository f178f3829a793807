"""Text into files."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.errors import BadInputError


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 text; whoever reads the path, after a kill too, finds the old text or the new one."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)  # noqa: PTH105 the atomic call by its own name


def write_for_person(path: Path, text: str) -> None:
    """Write what a person named, a pipe or device too. Raises BadInputError when that cannot be done."""
    try:
        # Names of files need not be text.
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error.strerror}") from error
