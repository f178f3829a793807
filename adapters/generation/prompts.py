"""Prompts from a file: one in each line of a text, or the rows of a CSV, JSONL or Parquet table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from io import TextIOWrapper
from typing import IO, Any
from urllib.parse import urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.addresses import on_the_web, shown
from adapters.lines import first_line
from daemon.errors import BadInputError
from daemon.model import Prompt

_MOST = 100_000  # prompts
_LONGEST = 10_000  # characters
_TABLES = (".csv", ".jsonl", ".ndjson", ".parquet")


def read_prompts(path: str, text: str, group: str | None) -> list[Prompt]:
    """Return the prompts of a file in its order, each once.

    path: here or an fsspec URL; any ending but .csv, .jsonl, .ndjson, .parquet: one prompt in each line. text: the
    column of a table that holds them. group: the column with what a prompt belongs to, such as the photograph that it
    describes; None: it belongs to nothing.

    Raises BadInputError when the file cannot be read, has no such column or holds no prompt.
    """
    name = shown(path) if on_the_web(path) else path
    try:
        with _opened(path) as stream:
            found = list(_prompts(stream, name, text, group))
    except (OSError, ImportError) as error:
        raise BadInputError(f"{name}: cannot be read: {first_line(error)}") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{name}: is not UTF-8 text") from None
    except (csv.Error, ValueError, RecursionError, pa.ArrowException) as error:
        raise BadInputError(f"{name}: {first_line(error)}") from None
    if not found:
        raise BadInputError(f"{name}: holds no prompt")
    return list(dict.fromkeys(found))


def _opened(path: str) -> AbstractContextManager[IO[bytes]]:
    if not on_the_web(path):
        opened: AbstractContextManager[IO[bytes]] = fsspec.open(path, "rb")
        return opened
    from adapters.web_pictures import fetch_list, fetching  # here, for most prompts lie on this machine

    # the server that a person named may lie in the own network; where it redirects to is checked
    with fetching((urlsplit(path).hostname or "",)) as fetcher:
        return fetch_list(fetcher, path)


def _prompts(stream: IO[bytes], path: str, text: str, group: str | None) -> Iterator[Prompt]:
    if not path.lower().endswith(_TABLES):
        for line in TextIOWrapper(stream, encoding="utf-8-sig"):
            if line.strip():
                yield _checked(line, None, path)
        return
    columns = [text] if group is None else [text, group]
    for number, row in enumerate(_rows(stream, path, columns), start=1):
        if number > _MOST:
            raise ValueError(f"has more than {_MOST:,} rows")
        if row.get(text) is None or not str(row[text]).strip():
            continue
        belongs = row.get(group) if group is not None else None
        yield _checked(row[text], None if belongs is None or belongs == "" else belongs, f"row {number} of {path}")


def _rows(stream: IO[bytes], path: str, columns: list[str]) -> Iterable[Mapping[str, Any]]:
    kind = path.lower().rpartition(".")[2]
    if kind == "parquet":
        table = pq.ParquetFile(stream)
        _require(columns, table.schema_arrow.names)
        return (row for batch in table.iter_batches(1024, columns=columns) for row in batch.to_pylist())
    lines = TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    if kind == "csv":
        reader = csv.DictReader(lines, strict=True)
        _require(columns, list(reader.fieldnames or ()))
        return reader
    return _json_rows(lines, columns)


def _json_rows(lines: Iterable[str], columns: list[str]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is not a JSON object")
        if number == 1:
            _require(columns, list(row))
        yield row


def _require(columns: list[str], there: list[str]) -> None:
    for column in columns:
        if column not in there:
            raise ValueError(f"has no column {column!r}; it has {', '.join(there)[:300]}")


def _checked(text: object, group: object, where: str) -> Prompt:
    if not isinstance(text, str) or not isinstance(group, str | int | None) or isinstance(group, bool):
        raise ValueError(f"{where}: a prompt is text, its group text or a whole number")
    text = text.strip()
    if len(text) > _LONGEST or "\0" in text:
        raise ValueError(f"{where}: a prompt has at most {_LONGEST:,} characters, none of them NUL")
    return Prompt(text, None if group is None else str(group)[:500])
