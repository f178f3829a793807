"""Rows of a CSV, JSONL or Parquet file, one at a time, with only the columns that mean something."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Literal

from adapters.lines import first_line
from adapters.records import COLUMNS, REQUIRED
from daemon.errors import BadInputError

Format = Literal["csv", "jsonl", "parquet"]
Row = dict[str, object] | str  # the columns of COLUMNS that it has; a text: why the row cannot be read
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


_LONGEST_CELL = 64 * 2**20  # characters


class _NotText(Exception):
    """A line is not UTF-8; its number."""


def read_rows(stream: IO[bytes], kind: Format, name: str) -> Iterator[Row]:
    """Yield the rows of an open manifest in file order.

    Args:
        stream: opened for reading bytes, at its start (seekable for Parquet).
        kind: the file's format.
        name: how messages call the file.

    Raises BadInputError, one line, when the file is not of that format or lacks a required column.
    """
    reader = {"csv": _csv_rows, "jsonl": _jsonl_rows, "parquet": _parquet_rows}[kind]
    try:
        yield from reader(stream, name)
    except _NotText as error:
        raise BadInputError(f"{name}: line {error} is not UTF-8 text; save the file as UTF-8") from None
    except csv.Error as error:
        raise BadInputError(f"{name}: not readable as CSV: {error}") from None
    except OSError as error:
        raise BadInputError(f"{name}: cannot be read: {first_line(error)}") from None


def require_columns(there: Sequence[str], name: str) -> None:
    """Raise BadInputError naming the first required column that is missing, the file and what is there."""
    for column in REQUIRED:
        if column not in there:
            found = ", ".join(there) or "nothing"
            raise BadInputError(f"{name}: the column {column!r} is missing; there are: {found}")


def _csv_rows(stream: IO[bytes], name: str) -> Iterator[Row]:
    # what is too long for a candidate is refused with its row; the module's own limit ends the file there
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    lines = csv.reader(_lines(stream), strict=True)
    header = [cell.strip() for cell in next(lines, [])]
    if not header:
        return  # an empty file: nothing there yet
    require_columns(header, name)
    for column in COLUMNS:
        if header.count(column) > 1:
            raise BadInputError(f"{name}: the column {column!r} is there {header.count(column)} times")
    for cells in lines:
        if not cells:
            continue
        if len(cells) != len(header):
            yield f"has {len(cells)} cells, the header {len(header)}"
            continue
        yield _known(zip(header, cells, strict=True))


def _jsonl_rows(stream: IO[bytes], name: str) -> Iterator[Row]:
    first = True
    for line in _lines(stream):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            yield "is not a JSON object"
            first = False
            continue
        if first:
            require_columns([str(key) for key in value], name)
        missing = [column for column in REQUIRED if column not in value]
        yield f"has no {missing[0]!r}" if missing else _known(value.items())
        first = False


def _lines(stream: IO[bytes]) -> Iterator[str]:
    # not a TextIOWrapper: that one closes the stream, which is read more than once
    for number, line in enumerate(stream, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _NotText(number) from None


def _parquet_rows(stream: IO[bytes], name: str) -> Iterator[Row]:
    from adapters.parquet import parquet_rows  # here, for pyarrow takes longer to import than many a poll

    yield from parquet_rows(stream, name)


def _known(cells: Iterable[tuple[str, object]]) -> dict[str, object]:
    return {column: value for column, value in cells if column in COLUMNS}
