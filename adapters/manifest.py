"""A list of pictures, of precomputed vectors or of outside scores: CSV, JSONL or Parquet, here or at an fsspec URL.

Columns: uri and label are required; family, kind, released, group, source, caption, seed, generation (a JSON object),
licence, consent and sha256 are optional; others are ignored. A row with `vector` and `vector_fingerprint`, or with
`score` and `detector`, stands for its picture, which is then not read; such a row needs its sha256.

The cursor holds how many rows were gone through, their digest, the options' digest and the day up to which releases
were let through. A manifest that grew continues behind those rows; one whose earlier rows changed, or other options,
start over: deliveries may be repeated without harm, never lost. A row whose family is not released yet is held back
and delivered first once its day has come.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Annotated, ClassVar, Literal

import fsspec
import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError

from adapters.addresses import on_the_web, shown
from adapters.batching import MAX_BYTES, batched
from adapters.lines import first_line
from adapters.patterns import wanted
from adapters.pictures import Pictures
from adapters.records import BadRecord, Claims, claims_of, released_on, score_of, text_of, vector_of
from adapters.tables import FORMATS, Format, Row, read_rows
from daemon.errors import BadInputError
from daemon.model import Batch, Candidate
from daemon.slug import complaint, is_slug

if TYPE_CHECKING:  # imported where a manifest lies on the web: most do not, and a poll is to start soon
    from adapters.fetching import Fetcher
    from adapters.web_pictures import WebPictures


def _slug(name: str) -> str:
    if not is_slug(name):
        raise ValueError(complaint(name))
    return name


def _as_text(value: object) -> object:
    # YAML reads `2021` as a number and `2021-05-01` as a date
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _date(text: str) -> str:
    released_on(text)
    return text


FamilyName = Annotated[str, AfterValidator(_slug)]
ReleaseDate = Annotated[str, BeforeValidator(_as_text), AfterValidator(_date)]


class FamilyFilter(BaseModel):
    """Which families are delivered; says nothing about real pictures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: tuple[FamilyName, ...] | None = None  # None: all
    exclude: tuple[FamilyName, ...] = ()


class ReleasedFilter(BaseModel):
    """Which release dates are delivered; says nothing about real pictures. A month counts as its first day."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: ReleaseDate | None = Field(default=None, alias="from")  # that day or later
    before: ReleaseDate | None = None  # earlier than that day
    undated: Literal["include", "exclude"] = "exclude"  # rows without a date, when `from` or `before` is given


class ManifestOptions(BaseModel):
    """Options of the manifest adapter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str  # local path or fsspec URL
    format: Format | None = None  # None: by the extension
    root: str | None = None  # folder that uris are relative to; None: the manifest's own
    families: FamilyFilter = FamilyFilter()
    released: ReleasedFilter = ReleasedFilter()
    labels: tuple[Literal["real", "synthetic", "unknown"], ...] = ("real", "synthetic", "unknown")
    include: tuple[str, ...] = ()  # shell patterns of uris, `*` goes over slashes; none: every row
    exclude: tuple[str, ...] = ()  # rows whose uri fits one of these are left out
    limit: PositiveInt | None = None  # only the first rows that pass the filters; rows that cannot be read do not count
    max_bytes: PositiveInt = MAX_BYTES  # of one picture
    allowed_hosts: tuple[str, ...] = ()  # `host` or `host:port` that may speak http and may lie in the own network

    def digest(self) -> str:
        """Return 16 hex digits that change with any option: what was refused under the old ones may pass now."""
        unset = None if self.allowed_hosts else {"allowed_hosts"}  # cursors are older than this option
        return hashlib.sha256(self.model_dump_json(exclude=unset).encode()).hexdigest()[:16]


