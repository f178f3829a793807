"""Rows of files with a stated history, without pictures."""

from __future__ import annotations

import numpy as np

from daemon.model import BatchKey, FileFacts, FileRow, Subject
from store.splits import fold_of

FAKES = BatchKey(Subject("family", "gan"), "repository")
REALS = BatchKey(Subject("source", "camera"), "camera")


def jpegs(batch: BatchKey, n: int, seed: int = 0, per_group: int = 1) -> list[FileRow]:
    """JPEGs of drawn size and quality: one history, whatever the batch."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        width, height, coarse = (
            int(v) for v in (random.integers(300, 2000), random.integers(300, 2000), random.integers(2, 30))
        )
        facts = FileFacts(
            "RGB", float(coarse), coarse * 1.5, f"{coarse:016x}", "4:2:0", False, bool(random.integers(2)), False
        )
        size = int(width * height * random.uniform(0.1, 1.0))
        group = f"{batch.subject.name}-{seed}-{i // per_group}"
        rows.append(FileRow(i, batch, True, group, fold_of(group), "JPEG", width, height, size, facts))
    return rows


def pngs(batch: BatchKey, n: int, seed: int = 0) -> list[FileRow]:
    """PNGs of the sizes that `jpegs` draws."""
    facts = FileFacts("RGB", None, None, None, None, False, False, False)
    return [
        FileRow(r.sample_id, batch, True, r.group, r.fold, "PNG", r.width, r.height, 2 * r.width * r.height, facts)
        for r in jpegs(batch, n, seed)
    ]
