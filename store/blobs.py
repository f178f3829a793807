"""Pictures as delivered, content-addressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from daemon.errors import BadInputError
from store.files import read_checked, sha256_hex, write_files
from store.layout import Layout


class Blobs:
    """Files named by the sha256 of what is in them, in two levels of folders."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def put(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Store (sha256, bytes) pairs durably. Raises BadInputError when a digest is not that of its bytes."""
        self.put_checked(self.check(contents))

    def check(self, contents: Iterable[tuple[str, bytes]]) -> dict[Path, bytes]:
        """Where the bytes of (sha256, bytes) pairs go. Raises BadInputError when a digest is not that of its bytes."""
        files: dict[Path, bytes] = {}
        for digest, content in contents:
            if sha256_hex(content) != digest:
                raise BadInputError(f"the bytes offered as {digest[:12]} hash to something else")
            files[self._layout.blob(digest)] = content
        return files

    def put_checked(self, files: Mapping[Path, bytes]) -> None:
        """Store what `check` gave durably; what is there already costs a look."""
        write_files(files)

    def get(self, sha256: str) -> bytes:
        """The bytes. Raises CorruptArtifact when they are missing or were changed."""
        return read_checked(self._layout.blob(sha256), sha256)
