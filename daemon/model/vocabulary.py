"""The words that everything else is said in: labels, profiles, splits, trust, subjects, reasons."""

from __future__ import annotations

from typing import Literal, NamedTuple

Label = Literal["real", "synthetic"]
Profile = Literal["raw", "laundered"]
Split = Literal["train", "calibration", "reference", "holdout"]
Trust = Literal["trusted", "known", "untrusted"]
SubjectKind = Literal["family", "source"]
LABELS: tuple[Label, ...] = ("real", "synthetic")
PROFILES: tuple[Profile, ...] = ("raw", "laundered")
PUSH = "push"  # the adapter of what is pushed over HTTP; no other may call itself so
FEEDBACK = "feedback"  # the source, and the adapter, of what people report; no other may call itself so
LONGEST_REASON = 2000  # characters of what a person says for the audit, by command and by API
SPLITS: tuple[Split, ...] = ("train", "calibration", "reference", "holdout")
FOLDS = 5  # cross-fitting folds; a group's fold is a stable hash of its key
# The closed list of reasons for which a sample is rejected (never stored) or quarantined (kept apart).
REASONS: tuple[str, ...] = (
    "empty",  # no bytes
    "too_many_bytes",  # larger than intake.max_bytes
    "format_not_allowed",  # not JPEG, PNG or WEBP
    "corrupt",  # the decoder refuses it, or it is truncated
    "too_many_pixels",  # larger than intake.max_pixels, read from the header before decoding
    "filtered",  # a filter of the user's refuses it
    "too_small",  # a side under intake.min_side pixels
    "decoder_crashed",  # the decoding child died or ran over its deadline on it
    "digest_mismatch",  # the bytes are not those the manifest's sha256 promised
    "unreadable",  # the source named it but could not deliver its bytes
    "bad_record",  # the delivery itself is malformed (unknown label, bad family name, bad vector)
    "label_conflict",  # deliveries of the same bytes disagree on label or family
    "near_duplicate",  # nearly the same picture lies on the other side of the holdout, or belongs to an anchor
    "encoding_failed",  # the encoder gave a vector that is not finite, or failed
    "source_untrusted",  # kept for measuring only
)


def says_something(text: str) -> bool:
    """Whether a person could read anything in it: blanks, and signs that are not shown, are no reason.

    >>> says_something("a"), says_something(" \\u200b")
    (True, False)
    """
    return any(one.isprintable() and not one.isspace() for one in text)


class Subject(NamedTuple):
    """What is measured, alarmed on and learned: a synthetic family or a real source."""

    kind: SubjectKind
    name: str
