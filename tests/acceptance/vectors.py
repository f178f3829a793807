"""A small world as ready-made vectors in JSON lines: photographs, known families, and one that evades."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from tests.integration.world import DIMENSION, KNOWN, SOURCES, Encoder

__all__ = ["FINGERPRINT", "LENGTH", "NEW", "newcomers", "opening"]

FINGERPRINT = "e" * 64
LENGTH = DIMENSION
NEW = "mimic_b"  # lies where a camera might: it evades (AUROC about .65, so it is not inverted) and can be learned
EACH = 60  # rows of each camera and known family


def rows(name: str, first: int, last: int) -> Iterator[str]:
    """Lines of one camera or family."""
    for index in range(first, last):
        content = f"{name}:{index}".encode()
        (vectors,) = Encoder().encode_many([content], ["raw"])
        assert isinstance(vectors, dict)
        yield json.dumps(
            {
                "uri": f"{name}/{index}",
                "label": "real" if name in SOURCES else "synthetic",
                ("source" if name in SOURCES else "family"): name,
                "group": f"{name}-{index}",
                "sha256": hashlib.sha256(content).hexdigest(),
                "vector": [round(float(value), 4) for value in vectors["raw"]],
                "vector_fingerprint": FINGERPRINT,
            }
        )


def opening() -> str:
    """What is known from the beginning."""
    return "".join(f"{line}\n" for name in (*SOURCES, *KNOWN) for line in rows(name, 0, EACH))


def newcomers() -> str:
    """Pictures of a family that nobody has seen."""
    return "".join(f"{line}\n" for line in rows(NEW, 0, EACH))
