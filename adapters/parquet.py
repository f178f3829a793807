"""The rows of a Parquet file; apart from `tables`, which imports it only for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.lines import first_line
from adapters.records import COLUMNS
from adapters.tables import Row, require_columns
from daemon.errors import BadInputError

_ROWS = 256  # decoded at a time


def parquet_rows(stream: IO[bytes], name: str) -> Iterator[Row]:
    """Yield the rows in file order, with the columns of COLUMNS that are there.

    stream: seekable. name: how messages call the file.
    Raises BadInputError, one line, when it is no Parquet file or lacks a required column.
    """
    try:
        yield from _rows(stream, name)
    except pa.ArrowException as error:
        raise BadInputError(f"{name}: not readable as Parquet: {first_line(error)}") from None


def _rows(stream: IO[bytes], name: str) -> Iterator[Row]:
    table = pq.ParquetFile(stream)
    there = list(table.schema_arrow.names)
    require_columns(there, name)
    columns = [column for column in COLUMNS if column in there]
    for batch in table.iter_batches(batch_size=_ROWS, columns=columns):
        plain = [column for column in columns if not _is_list(batch.schema.field(column).type)]
        rows = batch.select(plain).to_pylist()
        for column in (column for column in columns if column not in plain):
            # straight to numpy: a list of Python numbers per row would be twenty times the work
            for row, scalar in zip(rows, batch.column(column), strict=True):
                row[column] = None if scalar.values is None else _array(scalar.values)
        yield from rows


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _array(values: pa.Array) -> object:
    if values.null_count or not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        return values.to_pylist()
    return np.asarray(values.to_numpy(zero_copy_only=False))
