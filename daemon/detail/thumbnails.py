"""Thumbnails: small copies of pictures in the store, made in a child and kept in memory for a while.

Never on disk: who asks to forget a picture must not have to think of its copies. A copy is given out only while the
store still has the picture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from daemon.context import Context
from daemon.errors import CorruptArtifact, ImageRejected
from daemon.explain.thumbnail import thumbnails_of

_KEPT = 240  # copies, of some 30 kB each


class Thumbnails:
    """Safe in any thread; one child at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = Lock()
        self._kept: OrderedDict[str, bytes | None] = OrderedDict()  # None: the decoder refuses it

    def prepare(self, sha256s: Sequence[str]) -> None:
        """Make those that are not there yet, together. Raises ChildFailed."""
        with self._lock:
            missing = [sha256 for sha256 in dict.fromkeys(sha256s) if sha256 not in self._kept]
            contents = {sha256: blob for sha256 in missing if (blob := self._blob(sha256)) is not None}
            made = thumbnails_of(list(contents.values()), self._context.settings.intake)
            self._kept.update(zip(contents, made, strict=True))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def get(self, sha256: str) -> bytes | None:
        """JPEG bytes; None when the store has no such picture, or it cannot be decoded. Raises ChildFailed."""
        if not self._context.samples.has_picture(sha256):
            with self._lock:
                self._kept.pop(sha256, None)
            return None
        self.prepare([sha256])
        with self._lock:
            return self._kept.get(sha256)

    def _blob(self, sha256: str) -> bytes | None:
        try:
            return self._context.samples.blob(sha256)
        except (CorruptArtifact, ImageRejected):
            return None
