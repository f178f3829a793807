"""What a back-test keeps of a picture, by the digest of its bytes: the bytes, what they are, its vectors.

All policies, and whoever runs the command again, decode and encode a picture once, and audit the same files once.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from daemon import __version__
from daemon.encoders.gathering import always
from daemon.errors import CorruptArtifact
from daemon.intake.file_facts import checked_facts
from daemon.model import PROFILES, EncodingFailure, FileRow, Inspected, Profile
from daemon.ports import DerivedFiles, EncoderService, Inspector
from daemon.shortcuts.measuring import Separate, Separation, separation

# Whose figures are kept; others are measured anew.
_MADE_BY = [1, __version__, *(version(name) for name in ("numpy", "scipy", "scikit-learn"))]
_FIELDS = frozenset(field.name for field in dataclasses.fields(Inspected))


@dataclass(frozen=True)
class Pictures:
    """The pictures of the collection."""

    files: DerivedFiles

    def put(self, digest: str, content: bytes) -> None:
        self.files.put("pictures", digest, content)

    def get(self, digest: str) -> bytes:
        """Raises CorruptArtifact when it is no longer there."""
        content = self.files.get("pictures", digest)
        if content is None:
            raise CorruptArtifact(
                f"the back-test's copy of picture {digest[:12]} is gone or damaged: remove the state folder's cache "
                "and run it again"
            )
        return content


@dataclass(frozen=True)
class CachingInspector:
    """Decodes a picture once; what is refused is decoded again each time."""

    files: DerivedFiles
    inner: Inspector

    def inspect(self, content: bytes) -> Inspected:
        """Raises ImageRejected."""
        digest = sha256(content).hexdigest()
        kept = self.files.get("inspected", digest)
        fields = None if kept is None else json.loads(kept)
        if isinstance(fields, dict) and fields.keys() == _FIELDS:
            return Inspected(**{**fields, "facts": None if fields["facts"] is None else checked_facts(fields["facts"])})
        found = self.inner.inspect(content)
        self.files.put("inspected", digest, json.dumps(dataclasses.asdict(found)).encode())
        return found


class CachingEncoder:
    """Encodes a picture once under every profile; failures are tried again."""

    def __init__(self, files: DerivedFiles, inner: EncoderService) -> None:
        self.name, self.fingerprint, self.dimension = inner.name, inner.fingerprint, inner.dimension
        self._files = files
        self._inner = inner

    def encode_many(
        self, items: Sequence[bytes], profiles: Sequence[Profile]
    ) -> list[dict[Profile, NDArray[np.float32]] | EncodingFailure]:
        """As the encoder, rounded to float16 as the store does."""
        digests = [sha256(content).hexdigest() for content in items]
        kept = {digest: self.vectors(digest) for digest in set(digests)}
        missing = {digest: item for digest, item in zip(digests, items, strict=True) if kept[digest] is None}
        outcomes: dict[str, Mapping[Profile, NDArray[np.float32]] | EncodingFailure] = {
            digest: vectors for digest, vectors in kept.items() if vectors is not None
        }
        if missing:
            made = self._inner.encode_many(list(missing.values()), PROFILES)
            for digest, outcome in zip(missing, made, strict=True):
                outcomes[digest] = outcome if isinstance(outcome, EncodingFailure) else self._keep(digest, outcome)
        found = [outcomes[digest] for digest in digests]
        return [
            one if isinstance(one, EncodingFailure) else {profile: one[profile] for profile in profiles}
            for one in found
        ]

    def encode_now(self, content: bytes, *, wanted: Callable[[], bool] = always) -> NDArray[np.float32]:
        """One picture, raw; never asked for in a back-test."""
        return self._inner.encode_now(content, wanted=wanted)

    def vectors(self, digest: str) -> dict[Profile, NDArray[np.float32]] | None:
        """(d,) under every profile; None when it was not encoded yet."""
        kept = self._files.get(self._kind, digest)
        if kept is None:
            return None
        rows = np.frombuffer(kept, np.float16).reshape(len(PROFILES), -1).astype(np.float32)
        return dict(zip(PROFILES, rows, strict=True))

    def _keep(
        self, digest: str, made: Mapping[Profile, NDArray[np.float32]]
    ) -> dict[Profile, NDArray[np.float32]] | EncodingFailure:
        with np.errstate(over="ignore"):  # an overflow shows as infinity in the next line
            rows = np.stack([made[profile] for profile in PROFILES]).astype(np.float16)
        if not np.isfinite(rows).all():
            return EncodingFailure("encoding_failed", "not finite")
        self._files.put(self._kind, digest, rows.tobytes())
        return dict(zip(PROFILES, rows.astype(np.float32), strict=True))

    @property
    def _kind(self) -> str:
        return f"vectors-{self.fingerprint[:32]}"


@dataclass(frozen=True)
class CachingSeparation:
    """Measures once how far file metadata tells the same pictures apart: it depends on no policy's heads."""

    files: DerivedFiles
    inner: Separate = separation

    def __call__(self, batch: Sequence[FileRow], others: Sequence[FileRow]) -> Separation | None:
        """As `separation`, to the bit."""
        sides = [[_measured_of(row) for row in side] for side in (batch, others)]
        digest = sha256(json.dumps([_MADE_BY, *sides]).encode()).hexdigest()
        kept = self.files.get("separations", digest)
        if kept is not None:
            fields = json.loads(kept)
            return None if fields is None else Separation(**fields)
        found = self.inner(batch, others)
        text = json.dumps(None if found is None else dataclasses.asdict(found))
        self.files.put("separations", digest, text.encode())
        return found


def _measured_of(row: FileRow) -> tuple[object, ...]:
    """Everything of a row that the measurement reads."""
    return row.group, row.fold, row.format, row.width, row.height, row.size, dataclasses.astuple(row.facts)
