"""Near-duplicates: pictures whose perceptual hashes differ in a few of 64 bits, in different files.

A picture that somebody saved anew is another sample with another split. Where a head learns the one and is measured on
the other, the figure flatters; so of two near-duplicates on different sides of the holdout only the first one counts.
Anchors are measured whole and never learned from: they stand on the holdout's side, and who becomes one changes sides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, select

from daemon.model import Split, Trust
from store import tables as t
from store.database import chunks
from store.draft import Draft
from store.splits import split_of

NEAR_DUPLICATE_BITS = 4  # what saving anew and resizing change at most; two photographs differ in about 32
NEAR_DUPLICATE = "near_duplicate"  # the reason, of REASONS
OF_AN_ANCHOR = "of an anchor"
# Half of a hash's bits are set by its making, unless the picture is nearly of one colour: then it says nothing.
_INFORMATIVE = range(24, 41)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What must be known of a sample to say whether another one may stand beside it."""

    sha256: str
    phash: int
    group: str
    split: str
    anchor: bool  # of a family that no head may learn from
    taught: bool  # a head may learn from its source
    sample_id: int | None = None  # None: not stored yet

    @property
    def teaches(self) -> bool:
        """Whether a head may learn from it."""
        return self.split != "holdout" and self.taught and not self.anchor

    @property
    def measured(self) -> bool:
        """Whether figures rest on it as on something that no head knows."""
        return self.split == "holdout" or self.anchor


class Hashes:
    """The perceptual hash of every sample, in memory: 16 bytes each. Not safe to use from several threads at once."""

    def __init__(self, most_bits: int) -> None:
        self._most = most_bits
        self._ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._hashes: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._last = 0  # the highest id that was read

    def refresh(self, connection: Connection) -> None:
        """Read what was committed since; a picture that came later than its sample is told of by `add`."""
        s = t.sample.c
        rows = connection.execute(select(s.id, s.phash).where(s.id > self._last)).all()
        if rows:
            self._last = max(row.id for row in rows)
            self.add((row.id, row.phash) for row in rows if row.phash is not None)

    def add(self, pairs: Iterable[tuple[int, str]]) -> None:
        """Sample ids with their hashes; the same one twice does no harm."""
        told = [(sample_id, bits) for sample_id, text in pairs if (bits := informative(text)) is not None]
        if told:
            self._ids = np.concatenate([self._ids, np.array([i for i, _ in told], np.int64)])
            self._hashes = np.concatenate([self._hashes, np.array([bits for _, bits in told], np.uint64)])

    def near(self, wanted: Collection[int]) -> set[int]:
        """Ids of the samples that are near-duplicates of one of these hashes."""
        found: set[int] = set()
        for bits in wanted:
            close = np.bitwise_count(self._hashes ^ np.uint64(bits)) <= self._most
            found.update(self._ids[close].tolist())
        return found

    def distance(self, one: int, other: int) -> int | None:
        """Bits in which two hashes differ; None when that is too many for near-duplicates."""
        differing = (one ^ other).bit_count()
        return differing if differing <= self._most else None


def informative(phash: str | None) -> int | None:
    """The bits of a hash; None when there is none, or it is that of a picture without any shape.

    >>> informative("00ff00ff00ff00ff") is None, informative("8000000000000000") is None
    (False, True)
    """
    bits = int(phash or "0", 16)
    return bits if bits.bit_count() in _INFORMATIVE else None


def refusals(
    connection: Connection,
    hashes: Hashes,
    arrived: Collection[Draft],
    shares: Mapping[Split, float],
    trust: Trust,
) -> dict[str, str]:
    """Those of the newly arrived that are near-duplicates across the holdout's border: sha256 -> why it is refused.

    arrived: active drafts whose hash or group is new. trust: of the adapter that brings them. What is held out or of an
    anchor is looked at first, so that of two in one batch the one that would be learned from is refused.
    """
    wanted = {draft.sha256: bits for draft in arrived if (bits := informative(draft.phash)) is not None}
    if not wanted:
        return {}
    hashes.refresh(connection)
    known = _neighbours(connection, hashes.near(wanted.values()))
    splits = _splits(connection, {draft.group for draft in arrived}, shares)
    anchors = _anchors(connection, {draft.family for draft in arrived if draft.family is not None})
    untrusted = _untrusted(connection, {draft.source for draft in arrived})
    found: dict[str, str] = {}
    newcomers = [
        Neighbour(
            draft.sha256,
            wanted[draft.sha256],
            draft.group,
            splits[draft.group],
            draft.label == "synthetic" and draft.family in anchors,
            trust != "untrusted" and draft.source not in untrusted,
        )
        for draft in arrived
        if draft.sha256 in wanted
    ]
    for own in sorted(newcomers, key=lambda one: (not one.measured, one.sha256)):
        why = _refusal(own, known, hashes)
        if why is None:
            known.append(own)
        else:
            found[own.sha256] = why
    return found


