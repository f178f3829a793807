"""Deliveries become samples: one inspected batch, one transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, and_, bindparam, delete, func, insert, select, update

from daemon.corrections.naming import Claim, Rule, present_families
from daemon.errors import BadInputError
from daemon.model import PROFILES, Admission, Candidate, Receipt, Rejection, Release, Split, Trust
from store import tables as t
from store.database import chunks
from store.deciding import claim_of, read_deliveries, read_relabels, read_rules
from store.draft import PLAIN, Draft, default_group
from store.near_duplicates import Hashes, refusals
from store.parts import Part, count_outcome, ids_by_name
from store.releases import register
from store.scores import insert_new_scores, renew_scores
from store.shards import Shards
from store.splits import fold_of, split_of
from store.vectors import dimension_of, register_shard, with_vector

_LOWEST_FIRST: tuple[Trust, ...] = ("untrusted", "known", "trusted")


class Intake(Part):
    """Admits batches, keeps cursors, puts samples in quarantine."""

    def cursor(self, adapter: str) -> str | None:
        """Where the adapter stopped; None before its first batch."""
        with self._database.read() as connection:
            return connection.execute(select(t.adapter.c.cursor).where(t.adapter.c.name == adapter)).scalar()

    def admit(
        self,
        adapter: str,
        trust: Trust,
        admissions: Sequence[Admission],
        cursor: str | None,
        at: datetime,
        releases: Sequence[Release] = (),
    ) -> Receipt:
        """Store one inspected batch and its cursor; see `daemon.ports.SampleStore.admit`.

        Raises TemporaryError when there is no space or the database is locked: nothing was acknowledged then.
        """
        # One order whatever the order of delivery: a shuffled batch gives the same rows.
        ordered = sorted(admissions, key=_order)
        blobs = self._blobs.check(
            (a.sha256, a.candidate.content) for a in ordered if a.reason is None and a.candidate.content is not None
        )
        self._blobs.put_checked(blobs)
        with self._database.write() as connection:
            self._blobs.put_checked(
                blobs
            )  # those that `forget` removed meanwhile: it does so in a transaction, so not now
            batch = Batch(connection, adapter, trust, at)
            batch.load(ordered)
            for admission in ordered:
                batch.take(admission)
            batch.store(self._shares, self._shards, cursor, self._hashes)
            if releases:
                register(connection, batch.adapter_id, adapter, releases, batch.rules, at)
        self._remember_late_pictures(batch)
        return batch.receipt

    def _remember_late_pictures(self, batch: Batch) -> None:
        """Tell the hashes of pictures that came after their samples: those have low ids, and are not read again."""
        late = [(draft.id, draft.phash) for draft in batch.late_pictures() if draft.id and draft.phash]
        if self._hashes is not None and late:
            with self._database.write():  # the hashes belong to whoever writes
                self._hashes.add(late)

    def delivered_since(self, adapter: str, since: datetime) -> int:
        """How many new deliveries of the adapter were stored at that time or later; see `SampleStore`."""
        counted = (
            select(func.count())
            .select_from(t.delivery.join(t.adapter, t.adapter.c.id == t.delivery.c.adapter_id))
            .where(t.adapter.c.name == adapter, t.delivery.c.at >= since)
        )
        with self._database.read() as connection:
            return int(connection.execute(counted).scalar_one())

    def rejections(self, adapter: str, limit: int) -> list[Rejection]:
        """The last so many deliveries of the adapter that were refused, newest first."""
        d = t.delivery.c
        query = (
            select(d.uri, d.reason, d.detail)
            .join(t.adapter, t.adapter.c.id == d.adapter_id)
            .where(t.adapter.c.name == adapter, d.reason.is_not(None))
            .order_by(d.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Rejection(*row) for row in connection.execute(query)]

    def note_success(self, adapter: str, at: datetime) -> None:
        """The adapter's poll ended well."""
        with self._database.write() as connection:
            adapter_id = _ensure_adapter(connection, adapter)
            connection.execute(update(t.adapter).where(t.adapter.c.id == adapter_id).values(last_success_at=at))
            connection.execute(delete(t.circuit).where(t.circuit.c.adapter_id == adapter_id))

    def note_failure(self, adapter: str, failures: int, retry_at: datetime | None, failure: str) -> None:
        """The adapter's poll failed, so many in a row; see `SampleStore`."""
        with self._database.write() as connection:
            adapter_id = _ensure_adapter(connection, adapter)
            connection.execute(delete(t.circuit).where(t.circuit.c.adapter_id == adapter_id))
            connection.execute(
                insert(t.circuit).values(adapter_id=adapter_id, failures=failures, retry_at=retry_at, failure=failure)
            )

    def failures(self, adapter: str) -> int:
        """How many polls of the adapter failed in a row."""
        query = select(t.circuit.c.failures).join(t.adapter, t.adapter.c.id == t.circuit.c.adapter_id)
        with self._database.read() as connection:
            return int(connection.execute(query.where(t.adapter.c.name == adapter)).scalar() or 0)

    def quarantine(self, sample_id: int, reason: str, detail: str, at: datetime) -> None:
        """Set an active sample apart; one that is set apart already keeps its first reason."""
        with self._database.write() as connection:
            row = connection.execute(
                select(t.sample.c.adapter_id).where(t.sample.c.id == sample_id, t.sample.c.state == "active")
            ).first()
            if row is None:
                return
            connection.execute(
                update(t.sample)
                .where(t.sample.c.id == sample_id)
                .values(state="quarantined", reason=reason, detail=detail, quarantined_at=at)
            )
            count_outcome(connection, row.adapter_id, "quarantined", Counter([reason]))


