"""An inbox on this machine: inbox/real/<collection>/… and inbox/<family>/…, or a sidecar labels.csv at its top.

A first-level folder `real` holds real pictures, its folders name the photo collection (the source); any other
first-level folder is a generator family. Pictures directly in the inbox have no label. The sidecar has the columns of
a manifest (uri relative to the inbox, label; claims only): a row with a label replaces what the folders say, a row
without one adds to it. Hidden files are ignored, files still being written wait for the next poll.

The cursor must stay small and lose nothing, whatever the clocks of the files say. So files are spread over 256 buckets
by the hash of their path, and the cursor holds for each bucket how far it was delivered in the order of (change time,
digest) and the combined digest of everything up to there (10 kB in all). New files lie behind the mark and are
delivered alone. Where the digest does not fit (a file was changed, labelled, removed, or moved in with its old times)
that bucket is delivered again: 1/256 of the inbox, harmless downstream. Removing files therefore costs reading others.

With `archive`, a poll first moves away the pictures that its cursor covers: a cursor is durable only together with its
samples, so what is moved is taken in. What was refused stays where it lies, for somebody to look at.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, ValidationError, model_validator

from adapters.archive import put_away
from adapters.batching import EXTENSIONS, MAX_BYTES, batched, refused
from adapters.patterns import wanted
from adapters.records import CLAIMS, BadRecord, claims_of, released_on, text_of
from adapters.tables import read_rows
from daemon.errors import BadInputError
from daemon.model import Batch, Candidate
from daemon.slug import complaint, is_slug

SIDECAR = "labels.csv"
BUCKETS = 256
DEEPEST = 32  # folders inside each other; no inbox needs more, and a prank must not exhaust the stack


class FolderOptions(BaseModel):
    """Options of the folder adapter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str  # the inbox
    settle: NonNegativeFloat = 2.0  # seconds without a change after which a file counts as written
    max_bytes: PositiveInt = MAX_BYTES  # of one picture
    include: tuple[str, ...] = ()  # shell patterns of paths in the inbox, `*` goes over slashes; none: every file
    exclude: tuple[str, ...] = ()  # what fits one of these is not looked at
    archive: str | None = None  # folder that pictures are moved to once they are taken in; null: they stay

    @model_validator(mode="after")
    def _archive_is_not_polled(self) -> FolderOptions:
        if self.archive is not None:
            inbox, archive = Path(self.path).expanduser().resolve(), Path(self.archive).expanduser().resolve()
            inside = archive.relative_to(inbox).parts if archive.is_relative_to(inbox) else None
            if inside is not None and not any(part.startswith(".") for part in inside):
                raise ValueError("archive lies in the inbox, it would be taken in again; use a folder outside of it")
            if inbox.is_relative_to(archive) and inbox != archive:
                raise ValueError("the inbox lies in the archive; use two folders beside each other")
        return self

    def digest(self) -> str:
        """Return 16 hex digits that change with any option, but for where the pictures go afterwards."""
        return hashlib.sha256(self.model_dump_json(exclude={"archive"}).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """Something in the inbox; ordered by when it came."""

    stamp: int  # ns; of the last change that the kernel saw, which copying or renaming a file cannot put back
    digest: bytes  # (6,) of everything that a delivery of it depends on
    bucket: int
    path: str  # relative to the inbox
    size: int  # bytes
    mtime: int  # ns
    problem: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a bucket was delivered."""

    stamp: int = -1
    digest: bytes = bytes(6)  # of the last entry
    combined: bytes = bytes(6)  # exclusive or of the digests up to and with it

    def after(self, entry: _Entry) -> _Mark:
        combined = bytes(a ^ b for a, b in zip(self.combined, entry.digest, strict=True))
        return _Mark(entry.stamp, entry.digest, combined)

    def pack(self) -> str:
        return base64.b64encode(self.stamp.to_bytes(8, "big") + self.digest + self.combined).decode("ascii")

    @classmethod
    def unpack(cls, text: str) -> _Mark:
        raw = base64.b64decode(text, validate=True)
        if len(raw) != 20:
            raise ValueError("a mark has 20 bytes")
        return cls(int.from_bytes(raw[:8], "big"), raw[8:14], raw[14:])


class _Cursor(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    options: str
    marks: dict[int, str] = Field(default_factory=dict)  # bucket -> packed mark


class FolderAdapter:
    """Delivers the pictures of an inbox."""

    kind: ClassVar[str] = "folder"
    Options: ClassVar[type[BaseModel]] = FolderOptions

    def __init__(self, name: str, options: FolderOptions) -> None:
        self.name = name
        self.options = options
        self._inbox = Path(options.path).expanduser()

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` candidates that the cursor does not cover, oldest first.

        Raises BadInputError when the inbox or its sidecar is unreadable.
        """
        sidecar = _read_sidecar(self._inbox / SIDECAR)
        entries = sorted(self._entries(sidecar, now))
        marks, due = _due(entries, self._resume(cursor))
        if self.options.archive is not None:
            marks = self._put_away(entries, marks, Path(self.options.archive).expanduser())

        def candidates() -> Iterator[Candidate]:
            for entry in due:
                candidate = self._candidate(entry, sidecar.get(entry.path))
                if candidate is not None:
                    marks[entry.bucket] = marks.get(entry.bucket, _Mark()).after(entry)
                    yield candidate

        def position() -> str:
            packed = {bucket: mark.pack() for bucket, mark in sorted(marks.items())}
            return _Cursor(options=self.options.digest(), marks=packed).model_dump_json()

        yield from batched(candidates(), position, budget)

    def _put_away(self, entries: list[_Entry], marks: dict[int, _Mark], archive: Path) -> dict[int, _Mark]:
        """Move what the marks cover into the archive; returns the marks of what is left.

        The cursor that this poll was given is durable, so are the samples that it covers. A kill in between leaves
        marks that do not fit: the rest of those buckets is delivered again, and moved in the poll after.
        """
        left: dict[int, _Mark] = {}
        for entry in entries:
            mark = marks.get(entry.bucket)
            if mark is None or (entry.stamp, entry.digest) > (mark.stamp, mark.digest):
                continue
            try:
                moved = not entry.problem and self._is_as_taken_in(entry)
                if moved:
                    put_away(self._inbox / entry.path, archive, entry.path)
            except OSError as error:
                raise BadInputError(f"{archive}: the archive cannot be written: {error.strerror or error}") from None
            if not moved:
                left[entry.bucket] = left.get(entry.bucket, _Mark()).after(entry)
        return left

    def _is_as_taken_in(self, entry: _Entry) -> bool:
        """Say whether the file is still the one that was listed, and no link: what came since is not taken in yet."""
        try:
            about = os.lstat(self._inbox / entry.path)
        except FileNotFoundError:
            return False
        return stat.S_ISREG(about.st_mode) and (about.st_size, about.st_ctime_ns) == (entry.size, entry.stamp)

    def _resume(self, cursor: str | None) -> dict[int, _Mark]:
        if cursor is None:
            return {}
        try:
            at = _Cursor.model_validate_json(cursor)
            marks = {bucket: _Mark.unpack(text) for bucket, text in at.marks.items()}
        except (ValidationError, ValueError):
            return {}  # of another kind of adapter under the same name: start over, repeats are harmless
        return marks if at.options == self.options.digest() else {}

    def _entries(self, sidecar: Mapping[str, Mapping[str, object] | str], now: datetime) -> Iterator[_Entry]:
        """Yield what may be delivered now: settled, and of a family that is released."""
        wall = time.time_ns()  # files carry the machine's time, whatever clock drives the service
        for entry in self._walk(self._inbox, ""):
            # a time in the future says nothing: waiting for it could take years
            if not entry.problem and 0 <= wall - entry.mtime < self.options.settle * 1e9:
                continue
            row = sidecar.get(entry.path)
            if isinstance(row, Mapping) and not _is_released(row, now):
                continue
            yield entry if row is None else _tied(entry, row)

    def _walk(self, folder: Path, prefix: str) -> Iterator[_Entry]:
        try:
            with os.scandir(folder) as found:
                items = sorted(found, key=lambda item: item.name)
        except OSError as error:
            why = error.strerror or type(error).__name__
            if not prefix:
                raise BadInputError(f"{folder}: the inbox cannot be read: {why}") from None
            yield _entry(prefix, os.lstat(folder), "unreadable", f"the folder cannot be read: {why}")
            return
        for item in items:
            path = f"{prefix}{item.name}"
            if item.name.startswith(".") or path == SIDECAR:
                continue
            try:
                if item.is_dir(follow_symlinks=False) and path.count("/") >= DEEPEST:
                    yield _entry(f"{path}/", item.stat(), "bad_record", f"lies over {DEEPEST} folders deep")
                elif item.is_dir(follow_symlinks=False):
                    yield from self._walk(folder / item.name, f"{path}/")
                elif wanted(path, self.options.include, self.options.exclude):
                    yield self._file(folder / item.name, path, item.is_symlink())
            except FileNotFoundError:
                continue  # gone since the folder was listed

    def _file(self, file: Path, path: str, linked: bool) -> _Entry:
        about = os.lstat(file)
        if linked:
            real = Path(os.path.realpath(file))
            if not real.is_relative_to(os.path.realpath(self._inbox)):
                return _entry(path, about, "bad_record", "a link that leaves the inbox is not followed")
            try:
                target = real.stat()
            except OSError as error:
                return _entry(path, about, "unreadable", f"a broken link: {error.strerror}")
            if stat.S_ISDIR(target.st_mode):
                return _entry(path, about, "bad_record", "a link to a folder is not followed")
            about = target
        return _file_entry(path, about)

    def _candidate(self, entry: _Entry, row: Mapping[str, object] | str | None) -> Candidate | None:
        """Return the delivery; None when the file went away or changed since it was listed."""
        uri = entry.path.encode("utf-8", "backslashreplace").decode("utf-8")
        claimed = Candidate(uri=uri)
        if entry.problem:
            return refused(claimed, entry.problem, f"{uri}: {entry.detail}")
        try:
            claimed = _claim(claimed, entry.path, row)
        except BadRecord as error:
            return refused(claimed, "bad_record", f"{uri}: {error}")
        if entry.size > self.options.max_bytes:
            return refused(claimed, "too_many_bytes", f"{uri} has {entry.size:,} bytes")
        try:
            content = self._read(entry)
        except FileNotFoundError:
            return None
        except OSError as error:
            # a full descriptor table is this process's trouble, not the picture's
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            return refused(claimed, "unreadable", f"{uri}: {error.strerror or type(error).__name__}")
        return None if content is None else replace(claimed, content=content)

    def _read(self, entry: _Entry) -> bytes | None:
        # the path was resolved and checked: what is a link by now was put there since
        real = os.path.realpath(self._inbox / entry.path)
        if not Path(real).is_relative_to(os.path.realpath(self._inbox)):
            return None
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            content = stream.read(self.options.max_bytes + 1)
            about = os.fstat(descriptor)
        same = (about.st_size, about.st_mtime_ns, len(content)) == (entry.size, entry.mtime, entry.size)
        return content if same else None


def _due(entries: list[_Entry], marks: dict[int, _Mark]) -> tuple[dict[int, _Mark], list[_Entry]]:
    """Return the marks that still hold, and the entries (in order) that they do not cover."""
    covered: dict[int, _Mark] = {}
    for entry in entries:
        mark = marks.get(entry.bucket)
        if mark is not None and (entry.stamp, entry.digest) <= (mark.stamp, mark.digest):
            covered[entry.bucket] = covered.get(entry.bucket, _Mark()).after(entry)
    held = {bucket: mark for bucket, mark in marks.items() if covered.get(bucket) == mark}
    due = [
        entry
        for entry in entries
        if entry.bucket not in held
        or (entry.stamp, entry.digest) > (held[entry.bucket].stamp, held[entry.bucket].digest)
    ]
    return held, due


def _entry(path: str, about: os.stat_result, problem: str = "", detail: str = "") -> _Entry:
    name = os.fsencode(path)
    facts = b"\0".join((name, f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns} {problem}".encode()))
    return _Entry(
        stamp=max(about.st_ctime_ns, 0),
        digest=hashlib.sha256(facts).digest()[:6],
        bucket=hashlib.sha256(name).digest()[0] % BUCKETS,
        path=path,
        size=about.st_size,
        mtime=about.st_mtime_ns,
        problem=problem,
        detail=detail,
    )


def _file_entry(path: str, about: os.stat_result) -> _Entry:
    if not path.lower().endswith(EXTENSIONS):
        return _entry(path, about, "format_not_allowed", f"is not {', '.join(EXTENSIONS)}")
    if not stat.S_ISREG(about.st_mode):
        return _entry(path, about, "unreadable", "is no plain file")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return _entry(path, about, "bad_record", "the file name is not UTF-8")
    return _entry(path, about)


def _tied(entry: _Entry, row: Mapping[str, object] | str) -> _Entry:
    """Let the entry's digest depend on its row too: a picture that gets labelled later is delivered again."""
    facts = entry.digest + json.dumps(row, sort_keys=True).encode()
    return replace(entry, digest=hashlib.sha256(facts).digest()[:6])


def _read_sidecar(file: Path) -> dict[str, Mapping[str, object] | str]:
    """Return the claims of every row by its uri, or why they cannot be used; empty without a sidecar."""
    rows: dict[str, Mapping[str, object] | str] = {}
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return rows
    except OSError as error:
        raise BadInputError(f"{file}: cannot be read: {error.strerror}") from None
    with stream:
        for number, row in enumerate(read_rows(stream, "csv", str(file)), start=1):
            if isinstance(row, str):
                raise BadInputError(f"{file}: row {number} {row}")
            uri = text_of(row, "uri")
            if uri is None:
                raise BadInputError(f"{file}: row {number} has no uri")
            uri = os.path.normpath(uri)
            twice = f"{SIDECAR} has more than one row for it, the last is row {number}"
            rows[uri] = twice if uri in rows else {column: row[column] for column in CLAIMS if column in row}
    return rows


def _is_released(row: Mapping[str, object], now: datetime) -> bool:
    try:
        released = claims_of(row).released
    except BadRecord:
        return True  # delivered as such
    return released is None or released_on(released) <= now.date()


def _claim(candidate: Candidate, path: str, row: Mapping[str, object] | str | None) -> Candidate:
    """Return the candidate with what its folders and its row claim. Raises BadRecord when they may not say so."""
    if isinstance(row, str):
        raise BadRecord(row)
    top, *below = path.split("/")[:-1] or [""]
    cells = dict(row or {})
    label_given = text_of(cells, "label") is not None
    if top and not label_given:
        if top == "real":
            cells["label"] = "real"
            cells["source"] = text_of(cells, "source") or (below[0] if below else None)
        elif is_slug(top):
            cells["label"] = "synthetic"
            cells["family"] = text_of(cells, "family") or top
        else:
            raise BadRecord(f"folder {top!r}: {complaint(top)}")
    return claims_of(cells).on(candidate)