class _Cursor(BaseModel):
    """Rows before `rows` released by `through` are delivered, and those in `late` before its row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: str
    rows: int = Field(ge=0)
    digest: str  # of those rows
    through: date
    late: tuple[int, date] | None = None  # going through the rows held back once more: up to which row, for which day


@dataclass(frozen=True, slots=True)
class _Item:
    """A row that passed the filters."""

    candidate: Candidate  # without the picture
    released: date | None
    read: bool  # the picture is still to be read


def _until_outage(
    pictures: WebPictures, candidates: Iterator[Candidate], cursor: Callable[[], str], budget: int
) -> Iterator[Batch]:
    from adapters.web_pictures import UntilOutage

    there = UntilOutage(pictures, candidates, cursor)
    yield from batched(there, there.cursor, budget)
    if there.outage is not None:
        raise BadInputError(f"the server of the pictures is in trouble; the next poll goes on there: {there.outage}")


class ManifestAdapter:
    """Delivers what a manifest lists."""

    kind: ClassVar[str] = "manifest"
    Options: ClassVar[type[BaseModel]] = ManifestOptions

    def __init__(self, name: str, options: ManifestOptions) -> None:
        self.name = name
        self.options = options

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` candidates behind the cursor whose family is released by `now`, in file order.

        Raises BadInputError when the manifest is absent, unreadable, or lacks a required column.
        """
        with self._open() as (stream, pictures):
            walk = _Walk(self, pictures, now.date())
            walk.resume(cursor, stream)
            stream.seek(0)
            candidates = walk.candidates(stream)
            if isinstance(pictures, Pictures):
                yield from batched(candidates, walk.cursor, budget)
            else:
                yield from _until_outage(pictures, candidates, walk.cursor, budget)

    @property
    def title(self) -> str:
        """What messages call the manifest: without what may be a secret in its address."""
        return shown(self.options.path) if on_the_web(self.options.path) else self.options.path

    def rows(self, stream: IO[bytes]) -> Iterator[Row]:
        """Yield the rows of the opened manifest."""
        kind = self.options.format or FORMATS.get(PurePosixPath(self.title.split("::")[0]).suffix.lower())
        if kind is None:
            raise BadInputError(
                f"{self.title}: not .csv, .jsonl or .parquet; name the file so or set the option `format`"
            )
        return read_rows(stream, kind, self.title)

    @contextmanager
    def _open(self) -> Iterator[tuple[IO[bytes], Pictures | WebPictures]]:
        with self._fetcher() as fetcher:
            try:
                pictures = self._pictures(fetcher)
                stream = self._list(fetcher)
            except FileNotFoundError:
                raise BadInputError(f"{self.title}: there is no such manifest") from None
            except BadInputError:
                raise
            except (OSError, ImportError, ValueError) as error:
                raise BadInputError(f"{self.title}: cannot be opened: {first_line(error)}") from None
            except Exception as error:  # what the client of an object store raises is of its own kind
                raise BadInputError(f"{self.title}: cannot be opened: {first_line(error)} (see `secrets`)") from error
            with stream:
                yield stream, pictures

    def _fetcher(self) -> AbstractContextManager[Fetcher | None]:
        if not on_the_web(self.options.path) and not on_the_web(self.options.root or ""):
            return nullcontext()
        from adapters.web_pictures import fetching

        return fetching(self.options.allowed_hosts)

    def _list(self, fetcher: Fetcher | None) -> IO[bytes]:
        if fetcher is not None and on_the_web(self.options.path):
            from adapters.web_pictures import fetch_list

            return fetch_list(fetcher, self.options.path)
        files, inner = fsspec.core.url_to_fs(self.options.path)
        opened: IO[bytes] = files.open(inner, "rb")
        return opened

    def _pictures(self, fetcher: Fetcher | None) -> Pictures | WebPictures:
        options = self.options
        where = options.root or posixpath.dirname(options.path.partition("?")[0])
        if fetcher is not None and on_the_web(where):
            from adapters.web_pictures import WebPictures

            return WebPictures(fetcher, where, options.max_bytes)
        files, inner = fsspec.core.url_to_fs(options.root or options.path)
        return Pictures(files, inner if options.root is not None else posixpath.dirname(inner), options.max_bytes)