@dataclass(slots=True)
class _Known:
    """A delivery that is in the store, or in this batch."""

    sample_id: int | None
    sha256: str
    label: str | None
    family: str | None
    rejected: bool


@dataclass(slots=True)
class Batch:
    """One admitted batch on its way into the tables."""

    connection: Connection
    adapter: str
    trust: Trust
    at: datetime
    adapter_id: int = 0
    known: dict[tuple[str, str], _Known] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    before: dict[str, Draft] = field(default_factory=dict)  # as loaded, to see what changed
    rules: list[Rule] = field(default_factory=list)
    claims: dict[str, list[Claim]] = field(default_factory=dict)  # sha256 -> earlier ones, where a split may ask
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)  # deliveries whose claim grew
    accepted: list[Admission] = field(default_factory=list)
    dimensions: dict[str, int] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    revived: int = 0  # forgotten samples that came again

    @property
    def receipt(self) -> Receipt:
        return Receipt(
            stored=len(self.drafts) - len(self.before) + self.revived,
            repeated=self.repeated,
            rejected=self.rejected.total(),
            quarantined=self.quarantined.total(),
            near_duplicates=self.quarantined["near_duplicate"],
        )

    def late_pictures(self) -> list[Draft]:
        """Samples that were known before without a picture's hash, and have one now."""
        return [
            draft
            for sha256, draft in self.drafts.items()
            if sha256 in self.before and self.before[sha256].phash is None and draft.phash is not None
        ]

    # --- reading ---------------------------------------------------------------------------------------

    def load(self, admissions: Sequence[Admission]) -> None:
        """Everything the store knows about these deliveries and samples, in a few queries."""
        self.adapter_id = _ensure_adapter(self.connection, self.adapter)
        d = t.delivery.c
        for uris in chunks({a.candidate.uri for a in admissions}):
            rows = self.connection.execute(
                select(d.uri, d.sha256, d.sample_id, d.label, d.family, d.reason).where(
                    d.adapter_id == self.adapter_id, d.uri.in_(uris)
                )
            )
            for row in rows:
                self.known[row.uri, row.sha256] = _Known(
                    row.sample_id, row.sha256, row.label, row.family, row.reason is not None
                )
        joined = (
            t.sample.join(t.source)
            .join(t.sample_group)
            .outerjoin(t.family)
            .outerjoin(t.learned, t.learned.c.sample_id == t.sample.c.id)
            .outerjoin(t.unlearned, t.unlearned.c.sample_id == t.sample.c.id)
        )
        columns: list[Any] = [
            t.sample,
            t.source.c.name.label("source"),
            t.sample_group.c.key.label("group"),
            t.family.c.name.label("family"),
            func.coalesce(t.learned.c.revision, t.unlearned.c.revision).label("learned"),
        ]
        names = set(Draft.__slots__)
        for digests in chunks({a.sha256 for a in admissions if a.reason is None}):
            query = select(*columns).select_from(joined).where(t.sample.c.sha256.in_(digests))
            for found in self.connection.execute(query).mappings():
                draft = Draft(**{name: value for name, value in found.items() if name in names})
                draft.learned = found["learned"] is not None
                self.drafts[draft.sha256] = draft
        self._load_corrections()
        self.before = {sha256: replace(draft) for sha256, draft in self.drafts.items()}
        for fingerprint in {a.candidate.vector_fingerprint for a in admissions} - {None}:
            dimension = dimension_of(self.connection, str(fingerprint))
            if dimension is not None:
                self.dimensions[str(fingerprint)] = dimension

    def _load_corrections(self) -> None:
        known = {draft.id: draft for draft in self.drafts.values() if draft.id is not None}
        for sample_id, relabel in read_relabels(self.connection, known).items():
            known[sample_id].relabel = relabel
        self.rules = read_rules(self.connection)
        if any(rule.conditional for rule in self.rules):
            for sample_id, rows in read_deliveries(self.connection, known).items():
                self.claims[known[sample_id].sha256] = [claim_of(row) for row in rows]

    # --- deciding --------------------------------------------------------------------------------------

    def take(self, admission: Admission) -> None:
        """Decide about one admission; nothing is written yet."""
        candidate = admission.candidate
        key = (candidate.uri, admission.sha256)
        known = self.known.get(key)
        if known is not None:
            self.repeated += 1
            if not (known.rejected or admission.reason) and _says_more(known, candidate):
                known.label = candidate.label or known.label
                known.family = candidate.family or known.family
                self.late.append({"b_uri": key[0], "b_sha256": key[1], "label": known.label, "family": known.family})
                self._merge(self.drafts[admission.sha256], self._as_called_now(admission))
            return
        reason, detail = admission.reason, admission.detail
        if reason is None:
            reason, detail = self._malformed(candidate)
        self.known[key] = _Known(None, admission.sha256, candidate.label, candidate.family, reason is not None)
        self.deliveries.append(self._delivery(admission, reason, detail))
        if reason is not None:
            self.rejected[reason] += 1
            return
        admission = self._as_called_now(admission)
        self.accepted.append(admission)
        draft = self.drafts.get(admission.sha256)
        if draft is None or draft.state == "forgotten":
            self.drafts[admission.sha256] = self._draft(admission, draft)
        else:
            self.repeated += 1
            self._merge(draft, admission)

    def _as_called_now(self, admission: Admission) -> Admission:
        """With the family by its present name; the delivery itself is kept as it came."""
        candidate = admission.candidate
        if candidate.family is None or not self.rules:
            return admission
        source = candidate.source or self.adapter
        claims = self.claims.setdefault(admission.sha256, [])
        claims.append(Claim(candidate.family, source, candidate.released, self.at))
        return replace(admission, candidate=replace(candidate, family=present_families(claims, self.rules)[-1]))

    def _merge(self, draft: Draft, admission: Admission) -> None:
        if draft.merge(admission, self.adapter, self.at):
            self.quarantined["label_conflict"] += 1

    def _draft(self, admission: Admission, forgotten: Draft | None) -> Draft:
        """A new sample, or one that was forgotten and comes again; what was learned once keeps its group."""
        candidate = admission.candidate
        draft = Draft(
            sha256=admission.sha256,
            size=admission.size,
            has_blob=candidate.content is not None,
            source=candidate.source or self.adapter,
            group=default_group(admission.sha256),
            delivered_at=self.at,
            adapter_id=self.adapter_id,
        )
        if forgotten is not None:
            self.revived += 1
            draft.id, draft.learned = forgotten.id, forgotten.learned
            draft.has_blob = draft.has_blob or forgotten.has_blob
            draft.group = forgotten.group if forgotten.learned else draft.group
        self._merge(draft, admission)
        return draft

    def _malformed(self, candidate: Candidate) -> tuple[str | None, str]:
        """(reason, detail) when the delivery contradicts itself, or its vector cannot lie beside its encoder's."""
        if candidate.label == "real" and candidate.family is not None:
            return "bad_record", f"a real picture of the generator family {candidate.family}"
        if candidate.vector is None:
            return None, ""
        if candidate.vector_fingerprint is None:
            return "bad_record", "a vector without the fingerprint of its encoder"
        if candidate.vector.ndim != 1 or not np.isfinite(candidate.vector).all():
            return "bad_record", "the vector is not one row of finite numbers"
        expected = self.dimensions.setdefault(candidate.vector_fingerprint, len(candidate.vector))
        if len(candidate.vector) != expected:
            return "bad_record", f"the vector has {len(candidate.vector)} numbers, others of its encoder {expected}"
        return None, ""

    def _delivery(self, admission: Admission, reason: str | None, detail: str) -> dict[str, Any]:
        candidate = admission.candidate
        return {
            "adapter_id": self.adapter_id,
            "uri": candidate.uri,
            "sha256": admission.sha256,
            "sample_id": None,
            "label": candidate.label,
            "family": candidate.family,
            "source": candidate.source or self.adapter,
            "group": candidate.group,
            "caption": candidate.caption,
            "released": candidate.released,
            "kind": candidate.kind,
            "at": self.at,
            "reason": reason,
            "detail": detail,
            "trust": self.trust,
            "generation": json.dumps(dict(candidate.generation), sort_keys=True) if candidate.generation else None,
            "licence": candidate.licence,
            "consent": candidate.consent,
        }

    # --- writing ---------------------------------------------------------------------------------------

    def store(
        self, shares: Mapping[Split, float], shards: Shards, cursor: str | None, hashes: Hashes | None = None
    ) -> None:
        """Write what was decided, after a last look for near-duplicates."""
        if hashes is not None:
            self._refuse_near_duplicates(shares, hashes)
        self._store_samples(shares)
        ids = {draft.sha256: draft.id for draft in self.drafts.values() if draft.id is not None}
        for row in self.deliveries:
            if row["reason"] is None:
                row["sample_id"] = ids[row["sha256"]]
        _insert(self.connection, t.delivery, self.deliveries)
        if self.late:
            d = t.delivery.c
            self.connection.execute(
                update(t.delivery).where(
                    d.adapter_id == self.adapter_id, d.uri == bindparam("b_uri"), d.sha256 == bindparam("b_sha256")
                ),
                self.late,
            )
        self._store_vectors(shards, ids)
        self._store_outside_scores(ids)
        count_outcome(self.connection, self.adapter_id, "rejected", self.rejected)
        count_outcome(self.connection, self.adapter_id, "quarantined", self.quarantined)
        values: dict[str, Any] = {
            "stored": t.adapter.c.stored + self.receipt.stored,
            "deliveries": t.adapter.c.deliveries + len(self.deliveries),
        }
        if cursor is not None:
            values["cursor"] = cursor
        self.connection.execute(update(t.adapter).where(t.adapter.c.id == self.adapter_id).values(values))

    def _refuse_near_duplicates(self, shares: Mapping[Split, float], hashes: Hashes) -> None:
        arrived = [draft for sha256, draft in self.drafts.items() if _arrives(draft, self.before.get(sha256))]
        for sha256, why in refusals(self.connection, hashes, arrived, shares, self.trust).items():
            draft = self.drafts[sha256]
            draft.state, draft.reason, draft.detail = "quarantined", "near_duplicate", why
            draft.quarantined_at = self.at
            self.quarantined["near_duplicate"] += 1

    def _store_samples(self, shares: Mapping[Split, float]) -> None:
        changed = [draft for sha256, draft in self.drafts.items() if self.before.get(sha256) != draft]
        candidates = [admission.candidate for admission in self.accepted]
        families = self._ensure_families(candidates, changed)
        sources = self._ensure_sources(
            {c.source or self.adapter for c in candidates} | {draft.source for draft in changed}
        )
        groups = self._ensure_groups({draft.group for draft in changed}, shares)
        rows = [
            {
                **{name: getattr(draft, name) for name in PLAIN},
                "family_id": None if draft.family is None else families[draft.family],
                "source_id": sources[draft.source],
                "group_id": groups[draft.group],
            }
            for draft in changed
        ]
        new = [row for row, draft in zip(rows, changed, strict=True) if draft.id is None]
        _insert(self.connection, t.sample, new)
        grown = [{"b_id": draft.id, **row} for row, draft in zip(rows, changed, strict=True) if draft.id is not None]
        if grown:
            self.connection.execute(update(t.sample).where(t.sample.c.id == bindparam("b_id")), grown)
        for digests in chunks([draft.sha256 for draft in changed if draft.id is None]):
            for row in self.connection.execute(
                select(t.sample.c.id, t.sample.c.sha256).where(t.sample.c.sha256.in_(digests))
            ):
                self.drafts[row.sha256].id = row.id
        renew_scores(
            self.connection,
            [draft.id for draft in changed if draft.id and draft.has_subject and not self._had_subject(draft)],
        )

    def _had_subject(self, draft: Draft) -> bool:
        before = self.before.get(draft.sha256)
        return before is None or before.has_subject

    def _ensure_families(self, candidates: list[Candidate], changed: list[Draft]) -> dict[str, int]:
        claims: dict[str, dict[str, str | None]] = {
            draft.family: {"kind": None, "released": None} for draft in changed if draft.family is not None
        }
        for candidate in candidates:
            if candidate.family is not None:
                claim = claims.setdefault(candidate.family, {"kind": None, "released": None})
                claim["kind"] = claim["kind"] or candidate.kind
                claim["released"] = claim["released"] or candidate.released
        f = t.family.c
        found = ids_by_name(self.connection, t.family, "name", claims)
        _insert(self.connection, t.family, [{"name": name, **claims[name]} for name in claims if name not in found])
        for name in claims.keys() & found.keys():
            for column in (f.kind, f.released):
                if claims[name][column.name] is not None:
                    self.connection.execute(
                        update(t.family)
                        .where(and_(f.name == name, column.is_(None)))
                        .values({column.name: claims[name][column.name]})
                    )
        return ids_by_name(self.connection, t.family, "name", claims)

    def _ensure_sources(self, names: set[str]) -> dict[str, int]:
        found = ids_by_name(self.connection, t.source, "name", names)
        _insert(
            self.connection,
            t.source,
            [{"name": name, "trust": self.trust} for name in sorted(names) if name not in found],
        )
        higher = _LOWEST_FIRST[_LOWEST_FIRST.index(self.trust) + 1 :]
        delivered = {row["source"] for row in self.deliveries if row["reason"] is None}
        if higher and delivered:
            self.connection.execute(
                update(t.source)
                .where(t.source.c.name.in_(delivered), t.source.c.trust.in_(higher))
                .values(trust=self.trust)
            )
        return ids_by_name(self.connection, t.source, "name", names)

    def _ensure_groups(self, keys: set[str], shares: Mapping[Split, float]) -> dict[str, int]:
        found = ids_by_name(self.connection, t.sample_group, "key", keys)
        _insert(
            self.connection,
            t.sample_group,
            [
                {"key": key, "split": split_of(key, shares), "fold": fold_of(key)}
                for key in sorted(keys)
                if key not in found
            ],
        )
        return ids_by_name(self.connection, t.sample_group, "key", keys)

    def _store_vectors(self, shards: Shards, ids: Mapping[str, int]) -> None:
        by_fingerprint: dict[str, dict[int, Any]] = {}
        for admission in self.accepted:
            candidate = admission.candidate
            if candidate.vector is not None and candidate.vector_fingerprint is not None:
                vectors = by_fingerprint.setdefault(candidate.vector_fingerprint, {})
                vectors.setdefault(ids[admission.sha256], candidate.vector)
        for fingerprint, vectors in sorted(by_fingerprint.items()):
            for profile in PROFILES:  # a precomputed vector has one form
                there = with_vector(self.connection, fingerprint, profile, list(vectors))
                missing = [sample_id for sample_id in vectors if sample_id not in there]
                if missing:
                    rows = np.stack([vectors[sample_id] for sample_id in missing]).astype(np.float16)
                    register_shard(self.connection, shards, fingerprint, profile, missing, rows)

    def _store_outside_scores(self, ids: Mapping[str, int]) -> None:
        rows = [
            {
                "sample_id": ids[admission.sha256],
                "version": f"outside:{detector}",
                "profile": "raw",
                "logit": value,
                "learned": False,
                "at": self.at,
            }
            for admission in self.accepted
            for detector, value in admission.candidate.outside_scores
        ]
        insert_new_scores(self.connection, rows)


def _arrives(draft: Draft, before: Draft | None) -> bool:
    """Whether an active sample stands where it did not before: new, with its first picture, or in another group."""
    if draft.state != "active":
        return False
    return before is None or before.state != "active" or (before.phash, before.group) != (draft.phash, draft.group)


def _order(admission: Admission) -> tuple[str, ...]:
    candidate = admission.candidate
    return (admission.sha256, candidate.uri, candidate.label or "", candidate.family or "", admission.reason or "")


def _says_more(known: _Known, candidate: Candidate) -> bool:
    """The repeated delivery carries a claim that it did not carry before."""
    return (candidate.label is not None and candidate.label != known.label) or (
        candidate.family is not None and candidate.family != known.family
    )


def _ensure_adapter(connection: Connection, name: str) -> int:
    if not name:
        raise BadInputError("an adapter needs a name")
    found = connection.execute(select(t.adapter.c.id).where(t.adapter.c.name == name)).scalar()
    if found is None:
        connection.execute(insert(t.adapter).values(name=name, stored=0, deliveries=0))
        found = connection.execute(select(t.adapter.c.id).where(t.adapter.c.name == name)).scalar_one()
    return int(found)


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)
