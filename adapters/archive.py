"""Moving away what was taken in: never overwrites, and a kill at any moment leaves each file in one place, whole."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


def put_away(file: Path, archive: Path, path: str) -> bool:
    """Move a file to `path` below the archive; False when it is gone. Another file of that name there stays.

    Raises OSError when the archive cannot be written.
    """
    target = _free(archive / path, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.replace(target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_then_remove(file, target)
    return True


def _free(target: Path, file: Path) -> Path:
    if not target.exists():
        return target
    stamp = os.lstat(file).st_mtime_ns if file.exists() else 0
    return target.with_name(f"{target.stem}.{stamp:x}{target.suffix}")


def _copy_then_remove(file: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.copy2(file, partial)
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(target)
    file.unlink()