def beside_a_family(connection: Connection, hashes: Hashes, family_id: int) -> dict[int, str]:
    """What may not stay once a family became an anchor, or is none any more: sample id -> why it is set apart.

    Beside an anchor go the near-duplicates that teach. Of a family that was one go those of its own samples that teach
    from now on and are near-duplicates of what is held out or of another anchor.
    """
    hashes.refresh(connection)
    ids = _members(connection, family_id)
    members = _neighbours(connection, ids)
    others = _neighbours(connection, hashes.near({one.phash for one in members}) - ids)
    found: dict[int, str] = {}
    for member in members:
        if member.anchor and member.split == "holdout":
            continue  # what stands beside it was decided when it came, or by a person since
        for other in others:
            teaching, measured = (other, member) if member.anchor else (member, other)
            why = _refusal(teaching, [measured], hashes) if teaching.teaches else None
            if why is not None and teaching.sample_id is not None:
                found.setdefault(teaching.sample_id, why)
    return found


def free_again(connection: Connection, hashes: Hashes, family_id: int) -> list[int]:
    """Ids of what was set apart as near-duplicate of an anchor, beside a family that is none, and may come in again."""
    hashes.refresh(connection)
    members = _neighbours(connection, _members(connection, family_id))
    near = hashes.near({one.phash for one in members})
    apart = _neighbours(connection, near, reason=NEAR_DUPLICATE)
    found: list[int] = []
    known = _neighbours(connection, hashes.near({one.phash for one in apart}))
    for own in sorted(apart, key=lambda one: one.sha256):
        if own.sample_id is not None and _refusal(own, known, hashes) is None:
            found.append(own.sample_id)
            known.append(own)
    return found


def _members(connection: Connection, family_id: int) -> set[int]:
    s = t.sample.c
    query = select(s.id).where(s.family_id == family_id, s.label == "synthetic", s.state == "active")
    return set(connection.execute(query).scalars())


def _refusal(own: Neighbour, known: Iterable[Neighbour], hashes: Hashes) -> str | None:
    for other in known:
        differing = hashes.distance(own.phash, other.phash)
        if differing is None or other.sha256 == own.sha256 or other.group == own.group:
            continue
        as_what = _clash(own, other)
        if as_what is not None:
            return f"{differing} of 64 bits from {other.sha256[:12]}, which is {as_what}"
    return None


def _clash(own: Neighbour, other: Neighbour) -> str | None:
    """What the other one is, when the newcomer may not stand beside it."""
    if own.teaches and other.split == "holdout":
        return "held out"
    if own.teaches and other.anchor:
        return OF_AN_ANCHOR
    if own.measured and other.teaches:
        return "learned from"
    return None


def _neighbours(connection: Connection, ids: Collection[int], reason: str | None = None) -> list[Neighbour]:
    """The active ones of these samples that have a telling hash; reason: those in quarantine for it instead."""
    s, f = t.sample.c, t.family.c
    wanted = (s.state == "active") if reason is None else and_(s.state == "quarantined", s.reason == reason)
    columns = (
        s.id,
        s.sha256,
        s.phash,
        s.label,
        t.sample_group.c.key,
        t.sample_group.c.split,
        f.anchored_at,
        t.source.c.trust,
    )
    joined = (
        t.sample.join(t.source, t.source.c.id == s.source_id)
        .join(t.sample_group, t.sample_group.c.id == s.group_id)
        .outerjoin(t.family, f.id == s.family_id)
    )
    found = []
    for part in chunks(ids):
        query = select(*columns).select_from(joined).where(s.id.in_(part), wanted)
        for row in connection.execute(query.order_by(s.id)):
            bits = informative(row.phash)
            if bits is not None:
                anchor = row.label == "synthetic" and row.anchored_at is not None
                taught = row.trust != "untrusted"
                found.append(Neighbour(row.sha256, bits, row.key, row.split, anchor, taught, row.id))
    return found


def _splits(connection: Connection, keys: Collection[str], shares: Mapping[Split, float]) -> dict[str, str]:
    g = t.sample_group.c
    found: dict[str, str] = {key: split_of(key, shares) for key in keys}
    for part in chunks(keys):
        found.update((row.key, row.split) for row in connection.execute(select(g.key, g.split).where(g.key.in_(part))))
    return found


def _anchors(connection: Connection, names: Collection[str]) -> set[str]:
    f = t.family.c
    found: set[str] = set()
    for part in chunks(names):
        found.update(connection.execute(select(f.name).where(f.name.in_(part), f.anchored_at.is_not(None))).scalars())
    return found


def _untrusted(connection: Connection, names: Collection[str]) -> set[str]:
    c = t.source.c
    found: set[str] = set()
    for part in chunks(names):
        found.update(connection.execute(select(c.name).where(c.name.in_(part), c.trust == "untrusted")).scalars())
    return found
