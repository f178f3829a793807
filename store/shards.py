"""Feature vectors in Parquet shards: float16 fixed-size lists beside the sample ids, named by content hash."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from daemon.errors import CorruptArtifact
from daemon.model import Profile
from store.files import read_checked, sha256_hex, write_files
from store.layout import Layout

T = TypeVar("T", np.float16, np.int64)

_CACHE_BYTES = 512 * 2**20  # both profiles of 100,000 samples of 1,024 features are 400 MiB, read by every learning


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard in memory."""

    fingerprint: str
    profile: str
    sample_ids: NDArray[np.int64]  # (n,)
    vectors: NDArray[np.float16]  # (n, d)


class Shards:
    """Writes shards and keeps the recently used ones in memory."""

    def __init__(self, layout: Layout, cache_bytes: int = _CACHE_BYTES) -> None:
        self._layout = layout
        self._cache: OrderedDict[str, Shard] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._cached = 0
        self._sample_ids: dict[str, NDArray[np.int64]] = {}  # a thousandth of the vectors: kept of every shard
        self._lock = threading.Lock()
        # Held while rows are looked up and their shards read, and while compaction removes files: no shard vanishes
        # between the two.
        self.steady = threading.RLock()

    def write(
        self, fingerprint: str, profile: Profile, sample_ids: NDArray[np.int64], vectors: NDArray[np.float16]
    ) -> str:
        """Write one shard durably; returns its digest.

        Parameters: `sample_ids` (n,) and `vectors` (n, d), finite.
        """
        shard = Shard(fingerprint, profile, np.array(sample_ids, np.int64), np.array(vectors, np.float16))
        content = _encode(shard)
        digest = sha256_hex(content)
        write_files({self._layout.shard(digest): content})
        self._remember(digest, shard)
        return digest

    def read(self, digest: str) -> Shard:
        """The shard. Raises CorruptArtifact when the file is missing, was changed or is no shard."""
        with self._lock:
            if digest in self._cache:
                self._cache.move_to_end(digest)
                return self._cache[digest]
        shard = self.load(digest)
        self._remember(digest, shard)
        return shard

    def load(self, digest: str) -> Shard:
        """The shard from its file, past the cache."""
        return _decode(read_checked(self._layout.shard(digest), digest), digest)

    def sample_ids(self, digest: str) -> NDArray[np.int64] | None:
        """The samples of a shard's rows, (n,); None: neither it nor they were read yet."""
        with self._lock:
            return self._sample_ids.get(digest)

    def remember_sample_ids(self, digest: str, sample_ids: NDArray[np.int64]) -> None:
        """Keep what was read of a shard elsewhere."""
        with self._lock:
            self._sample_ids.setdefault(digest, sample_ids)

    def forget(self, digest: str) -> None:
        """Drop a shard from memory and remove its file."""
        with self._lock:
            self._sample_ids.pop(digest, None)
            if digest in self._cache:
                self._cached -= self._cache.pop(digest).vectors.nbytes
        self._layout.shard(digest).unlink(missing_ok=True)

    def _remember(self, digest: str, shard: Shard) -> None:
        with self._lock:
            if digest in self._cache:
                return
            self._sample_ids.setdefault(digest, shard.sample_ids)
            self._cache[digest] = shard
            self._cached += shard.vectors.nbytes
            while self._cached > self._cache_bytes and len(self._cache) > 1:
                _, oldest = self._cache.popitem(last=False)
                self._cached -= oldest.vectors.nbytes


def _encode(shard: Shard) -> bytes:
    import pyarrow as pa  # imported late: `status` never reads a vector
    import pyarrow.parquet as pq

    # From buffers: what makes pyarrow's arrays of numpy's, or numpy's of pyarrow's, imports pandas: a second.
    dimension = shard.vectors.shape[1]
    flat = pa.Array.from_buffers(
        pa.float16(), shard.vectors.size, [None, pa.py_buffer(np.ascontiguousarray(shard.vectors, np.float16))]
    )
    ids = pa.Array.from_buffers(
        pa.int64(), len(shard.sample_ids), [None, pa.py_buffer(np.ascontiguousarray(shard.sample_ids, np.int64))]
    )
    table = pa.table(
        {"sample_id": ids, "vector": pa.FixedSizeListArray.from_arrays(flat, dimension)}
    ).replace_schema_metadata({"fingerprint": shard.fingerprint, "profile": shard.profile})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, use_dictionary=False, write_statistics=False, compression="NONE")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _decode(content: bytes, digest: str) -> Shard:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # One file: `read_table` would build a dataset around it.
        table = pq.ParquetFile(pa.BufferReader(content)).read()
        metadata = table.schema.metadata
        ids, vectors = table.column("sample_id"), table.column("vector")
        if ids.type != pa.int64() or vectors.type.value_type != pa.float16():
            raise TypeError(f"its columns are {ids.type} and {vectors.type}")
        flat = _numbers([chunk.flatten() for chunk in vectors.chunks], np.float16)
        return Shard(
            metadata[b"fingerprint"].decode(),
            metadata[b"profile"].decode(),
            _numbers(ids.chunks, np.int64),
            flat.reshape(len(ids), vectors.type.list_size),
        )
    except (pa.ArrowException, KeyError, TypeError, AttributeError, ValueError) as error:
        raise CorruptArtifact(f"shard {digest[:12]} is no shard of vectors ({error})") from error


def _numbers(chunks: Sequence[Any], dtype: type[T]) -> NDArray[T]:
    """The values of arrow arrays, not copied when there is but one of them."""
    if any(chunk.null_count for chunk in chunks):
        raise TypeError("a value is missing")
    size = np.dtype(dtype).itemsize
    parts: list[NDArray[T]] = [
        np.frombuffer(chunk.buffers()[1], dtype, count=len(chunk), offset=chunk.offset * size)
        for chunk in chunks
        if len(chunk)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, dtype), *parts])
