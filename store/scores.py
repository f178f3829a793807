"""What versions said of samples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from daemon.errors import BadInputError
from daemon.model import PROFILES, Profile, ScoredRow, Subject
from store import tables as t
from store.database import chunks
from store.parts import Part, canonical_order, labelled, subject_kind, subject_name, with_subject
from store.vectors import vectors_complete


class Scores(Part):
    """Writes and reads scores."""

    def unscored(self, fingerprint: str, limit: int, *, among: Sequence[int] | None = None) -> list[int]:
        """Ids of active samples with both vectors that no own version scored under both profiles, in canonical order.

        among: of these samples alone, in the order of each `IN` clause.
        A sample scored under one profile only (the process was killed between the two) is still unscored.
        """
        query = (
            select(t.sample.c.id)
            .where(t.sample.c.state == "active", vectors_complete(fingerprint), ~scored_by_us())
            .order_by(*canonical_order)
            .limit(limit)
        )
        with self._database.read() as connection:
            if among is None:
                return list(connection.execute(query).scalars())
            found: list[int] = []
            for part in chunks(among):
                found += connection.execute(query.where(t.sample.c.id.in_(part))).scalars()
            return found[:limit]

    def add_scores(
        self,
        version: str,
        profile: Profile,
        sample_ids: Sequence[int],
        logits: NDArray[np.float64],
        learned: NDArray[np.bool_],
        at: datetime,
    ) -> None:
        """Store logits (n,); a sample that the version scored before keeps that score."""
        if not len(sample_ids) == len(logits) == len(learned):
            raise BadInputError("scores need one logit and one learned flag per sample")
        if not np.isfinite(logits).all():
            raise BadInputError(f"version {version} gave a score that is not finite")
        rows = [
            {
                "sample_id": int(sample_id),
                "version": version,
                "profile": profile,
                "logit": float(logit),
                "learned": bool(known),
                "at": at,
            }
            for sample_id, logit, known in zip(sample_ids, logits, learned, strict=True)
        ]
        with self._database.write() as connection:
            insert_new_scores(connection, rows)

    def scored_rows(self, version: str, profile: Profile, after_score_id: int = 0) -> list[ScoredRow]:
        """Labelled active rows in order of (delivery time, sha256) with score_id > after_score_id.

        A sample whose label came late is scored anew in this sense: its score has an id after all earlier ones.
        """
        s = t.score.c
        query = (
            select(
                s.id,
                s.sample_id,
                subject_kind,
                subject_name,
                t.sample_group.c.key,
                s.logit,
                s.learned,
                t.sample.c.delivered_at,
            )
            .select_from(with_subject().join(t.score, s.sample_id == t.sample.c.id))
            .where(s.version == version, s.profile == profile, s.id > after_score_id, labelled)
            .order_by(*canonical_order)
        )
        with self._database.read() as connection:
            return [
                ScoredRow(score_id, sample_id, Subject(kind, name), group, logit, learned, delivered_at)
                for score_id, sample_id, kind, name, group, logit, learned, delivered_at in connection.execute(query)
            ]

    def scored_within(self, ranges: Sequence[tuple[int, int]]) -> set[int]:
        """See `daemon.ports.SampleStore.scored_within`."""
        s, found = t.score.c, set[int]()
        with self._database.read() as connection:
            for first, last in ranges:
                query = select(s.sample_id).where(s.id.between(first, last), s.profile == "raw", s.version.like("v%"))
                found.update(connection.execute(query).scalars())
        return found


def scored_by_us() -> Any:
    """A correlated condition on `sample`: own versions scored it under both profiles."""
    s = t.score.c
    raw, laundered = (
        select(s.id)
        .where(s.sample_id == t.sample.c.id, s.profile == profile, s.version.like("v%"))
        .correlate(t.sample)
        .exists()
        for profile in PROFILES
    )
    return raw & laundered


def insert_new_scores(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert the scores whose (sample, profile, version) is not there yet."""
    s = t.score.c
    there: set[tuple[int, str, str]] = set()
    for part in chunks({row["sample_id"] for row in rows}):
        there.update(
            (row[0], row[1], row[2])
            for row in connection.execute(select(s.sample_id, s.profile, s.version).where(s.sample_id.in_(part)))
        )
    new: dict[tuple[int, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["sample_id"], row["profile"], row["version"])
        if key not in there:
            new.setdefault(key, row)
    if new:
        connection.execute(insert(t.score), list(new.values()))


def renew_scores(connection: Connection, sample_ids: list[int]) -> None:
    """Give the scores of samples whose label came late new ids: whoever reads "after id" has not seen them."""
    for ids in chunks(sample_ids):
        rows = connection.execute(select(t.score).where(t.score.c.sample_id.in_(ids)).order_by(t.score.c.id))
        renewed = [{name: value for name, value in row.items() if name != "id"} for row in rows.mappings()]
        connection.execute(delete(t.score).where(t.score.c.sample_id.in_(ids)))
        if renewed:
            connection.execute(insert(t.score), renewed)
