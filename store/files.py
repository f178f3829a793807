"""Files that are either there, whole and durable, or not there: tmp -> fsync -> rename -> fsync of the folder.

A failed fsync is never retried: its OSError is meant to end the process.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon.errors import CorruptArtifact, TemporaryError
from daemon.failpoints import failpoint

TEMPORARY_SUFFIX = ".tmp"
_WRITERS = 16


def sha256_hex(content: bytes) -> str:
    """The digest by which the store names bytes."""
    return hashlib.sha256(content).hexdigest()


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write each file that is not there yet; on return all of them are durable.

    Raises TemporaryError when there is no space; what was written so far is swept at the next start.
    """
    # Content-addressed and renamed only when whole: what is there is right.
    missing = {path: content for path, content in files.items() if not path.exists()}
    folders = {path.parent for path in missing}
    for path in missing:
        folders |= _make_folder(path.parent)
    if len(missing) <= 1:
        for path, content in missing.items():
            _write_file(path, content)
        for folder in sorted(folders):
            _fsync_folder(folder)
        return
    # Side by side, for a file system commits the fsyncs that wait at the same moment together.
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(_write_file, missing.keys(), missing.values()))
        list(pool.map(_fsync_folder, sorted(folders)))


def _write_file(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            failpoint("file.before_fsync")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            temporary.unlink(missing_ok=True)
            raise TemporaryError(f"no space left for {path}; make room and try again") from error
        raise
    failpoint("file.before_rename")
    temporary.rename(path)
    failpoint("file.renamed")


def keep_file(path: Path, content: bytes) -> None:
    """Put a file in the place of another, whole whatever is killed; a power cut may take or cut it.

    Processes and threads may write the same file at once: one of them is there then. Raises TemporaryError when there
    is no space.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}{TEMPORARY_SUFFIX}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TemporaryError(f"no space left for {path}; make room and try again") from error
        raise


def read_checked(path: Path, digest: str) -> bytes:
    """The file's bytes. Raises CorruptArtifact when it is missing, cannot be read or does not hash to `digest`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CorruptArtifact(f"{path} is missing; restore a backup") from error
    except OSError as error:  # not allowed, a folder by now, a bad sector: nobody can use it as it is
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.EINTR):
            raise  # nothing is wrong with the file
        raise CorruptArtifact(f"{path} cannot be read ({error.strerror}); restore a backup") from error
    found = sha256_hex(content)
    if found != digest:
        raise CorruptArtifact(f"{path} hashes to {found[:12]}, not {digest[:12]}: it was changed; restore a backup")
    return content


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files that no row refers to any more; on return they are gone for good."""
    folders = set()
    for path in paths:
        path.unlink(missing_ok=True)
        folders.add(path.parent)
    for folder in sorted(folders):
        if folder.is_dir():
            _fsync_folder(folder)


def _make_folder(folder: Path) -> set[Path]:
    """Create the folder; returns the parents whose entries changed."""
    changed: set[Path] = set()
    missing = folder
    while not missing.is_dir():
        changed.add(missing.parent)
        missing = missing.parent
    if changed:
        folder.mkdir(parents=True, exist_ok=True)
    return changed


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
