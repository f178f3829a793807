"""Tar shards in the WebDataset format, here or at an fsspec URL: 000.jpg with 000.json and 000.txt beside it.

The JSON file of a sample holds its claims (columns of a manifest, or mapped by `columns`), the text file its caption.
A sample without a picture, with JSON that is none, with a member twice or too large is a bad record and skipped; a
shard that breaks off is reported as one, what came before it counts.

The cursor holds how many shards are done, how many samples of the next one, and the digest of those shards' names and
sizes. When they changed, or the options did, the adapter starts over. A sample whose family is not released yet holds
up what lies behind it until that day.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO, Any, ClassVar

import fsspec
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from webdataset.shardlists import expand_urls
from webdataset.tariterators import group_by_keys

from adapters.batching import EXTENSIONS, MAX_BYTES, batched, refused
from adapters.lines import first_line
from adapters.mapping import BadRecord, ItemMapping, is_released
from adapters.web_shards import storage_options
from daemon.errors import BadInputError
from daemon.model import Batch, Candidate

_PICTURES = tuple(extension[1:] for extension in EXTENSIONS)
_EXTENDED = (  # what says more of the next member, such as a long name
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_TEXTS = (".json", ".txt", ".cls")
_LARGEST_TEXT = 2**20  # bytes of a JSON or text member


class WebdatasetOptions(ItemMapping):
    """Options of the webdataset adapter."""

    path: str  # shards: a path or URL with braces ({000..017}) or a pattern (*)
    max_bytes: PositiveInt = MAX_BYTES  # of one picture

    def digest(self) -> str:
        """Return 16 hex digits that change with any option."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class _Cursor(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    options: str
    shards: int = Field(0, ge=0)  # shards that are done
    samples: int = Field(0, ge=0)  # of the next one
    digest: str = ""  # of the shards that it speaks of


@dataclass(frozen=True, slots=True)
class _Shard:
    files: Any  # the fsspec file system
    path: str
    size: int  # bytes

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _TooLarge:
    """In place of a member's bytes."""

    size: int


