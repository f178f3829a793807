"""A dataset of the Hugging Face Hub at one commit, or a local folder in the same form, streamed row by row.

The columns are read as `adapters.mapping` says; names of a ClassLabel stand for its numbers. Pictures come undecoded:
as bytes in the rows, or as files of the same dataset. A path that leads out of the dataset is a bad record.

The cursor holds the rows done and the library's own mark of the place, which saves reading them again. A local folder
whose files changed, or other options, start over. A row whose family is not released yet holds up what lies behind it
until that day.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import datasets
import fsspec
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from adapters.batching import MAX_BYTES, batched, refused
from adapters.mapping import BadRecord, ItemMapping, is_released
from adapters.pictures import Pictures
from adapters.presets import PRESETS
from adapters.secrets import secret
from daemon.errors import BadInputError
from daemon.model import Batch, Candidate

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HfDatasetOptions(ItemMapping):
    """Options of the hf_dataset adapter."""

    preset: str | None = None  # a name of `adapters.presets`: fills in what is not given
    path: str  # `owner/name` on the Hub, or a folder
    revision: str | None = None  # of a dataset on the Hub, the commit: 40 hex digits
    config: str | None = None  # where the dataset has several
    split: str = "train"
    image: str = "image"  # column of the pictures
    token_variable: str | None = None  # environment variable (see `secrets`) with the Hub's token
    token_file: str | None = None  # or a file with it
    max_bytes: PositiveInt = MAX_BYTES  # of one picture

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("preset") is None:
            return given
        name = given["preset"]
        if name not in PRESETS:
            raise ValueError(f"no preset {str(name)[:40]!r}; there are {', '.join(sorted(PRESETS))}")
        return {**PRESETS[name], **given}

    @model_validator(mode="after")
    def _pinned(self) -> HfDatasetOptions:
        if self.is_local():
            if self.revision is not None:
                raise ValueError("revision: a folder has none")
        elif not _REPOSITORY.fullmatch(self.path):
            raise ValueError(f"path: {self.path[:80]!r} is neither a folder nor `owner/name`")
        elif self.revision is None or not _COMMIT.fullmatch(self.revision):
            raise ValueError(
                "revision: give the commit, 40 hex digits (on the Hub under Files and versions, History): "
                "a branch or tag can move"
            )
        return self

    def is_local(self) -> bool:
        """Say whether it is a folder of this machine; one must be written as such: /…, ./… or ~/…."""
        return self.path.startswith(("/", "./", "../", "~/"))

    def digest(self) -> str:
        """Return 16 hex digits that change with what is delivered."""
        said = self.model_dump_json(exclude={"token_variable", "token_file"})
        return hashlib.sha256(said.encode()).hexdigest()[:16]


class _Cursor(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    options: str
    files: str  # digest of a folder's files, "" on the Hub
    rows: int = Field(0, ge=0)  # done
    library: str = ""  # whose mark it is: another version reads the rows again
    mark: dict[str, Any] | None = None


class HfDatasetAdapter:
    """Delivers the rows of a dataset in its own order."""

    kind: ClassVar[str] = "hf_dataset"
    Options: ClassVar[type[BaseModel]] = HfDatasetOptions

    def __init__(self, name: str, options: HfDatasetOptions) -> None:
        self.name = name
        self.options = options

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` candidates behind the cursor.

        Raises BadInputError when the dataset cannot be opened, lacks a column that the options name, or breaks off.
        """
        if budget <= 0:
            return
        walk = _Walk(self.options, now)
        walk.resume(cursor)
        yield from batched(walk.candidates(), walk.cursor, budget)
        if walk.trouble is not None:
            raise BadInputError(walk.trouble)


