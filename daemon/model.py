"""The nouns that flow through the service, as frozen values; see docs for the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Label = Literal["real", "synthetic"]
Profile = Literal["raw", "laundered"]
Split = Literal["train", "calibration", "reference", "holdout"]
Trust = Literal["trusted", "known", "untrusted"]
SubjectKind = Literal["family", "source"]

LABELS: tuple[Label, ...] = ("real", "synthetic")
PROFILES: tuple[Profile, ...] = ("raw", "laundered")
SPLITS: tuple[Split, ...] = ("train", "calibration", "reference", "holdout")
FOLDS = 5  # cross-fitting folds; a group's fold is a stable hash of its key

# The closed list of reasons for which a sample is rejected (never stored) or quarantined (kept apart).
REASONS: tuple[str, ...] = (
    "empty",                # no bytes
    "too_many_bytes",       # larger than intake.max_bytes
    "format_not_allowed",   # not JPEG, PNG or WEBP
    "corrupt",              # the decoder refuses it, or it is truncated
    "too_many_pixels",      # larger than intake.max_pixels, read from the header before decoding
    "too_small",            # a side under intake.min_side pixels
    "decoder_crashed",      # the decoding child died or ran over its deadline on it
    "digest_mismatch",      # the bytes are not those the manifest's sha256 promised
    "unreadable",           # the source named it but could not deliver its bytes
    "bad_record",           # the delivery itself is malformed (unknown label, bad family name, bad vector)
    "label_conflict",       # deliveries of the same bytes disagree on label or family
    "encoding_failed",      # the encoder gave a vector that is not finite, or failed
    "source_untrusted",     # kept for measuring only
)


class Subject(NamedTuple):
    """What is measured, alarmed on and learned: a synthetic family or a real source."""

    kind: SubjectKind
    name: str


@dataclass(frozen=True, slots=True)
class LabelledVectors:
    """Vectors of labelled, active samples of one encoder and one profile, one row per sample.

    Rows are in canonical order: (delivery time, sha256).
    """

    sample_ids: NDArray[np.int64]        # (n,)
    vectors: NDArray[np.float16]         # (n, d)
    synthetic: NDArray[np.bool_]         # (n,) True for synthetic
    subjects: tuple[Subject, ...]        # (n,) the family of a synthetic row, the source of a real row
    groups: tuple[str, ...]              # (n,) group key
    splits: tuple[Split, ...]            # (n,)
    folds: NDArray[np.int8]              # (n,) 0 .. FOLDS-1, by stable hash of the group key
    learned_revision: NDArray[np.int64]  # (n,) statistics revision that took the row in; 0: never learned
    delivered_at: tuple[datetime, ...] = field(repr=False)  # (n,) UTC, aware

    def __len__(self) -> int:
        return len(self.sample_ids)
