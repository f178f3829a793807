"""The labelled collection that is replayed: read, checked, decoded and encoded once, before time begins."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

from daemon.backtest.cache import CachingEncoder, Pictures
from daemon.backtest.calendar import Entry
from daemon.errors import BadInputError
from daemon.intake.taking_in import examine
from daemon.model import PROFILES, Admission, EncodingFailure
from daemon.ports import DerivedFiles, Inspector, Poller, Progress
from daemon.settings import AdapterSettings, IntakeSettings

NAME = "collection"  # of the adapter that delivers it
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)  # by then everything is released
_EVERYTHING = 2**31 - 1
_CHUNK = 64  # pictures encoded between two looks at the progress
_FORM = 1  # of what is kept; another one is read anew
# What is wrong with the manifest itself; any other reason is a picture that the service, too, would refuse.
_MANIFEST_AT_FAULT = ("bad_record", "unreadable", "digest_mismatch")


@dataclass(frozen=True, slots=True)
class Collection:
    """The pictures of a manifest that can be replayed."""

    manifest: str
    digest: str  # sha256 of the manifest and of what pictures must be, hex
    entries: tuple[Entry, ...]  # every picture once, in the manifest's order
    rejected: Mapping[str, int]  # reason -> pictures that are no part of it


def adapter_of(manifest: Path) -> AdapterSettings:
    """The adapter that reads the manifest."""
    return AdapterSettings(
        name=NAME,
        kind="manifest",
        trust="trusted",
        budget=_EVERYTHING,
        deadline=timedelta(hours=12),
        options={"path": str(manifest)},
    )


def read_collection(
    manifest: Path, files: DerivedFiles, inspector: Inspector, poll: Poller, limits: IntakeSettings, progress: Progress
) -> Collection:
    """Read a manifest and keep its pictures; one that was read before, unchanged, is not read again.

    poll: of `adapter_of(manifest)`. Raises BadInputError, with the line and what to do, when the manifest is not
    what a back-test needs: every row labelled, every synthetic picture with its family and its release date.
    """
    try:
        content = manifest.read_bytes()
    except OSError as error:
        raise BadInputError(f"{manifest}: cannot be read ({error.strerror}): name a manifest of pictures") from error
    digest = sha256(json.dumps([_FORM, limits.model_dump(mode="json")]).encode() + content).hexdigest()
    kept = files.get("collections", digest)
    if kept is not None:
        known = json.loads(kept)
        return Collection(str(manifest), digest, tuple(Entry(**entry) for entry in known["entries"]), known["rejected"])
    reader = _Reader(manifest)
    pictures = Pictures(files)
    adapter = adapter_of(manifest)
    look = partial(examine, inspector=inspector, limits=limits)
    for batch in poll(NAME, adapter.kind, adapter.options, None, _EVERYTHING, _END_OF_TIME):
        # As many threads as there are decoders: each waits for the child that looks at its picture.
        with ThreadPoolExecutor(limits.decoders, "intake") as threads:
            for candidate, admission in zip(batch.candidates, threads.map(look, batch.candidates), strict=True):
                if reader.take(admission):
                    assert candidate.content is not None
                    pictures.put(admission.sha256, candidate.content)
                progress("read", reader.rows, 0)
    found = Collection(str(manifest), digest, tuple(reader.entries.values()), dict(reader.rejected))
    if not found.entries:
        raise BadInputError(f"{manifest}: not one picture of it can be used: {_counted(found.rejected)}")
    text = json.dumps({"entries": [asdict(entry) for entry in found.entries], "rejected": found.rejected})
    os.sync()  # a power cut must not leave the list without its pictures
    files.put("collections", digest, text.encode())
    return found


def encode_collection(
    collection: Collection, pictures: Pictures, encoder: CachingEncoder, progress: Progress
) -> Collection:
    """Encode what has no vectors yet; returns the collection without what cannot be encoded."""
    failed: dict[str, EncodingFailure] = {}
    missing = [entry.sha256 for entry in collection.entries if encoder.vectors(entry.sha256) is None]
    for start in range(0, len(missing), _CHUNK):
        chunk = missing[start : start + _CHUNK]
        outcomes = encoder.encode_many([pictures.get(digest) for digest in chunk], PROFILES)
        failed |= {d: o for d, o in zip(chunk, outcomes, strict=True) if isinstance(o, EncodingFailure)}
        progress("encode", start + len(chunk), len(missing))
    if not failed:
        return collection
    entries = tuple(entry for entry in collection.entries if entry.sha256 not in failed)
    rejected = Counter(collection.rejected) + Counter(failure.reason for failure in failed.values())
    return Collection(collection.manifest, collection.digest, entries, dict(rejected))


class _Reader:
    """Checks row after row; the adapter gives one candidate for each, in the manifest's order."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        self._released: dict[str, tuple[str, int]] = {}  # family -> date, and the row that gave it
        self._row_of: dict[str, int] = {}  # digest -> row
        self.rows = 0
        self.entries: dict[str, Entry] = {}  # by digest
        self.rejected: Counter[str] = Counter()

    def take(self, admission: Admission) -> bool:
        """Whether the row is a picture to keep. Raises BadInputError."""
        self.rows += 1
        if admission.reason in _MANIFEST_AT_FAULT:
            raise self._fault(self.rows, _without_place(admission.detail, self.rows, self._manifest))
        if admission.reason is not None:
            self.rejected[admission.reason] += 1
            return False
        candidate = admission.candidate
        if candidate.content is None:
            raise self._fault(self.rows, "has no picture: a back-test encodes pictures itself, name one in `uri`")
        if candidate.label is None:
            raise self._fault(self.rows, "has no label: write real or synthetic")
        if candidate.label == "synthetic":
            self._check_family(candidate.family, candidate.released)
        entry = Entry(
            candidate.uri,
            admission.sha256,
            candidate.label,
            candidate.family,
            candidate.source,
            candidate.group,
            candidate.released,
            candidate.kind,
        )
        before = self.entries.get(entry.sha256)
        if before is not None and (before.label, before.family) != (entry.label, entry.family):
            first = self._place(self._row_of[entry.sha256])
            raise self._fault(self.rows, f"is the picture of {first}, called otherwise: remove one of them")
        if before is None:
            self.entries[entry.sha256] = entry
            self._row_of[entry.sha256] = self.rows
        return before is None

    def _check_family(self, family: str | None, released: str | None) -> None:
        if family is None:
            raise self._fault(self.rows, "is synthetic without a family: write the generator's name into `family`")
        if released is None:
            raise self._fault(
                self.rows, f"{family} has no release date: write YYYY, YYYY-MM or YYYY-MM-DD into `released`"
            )
        before, row = self._released.setdefault(family, (released, self.rows))
        if before != released:
            raise self._fault(
                self.rows, f"{family} was released {released} here and {before} in {self._place(row)}: give it one date"
            )

    def _place(self, row: int) -> str:
        """Where a person finds the row; a cell with line breaks in it moves what follows."""
        if self._manifest.suffix.lower() == ".csv":
            return f"line {row + 1}"
        return f"line {row}" if self._manifest.suffix.lower() in (".jsonl", ".ndjson") else f"row {row}"

    def _fault(self, row: int, what: str) -> BadInputError:
        return BadInputError(f"{self._manifest}, {self._place(row)}: {what}")


def _without_place(detail: str, row: int, manifest: Path) -> str:
    """The adapter's words without its own `row N of FILE: `; what it says of a missing picture needs a way out."""
    said = detail.removeprefix(f"row {row} of {manifest}: ")
    return said if said != detail else f"{said}: correct the row or remove it"


def _counted(rejected: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in sorted(rejected.items())) or "it lists none"
