"""The forensic vectors of the test pictures, encoded once and kept for the next benchmark."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path

import numpy as np

from daemon.encoders.forensic import ForensicEncoder
from daemon.model import LabelledVectors, Profile
from tests.acceptance.held_out import encoded, labelled

WORK = Path(tempfile.gettempdir()) / "sidwatch-bench"  # where benchmarks keep what is dear to make and safe to delete


def real_vectors(images: Path, work: Path) -> dict[Profile, LabelledVectors]:
    """Every picture of `images/manifest.csv` under both profiles; encoded when encoder or manifest are new.

    Raises FileNotFoundError when the folder holds no manifest.
    """
    manifest = sha256((images / "manifest.csv").read_bytes()).hexdigest()
    kept = work / f"vectors-{sha256((ForensicEncoder().fingerprint + manifest).encode()).hexdigest()[:16]}.npy"
    if not kept.is_file():
        print(f"encoding the pictures of {images}, kept as {kept}; this takes some minutes", flush=True)
        work.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial.npy")
        np.save(partial, encoded(images, os.cpu_count() or 1))
        partial.rename(kept)
    return labelled(images, np.load(kept))