class _Walk:
    """One poll's way through the rows."""

    def __init__(self, options: HfDatasetOptions, now: datetime) -> None:
        self._options = options
        self._now = now
        self._root = str(Path(options.path).expanduser()) if options.is_local() else ""
        self._at = _Cursor(options=options.digest(), files=_files_digest(self._root) if self._root else "")
        self._rows = self._opened()
        self._names = {
            column: feature.names
            for column, feature in (self._rows.features or {}).items()
            if isinstance(feature, datasets.ClassLabel)
        }
        self._pictures: Pictures | None = None
        self.trouble: str | None = None  # why the poll ended early

    def cursor(self) -> str:
        """Return the cursor behind the last candidate taken."""
        return self._at.model_dump_json()

    def resume(self, cursor: str | None) -> None:
        """Go on from the cursor when it is of these options and files, start over otherwise."""
        if cursor is None:
            return
        try:
            at = _Cursor.model_validate_json(cursor)
        except ValidationError:
            return  # of another kind of adapter under the same name: repeats are harmless, a guess is not
        if (at.options, at.files) != (self._at.options, self._at.files):
            return
        self._at = at
        if at.mark is not None and at.library == datasets.__version__:
            self._rows.load_state_dict(at.mark)
        else:
            self._rows = self._rows.skip(at.rows)

    def candidates(self) -> Iterator[Candidate]:
        """Yield what is due; `cursor()` between two of them resumes behind the first."""
        rows = iter(self._rows)
        number = self._at.rows
        while True:
            try:
                row = next(rows, None)
            except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
                # pyarrow's and the Hub client's errors are of these classes too
                self.trouble = f"{self._options.path}: breaks off behind row {number}: {_first_line(error)}"
                return
            if row is None:
                return
            number += 1
            candidate = self._candidate(number, row)
            if not is_released(candidate, self._now):
                return
            mark = json.loads(json.dumps(self._rows.state_dict()))
            self._at = self._at.model_copy(update={"rows": number, "library": str(datasets.__version__), "mark": mark})
            yield candidate

    def _opened(self) -> Any:
        options = self._options
        try:
            token = secret(options.token_variable, options.token_file)
            found = datasets.load_dataset(
                self._root or options.path,
                options.config,
                split=options.split,
                revision=options.revision,
                streaming=True,
                token=token or False,  # never the one of whoever started the service
            ).decode(False)
            # the features are known after a look at the first rows where no card says them
            rows = found if found.features is not None else found._resolve_features()
        except (OSError, ValueError, ImportError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise BadInputError(f"{options.path}: cannot be opened: {_first_line(error)}") from None
        known = set(rows.features or {})
        for key in (options.image, *options.columns.values()):
            if key not in known and key.partition(".")[0] not in known:
                raise BadInputError(f"{options.path}: has no column {key!r}; it has {', '.join(sorted(known))}"[:500])
        return rows

    def _candidate(self, number: int, row: Mapping[str, Any]) -> Candidate:
        image = row.get(self._options.image)
        candidate = Candidate(self._uri(number, row, image))
        try:
            candidate = self._options.claim(candidate, self._said(row))
            if isinstance(image, bytes):
                image = {"bytes": image}
            if not isinstance(image, Mapping):
                raise BadRecord(f"no picture in {self._options.image!r}")
            content, path = image.get("bytes"), image.get("path")
            if content is None:
                if not isinstance(path, str):
                    raise BadRecord(f"no picture in {self._options.image!r}")
                read = self._files().read(replace(candidate, uri=path))
                return replace(read, uri=candidate.uri)
        except BadRecord as error:
            return refused(candidate, "bad_record", f"row {number}: {error}"[:500])
        if len(content) > self._options.max_bytes:
            return refused(candidate, "too_many_bytes", f"row {number}: {len(content):,} bytes")
        return replace(candidate, content=bytes(content))

    def _uri(self, number: int, row: Mapping[str, Any], image: object) -> str:
        named = self._options.row({key: one for key, one in row.items() if key != self._options.image})["uri"]
        if isinstance(named, str) and named:
            return named[:2000]
        path = image.get("path") if isinstance(image, Mapping) else None
        name = str(path).rpartition("/")[2][:200] if path else ""
        return f"{self._options.split}-{number:06d}{'/' if name else ''}{name}"

    def _said(self, row: Mapping[str, Any]) -> dict[str, object]:
        said: dict[str, object] = {}
        for column, value in row.items():
            names = self._names.get(column)
            if names is not None and isinstance(value, int):
                value = names[value] if 0 <= value < len(names) else None
            if column != self._options.image:
                said[column] = value
        return said

    def _files(self) -> Pictures:
        if self._pictures is None:
            options = self._options
            address = self._root or f"hf://datasets/{options.path}@{options.revision}"
            files, root = fsspec.core.url_to_fs(address)
            self._pictures = Pictures(files, root, options.max_bytes)
        return self._pictures


def _files_digest(root: str) -> str:
    """Return the digest of the names, sizes and times of the files below a folder."""
    digest = hashlib.sha256()
    for file in sorted(Path(root).rglob("*")):
        if file.is_file():
            about = file.stat()
            digest.update(f"{file.relative_to(root)} {about.st_size} {about.st_mtime_ns}\n".encode(errors="replace"))
    return digest.hexdigest()[:32]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
