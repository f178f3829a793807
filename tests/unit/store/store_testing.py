"""Admissions and vectors for the store's tests; no picture is decoded here, so bytes are just bytes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from daemon.model import Admission, Candidate, Inspected
from store import Store

T0 = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
PRINT = "f" * 64  # an encoder's fingerprint


def minutes(n: float) -> datetime:
    return T0 + timedelta(minutes=n)


def admission(
    name: str, *, uri: str | None = None, reason: str | None = None, phash: str = "", **claim: Any
) -> Admission:
    """An admission whose bytes are made of its name."""
    content: bytes | None = f"picture {name}".encode() * 50
    sha256 = hashlib.sha256(content or b"").hexdigest()
    if claim.pop("without_content", False):
        content = None
    return Admission(
        Candidate(uri=uri or f"file:{name}", content=content, **claim),
        sha256,
        0 if content is None else len(content),
        None if reason or content is None else Inspected(640, 480, "JPEG", phash or sha256[:16]),
        reason,
        "as the test wants it" if reason else "",
    )


def real(name: str, source: str = "kodak", **claim: Any) -> Admission:
    return admission(name, label="real", source=source, **claim)


def fake(name: str, family: str = "stylegan2", **claim: Any) -> Admission:
    return admission(name, label="synthetic", family=family, **claim)


def vectors(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float16)


def embed(store: Store, fingerprint: str = PRINT) -> list[int]:
    """Give every sample its vectors; returns the ids in canonical order."""
    ids: list[int] = []
    for profile in ("raw", "laundered"):
        pending = store.samples.without_vector(fingerprint, profile, 10_000)
        ids = [sample.sample_id for sample in pending]
        store.samples.add_vectors(fingerprint, profile, ids, vectors(len(ids), seed=len(profile)))
    return ids