class _Strict(tarfile.TarInfo):
    """A header that cannot be read is an error: tarfile itself takes it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Strict:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDED and header.size > _LARGEST_TEXT:  # tarfile would read it as a whole
            raise tarfile.InvalidHeaderError(f"an extended header of {header.size:,} bytes")  # type: ignore[attr-defined]
        return header

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Strict:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the mark at the end: as it should be
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"breaks off at byte {archive.offset:,}: {error}") from None


class WebdatasetAdapter:
    """Delivers the samples of tar shards, shard by shard."""

    kind: ClassVar[str] = "webdataset"
    Options: ClassVar[type[BaseModel]] = WebdatasetOptions

    def __init__(self, name: str, options: WebdatasetOptions) -> None:
        self.name = name
        self.options = options

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` candidates behind the cursor.

        Raises BadInputError when there are no shards or the first look at them fails.
        """
        shards = self._shards()
        at = self._resume(cursor, shards)

        def candidates() -> Iterator[Candidate]:
            nonlocal at
            for number in range(at.shards, len(shards)):
                for done, candidate in enumerate(self._candidates(shards[number]), start=1):
                    if done <= at.samples:
                        continue
                    if not is_released(candidate, now):
                        return
                    at = self._cursor(shards, number, done)
                    yield candidate
                at = self._cursor(shards, number + 1, 0)

        yield from batched(candidates(), lambda: at.model_dump_json(), budget)

    def _shards(self) -> list[_Shard]:
        found: list[_Shard] = []
        try:
            for address in expand_urls(self.options.path):
                files, path = fsspec.core.url_to_fs(address, **storage_options(address))
                paths = sorted(files.glob(path)) if "*" in path else [path]
                found += [_Shard(files, one, int(files.info(one)["size"] or 0)) for one in paths]
        except FileNotFoundError:
            raise BadInputError(f"{self.options.path}: there is no shard {address}") from None
        except (OSError, ImportError, ValueError) as error:
            raise BadInputError(f"{self.options.path}: cannot be opened: {first_line(error)}") from None
        except Exception as error:  # what the client of an object store raises is of its own kind
            why = f"cannot be opened: {first_line(error)} (see `secrets`)"
            raise BadInputError(f"{self.options.path}: {why}") from error
        if not found:
            raise BadInputError(f"{self.options.path}: no shard fits")
        return found

    def _cursor(self, shards: list[_Shard], done: int, samples: int) -> _Cursor:
        spoken_of = shards[: done + (samples > 0)]
        facts = "".join(f"{shard.path} {shard.size}\n" for shard in spoken_of)
        digest = hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return _Cursor(options=self.options.digest(), shards=done, samples=samples, digest=digest)

    def _resume(self, cursor: str | None, shards: list[_Shard]) -> _Cursor:
        start = self._cursor(shards, 0, 0)
        if cursor is None:
            return start
        try:
            at = _Cursor.model_validate_json(cursor)
        except ValidationError:
            return start  # of another kind of adapter under the same name: repeats are harmless, a guess is not
        return at if at == self._cursor(shards, at.shards, at.samples) else start

    def _candidates(self, shard: _Shard) -> Iterator[Candidate]:
        twice: list[str] = []

        def note(error: Exception) -> bool:
            twice.append(str(error.args[0]))
            return True

        try:
            with shard.files.open(shard.path, "rb") as stream:
                for sample in group_by_keys(self._members(stream, shard), handler=note):
                    yield self._candidate(shard, sample, twice)
                    twice.clear()
        except (tarfile.TarError, EOFError, OSError) as error:
            uri = f"{shard.name}#end"
            yield refused(Candidate(uri), "unreadable", f"{shard.name}: {first_line(error)}"[:300])

    def _members(self, stream: IO[bytes], shard: _Shard) -> Iterator[dict[str, object]]:
        with tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Strict) as archive:
            for member in archive:
                if not member.isreg() or member.name.rpartition("/")[2].startswith("__"):
                    continue
                yield {"fname": member.name, "data": self._data(archive, member), "__url__": shard.path}
                archive.members = []  # type: ignore[attr-defined]  # else it remembers every header of the shard

    def _data(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | _TooLarge:
        name = member.name.lower()
        if not name.endswith((*EXTENSIONS, *_TEXTS)):
            return b""  # never looked at, and a sample may have any number of such members
        most = self.options.max_bytes if name.endswith(EXTENSIONS) else _LARGEST_TEXT
        source = archive.extractfile(member)
        return _TooLarge(member.size) if member.size > most or source is None else source.read()

    def _candidate(self, shard: _Shard, sample: Mapping[str, Any], twice: list[str]) -> Candidate:
        extension = next((one for one in _PICTURES if one in sample), None)
        candidate = Candidate(f"{shard.name}/{sample['__key__']}{'' if extension is None else f'.{extension}'}")
        try:
            candidate.uri.encode()
            if twice:
                raise BadRecord(twice[0])
            candidate = self.options.claim(candidate, _said(sample))
        except UnicodeEncodeError:
            named = Candidate(candidate.uri.encode("utf-8", "backslashreplace").decode())
            return refused(named, "bad_record", f"{named.uri}: the member's name is not UTF-8")
        except BadRecord as error:
            return refused(candidate, "bad_record", f"{candidate.uri}: {error}"[:500])
        if extension is None:
            return refused(candidate, "bad_record", f"{candidate.uri}: no {', '.join(EXTENSIONS)} among its members")
        content = sample[extension]
        if isinstance(content, _TooLarge):
            return refused(candidate, "too_many_bytes", f"{candidate.uri} has {content.size:,} bytes")
        return replace(candidate, content=content)


def _said(sample: Mapping[str, Any]) -> dict[str, object]:
    """Return what a sample's JSON, text and class members say. Raises BadRecord."""
    said: dict[str, object] = {"key": sample["__key__"]}
    for extension, column in (("txt", "caption"), ("cls", "cls")):
        if extension in sample:
            said[column] = _text(sample[extension], extension)
    if "json" in sample:
        try:
            value = json.loads(_text(sample["json"], "json"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise BadRecord("its .json is not a JSON object")
        said |= value
    return said


def _text(data: bytes | _TooLarge, extension: str) -> str:
    if isinstance(data, _TooLarge):
        raise BadRecord(f"its .{extension} has {data.size:,} bytes")
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise BadRecord(f"its .{extension} is not UTF-8 text") from None
