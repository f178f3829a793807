"""What each learner starts from, on the disk: rows for those that want them again, statistics for the closed form.

Statistics files are the service's own, named by their sha256 and checked when read; only the SQL rows beside them, one
for each group whatever N is, are left out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads.world import CHUNK, DIMENSION, World
from daemon.heads import GroupKey, GroupStatistics
from store.files import read_checked, sha256_hex, write_files

_DONE: Final = "world.json"
Digests = dict[GroupKey, str]


def prepare(folder: Path, world: World, sizes: Sequence[int]) -> None:
    """Write rows and statistics of every size; nothing when the folder holds them already."""
    asked = {"world": asdict(world), "sizes": sorted(sizes)}
    if (folder / _DONE).is_file() and json.loads((folder / _DONE).read_text()) == asked:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    most = max(sizes)
    shape = (most, DIMENSION)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float16, shape=shape)
    groups = np.empty(most, np.int16)
    state = [GroupStatistics.empty(DIMENSION) for _ in world.keys]
    done = 0
    for size in sorted(sizes):
        for chunk, numbers, folds in world.known(done, size):
            vectors[done : done + len(chunk)], groups[done : done + len(chunk)] = chunk, numbers
            done += len(chunk)
            for g in range(len(state)):
                own = numbers == g
                state[g] = state[g].add(chunk[own], folds[own])
        _write(folder, size, dict(zip(world.keys, state, strict=True)))
    vectors.flush()
    np.save(folder / "groups.npy", groups)
    (folder / _DONE).write_text(json.dumps(asked))


def blocks(folder: Path, size: int) -> Iterator[tuple[slice, NDArray[np.float16]]]:
    """The known rows, read block by block: mapped pages would count as memory of the process."""
    with (folder / "vectors.npy").open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        for start in range(0, size, CHUNK):
            rows = min(CHUNK, size - start)
            yield slice(start, start + rows), np.fromfile(file, np.float16, rows * DIMENSION).reshape(rows, DIMENSION)


def synthetic(folder: Path, world: World, size: int) -> NDArray[np.bool_]:
    """Whether each of the known rows is of a family, (n,)."""
    return world.is_synthetic(np.load(folder / "groups.npy")[:size])


def digests(folder: Path, world: World, size: int) -> Digests:
    """The names of the statistics files of that many rows."""
    names = json.loads((folder / f"statistics-{size}.json").read_text())
    return dict(zip(world.keys, names, strict=True))


def read(folder: Path, named: Mapping[GroupKey, str]) -> dict[GroupKey, bytes]:
    """The files, each checked against its name."""
    return {key: read_checked(_file(folder, digest), digest) for key, digest in named.items()}


def write(folder: Path, content: bytes) -> str:
    """Keep one group's statistics; durable on return. Returns the digest."""
    digest = sha256_hex(content)
    write_files({_file(folder, digest): content})
    return digest


def remove(folder: Path, digest: str) -> None:
    """Forget a file that `write` kept, so that the next one like it is written again."""
    _file(folder, digest).unlink()


def state_bytes(folder: Path, named: Mapping[GroupKey, str]) -> int:
    """Size of all statistics files together."""
    return sum(_file(folder, digest).stat().st_size for digest in named.values())


def _write(folder: Path, size: int, state: Mapping[GroupKey, GroupStatistics]) -> None:
    names = [write(folder, group.to_bytes()) for group in state.values()]
    (folder / f"statistics-{size}.json").write_text(json.dumps(names))


def _file(folder: Path, digest: str) -> Path:
    return folder / "statistics" / digest