class _Walk:
    """One poll's way through the rows: first those held back until now, then those never seen."""

    def __init__(self, adapter: ManifestAdapter, pictures: Pictures | WebPictures, today: date) -> None:
        self._adapter = adapter
        self._options = adapter.options
        self._pictures = pictures
        self._today = today
        self._start = _Cursor(options=self._options.digest(), rows=0, digest=_Digest().hex(), through=today)
        self._at = self._start

    def cursor(self) -> str:
        """Return the cursor behind the last candidate taken."""
        return self._at.model_dump_json(exclude_none=True)

    def resume(self, cursor: str | None, stream: IO[bytes]) -> None:
        """Go on from the cursor when it is of these options and of these rows, start over otherwise."""
        if cursor is None:
            return
        try:
            at = _Cursor.model_validate_json(cursor)
        except ValidationError:
            return  # of another kind of adapter under the same name: repeats are harmless, a guess is not
        if at.options != self._start.options:
            return
        digest = _Digest()
        rows = self._adapter.rows(stream)
        seen = 0
        while seen < at.rows:
            row = next(rows, None)
            if row is None:
                return
            digest.add(row)
            seen += 1
        if digest.hex() == at.digest:
            if at.through > self._today or (at.late is not None and at.late[1] > self._today):
                # the clock was put back: releases since its new day are let through a second time
                at = at.model_copy(update={"through": min(at.through, self._today), "late": None})
            self._at = at

    def candidates(self, stream: IO[bytes]) -> Iterator[Candidate]:
        """Yield what is due; `cursor()` between two of them resumes behind the first."""
        if self._at.late is not None:
            yield from self._late(stream)
        if self._at.through < self._today:
            self._at = self._at.model_copy(update={"late": (0, self._today)})
            yield from self._late(stream)
        yield from self._fresh(stream)

    def _late(self, stream: IO[bytes]) -> Iterator[Candidate]:
        assert self._at.late is not None
        first, day = self._at.late
        stream.seek(0)
        for number, item, _ in self._items(stream, first):
            if number >= self._at.rows:
                break
            if number < first or item is None or item.released is None:
                continue
            if self._at.through < item.released <= day:
                self._at = self._at.model_copy(update={"late": (number + 1, day)})
                yield self._complete(item)
        self._at = self._at.model_copy(update={"late": None, "through": max(day, self._at.through)})

    def _fresh(self, stream: IO[bytes]) -> Iterator[Candidate]:
        stream.seek(0)
        first, expected = self._at.rows, self._at.digest
        for number, item, digest in self._items(stream, first):
            if number < first:
                if number == first - 1 and digest != expected:
                    raise BadInputError(f"{self._adapter.title}: changed while it was read; the next poll starts over")
                continue
            self._at = self._at.model_copy(update={"rows": number + 1, "digest": digest})
            if item is not None and (item.released is None or item.released <= self._today):
                yield self._complete(item)

    def _items(self, stream: IO[bytes], skip: int) -> Iterator[tuple[int, _Item | None, str]]:
        """Yield (row number from 0, what passed the filters, digest of the rows up to and with this one).

        Rows before `skip` are of no interest: they are looked at only where `limit` has to count them.
        """
        digest = _Digest()
        passed = 0
        for number, row in enumerate(self._adapter.rows(stream)):
            digest.add(row)
            if number < skip and self._options.limit is None:
                yield number, None, digest.hex()
                continue
            item = self._item(number + 1, row)
            if item is not None and item.candidate.problem is None:
                passed += 1
                if self._options.limit is not None and passed > self._options.limit:
                    item = None
            yield number, item, digest.hex()

    def _item(self, number: int, row: Row) -> _Item | None:
        if isinstance(row, str):
            return self._bad(f"row-{number}", number, row)
        uri = None
        try:
            uri = text_of(row, "uri")
            if uri is None:
                raise BadRecord("uri is empty")
            if not wanted(uri, self._options.include, self._options.exclude):
                return None
            claims = claims_of(row)
            vector = vector_of(row)
            scores = score_of(row)
            if (vector or scores) and claims.sha256 is None:
                raise BadRecord("a vector or a score instead of a picture needs the picture's sha256")
            if not (vector or scores):
                self._pictures.locate(uri)
        except BadRecord as error:
            return self._bad(uri or f"row-{number}", number, str(error))
        if not passes(self._options, claims):
            return None
        values, fingerprint = vector or (None, None)
        return _Item(
            claims.on(Candidate(uri=uri, vector=values, vector_fingerprint=fingerprint, outside_scores=scores)),
            None if claims.released is None else released_on(claims.released),
            read=not (vector or scores),
        )

    def _bad(self, uri: str, number: int, why: str) -> _Item:
        detail = f"row {number} of {self._adapter.title}: {why}"
        return _Item(Candidate(uri=uri, problem="bad_record", problem_detail=detail), None, read=False)

    def _complete(self, item: _Item) -> Candidate:
        return self._pictures.read(item.candidate) if item.read else item.candidate


def passes(options: ManifestOptions, claims: Claims) -> bool:
    """Say whether a row's claims pass the filters; those on family and release date leave real pictures alone."""
    if (claims.label or "unknown") not in options.labels:
        return False
    if claims.label == "real":
        return True
    families, released = options.families, options.released
    if families.include is not None and claims.family not in families.include:
        return False
    if claims.family in families.exclude:
        return False
    if released.from_ is None and released.before is None:
        return True
    if claims.released is None:
        return released.undated == "include"
    day = released_on(claims.released)
    late_enough = released.from_ is None or day >= released_on(released.from_)
    return late_enough and (released.before is None or day < released_on(released.before))


class _Digest:
    """Running digest of rows; two manifests agree on it when every column that means something does."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, row: Row) -> None:
        self._hash.update(json.dumps(row, sort_keys=True, default=_plain).encode("utf-8", "surrogatepass") + b"\n")

    def hex(self) -> str:
        return self._hash.hexdigest()[:32]


def _plain(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}:{hashlib.sha256(value.tobytes()).hexdigest()}"
    return str(value)
