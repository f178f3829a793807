"""The frozen real pool: what a champion's placement values refer to."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from daemon.model import LabelledSamples

SMALLEST = 20  # a placement value among fewer reals is too coarse to bet on
GROWS_TO = 100  # a champion that began with fewer takes in later ones up to so many


def reference_pool(labelled: LabelledSamples, created_at: datetime, untrusted: set[int]) -> NDArray[np.intp]:
    """Rows of the reals that a champion is tested against: those of the reference split when it was made.

    It stays as it is while the champion is in force: were it to grow, a fault that spoils every picture would move
    the pool along with the families and hide itself.

    labelled: canonical order. created_at: of the champion. untrusted: ids of samples that prove nothing.
    """
    pool = [
        row
        for row, split in enumerate(labelled.splits)
        if split == "reference" and not labelled.synthetic[row] and int(labelled.sample_ids[row]) not in untrusted
    ]
    there = sum(labelled.delivered_at[row] <= created_at for row in pool)
    return np.array(pool[: max(there, GROWS_TO)], dtype=np.intp)
