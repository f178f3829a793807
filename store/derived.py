"""Files that can be computed again: kept to save time, never needed to be right."""

from __future__ import annotations

import errno
from pathlib import Path

from store.files import keep_file, sha256_hex
from store.layout import Layout

_DIGEST = 64  # hex digits before the content
_NO_PLACE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT)


class DerivedFiles:
    """Contents by kind and key; what is missing or damaged is simply not there."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def get(self, kind: str, key: str) -> bytes | None:
        """What was kept, or None; a damaged file counts as none."""
        try:
            kept = self._path(kind, key).read_bytes()
        except FileNotFoundError:
            return None
        content = kept[_DIGEST:]
        return content if kept[:_DIGEST].decode("ascii", "replace") == sha256_hex(content) else None

    def put(self, kind: str, key: str, content: bytes) -> None:
        """Keep it instead of what was kept; where nothing may be written it is not kept.

        Nothing waits for the disk: what a power cut takes is computed again. Raises TemporaryError when there is no
        space.
        """
        try:
            keep_file(self._path(kind, key), sha256_hex(content).encode() + content)
        except OSError as error:
            if error.errno not in _NO_PLACE:
                raise

    def _path(self, kind: str, key: str) -> Path:
        return self._layout.derived / kind / key
