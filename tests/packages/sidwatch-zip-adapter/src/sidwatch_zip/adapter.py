"""The adapter `zip`."""

import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from adapters.base import BadInputError, Batch, Candidate
from adapters.batching import EXTENSIONS, MAX_BYTES, batched


class ZipOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    family: str


class ZipAdapter:
    """Delivers the pictures of one family from an archive, in the order of the archive."""

    kind: ClassVar[str] = "zip"
    Options: ClassVar[type[BaseModel]] = ZipOptions

    def __init__(self, name: str, options: ZipOptions) -> None:
        self.name = name
        self.options = options

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        try:
            archive = zipfile.ZipFile(self.options.path)
        except (OSError, zipfile.BadZipFile) as error:
            raise BadInputError(f"{self.options.path}: not readable as a ZIP archive: {error}") from None
        with archive:
            members = [item for item in archive.infolist() if item.filename.lower().endswith(EXTENSIONS)]
            done = self._done(cursor, members)

            def candidates() -> Iterator[Candidate]:
                nonlocal done
                for item in members[done:]:
                    done += 1
                    yield self._candidate(archive, item)

            yield from batched(candidates(), lambda: f"{done}:{self._mark(members, done)}", budget)

    def _candidate(self, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Candidate:
        family = self.options.family
        if item.file_size > MAX_BYTES:
            return Candidate(uri=item.filename, problem="too_many_bytes", problem_detail=f"{item.file_size} bytes")
        try:
            content = archive.read(item)
        except (OSError, zipfile.BadZipFile) as error:
            return Candidate(uri=item.filename, problem="unreadable", problem_detail=str(error))
        return Candidate(uri=item.filename, content=content, label="synthetic", family=family)

    def _done(self, cursor: str | None, members: list[zipfile.ZipInfo]) -> int:
        """How many members the cursor covers; 0 when they are not the ones that it was made for."""
        count, _, mark = (cursor or "").partition(":")
        known = count.isdigit() and 0 < int(count) <= len(members)
        return int(count) if known and self._mark(members, int(count)) == mark else 0

    def _mark(self, members: list[zipfile.ZipInfo], count: int) -> str:
        last = members[count - 1]
        return f"{last.CRC:08x}{last.header_offset:x}"
