"""Corrections: what people decided, each in one audited transaction that everything else follows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from daemon.corrections.model import Correction, Relabel
from daemon.errors import BadInputError, NotFoundError
from daemon.model import REPLAY, Subject
from store import audit
from store import tables as t
from store.database import chunks
from store.deciding import decide_anew, read_relabels
from store.measurements import close_episodes, label_revision_in
from store.parts import Part, ids_by_name, is_gone
from store.standings import blank_standing


class Corrections(Part):
    """Relabels samples; knows which corrections are still to be followed."""

    def relabel(
        self, sha256s: Sequence[str], relabel: Relabel | None, reason: str, actor: str, at: datetime
    ) -> Correction | None:
        """Note what a person says of samples, or with None take that back; see `daemon.ports.Corrections.relabel`."""
        with self._database.write(durable=True) as connection:
            ids = sample_ids(connection, sha256s)
            if not _says_otherwise(connection, ids.values(), relabel):
                return None
            said = None if relabel is None else asdict(relabel)
            number = note(connection, "relabel", reason, actor, at, {"said": said, "samples": sorted(ids)})
            write_relabels(connection, ids.values(), relabel, number)
            done = carry_out(connection, number, ids.values(), at, note=f"relabelled: {reason}")
            _check_undisputed(connection, ids.values(), relabel)
            return done

    def named_families(self) -> list[tuple[str, datetime]]:
        """Families that a person named, by saying so of samples or by splitting them off, and when that was last."""
        r, f, a, rule = t.relabelled.c, t.family.c, t.audit.c, t.family_rule.c
        said = (
            select(f.name, func.max(a.at).label("at"))
            .join_from(t.relabelled, t.family, r.family_id == f.id)
            .join(t.audit, a.number == r.correction)
            .group_by(f.name)
        )
        split = (
            select(rule.new.label("name"), func.max(a.at).label("at"))
            .join_from(t.family_rule, t.audit, a.number == rule.correction)
            .where(a.action == "split")
            .group_by(rule.new)
        )
        with self._database.read() as connection:
            rows = [(row.name, row.at) for query in (said, split) for row in connection.execute(query)]
        return sorted({name: max(at for other, at in rows if other == name) for name, _ in rows}.items())

    def pending_corrections(self) -> list[int]:
        """Numbers of the corrections that statistics, figures and alarms have not followed yet."""
        c = t.correction.c
        with self._database.read() as connection:
            query = select(c.number).where(c.done_at.is_(None)).order_by(c.number)
            return list(connection.execute(query).scalars())

    def finish_corrections(self, numbers: Sequence[int], at: datetime) -> None:
        """These have been followed; the first time stays."""
        c = t.correction.c
        with self._database.write() as connection:
            pending = (c.number.in_(numbers), c.done_at.is_(None))
            connection.execute(update(t.correction).where(*pending).values(done_at=at))

    def label_revision(self) -> int:
        """Number of the last correction or forgetting: whoever read labels before it has read others."""
        with self._database.read() as connection:
            return label_revision_in(connection)


def sample_ids(connection: Connection, sha256s: Sequence[str]) -> dict[str, int]:
    """sha256 -> id. Raises NotFoundError when one of them is not in the store, or was forgotten."""
    s = t.sample.c
    found: dict[str, int] = {}
    for part in chunks(sha256s):
        query = select(s.sha256, s.id).where(s.sha256.in_(part), s.state != "forgotten")
        found.update({row.sha256: row.id for row in connection.execute(query)})
    missing = [sha256 for sha256 in sha256s if sha256 not in found]
    if missing:
        raise NotFoundError(f"there is no sample {missing[0]} in the store; check its sha256")
    return found


def note(
    connection: Connection, action: str, reason: str, actor: str, at: datetime, payload: Mapping[str, object]
) -> int:
    """Audit a correction and remember that it is to be followed; returns its number."""
    row = audit.append(
        connection, at=at, actor=actor, action=action, version=None, previous=None, reason=reason, payload=payload
    )
    connection.execute(insert(t.correction).values(number=row.number))
    return row.number


def write_relabels(connection: Connection, ids: Collection[int], relabel: Relabel | None, number: int) -> None:
    """What people said of these samples before is replaced, or taken back."""
    r = t.relabelled.c
    for part in chunks(ids):
        connection.execute(delete(t.relabelled).where(r.sample_id.in_(part)))
    if relabel is None:
        return
    family_id = None if relabel.family is None else ensure_family(connection, relabel.family)
    source_id = None if relabel.source is None else _ensure_source(connection, relabel.source, ids)
    said = {"label": relabel.label, "family_id": family_id, "source_id": source_id, "correction": number}
    connection.execute(insert(t.relabelled), [{"sample_id": i, **said} for i in ids])


def ensure_family(connection: Connection, name: str) -> int:
    """The id of a family, which may be a new one."""
    found = ids_by_name(connection, t.family, "name", [name])
    if name not in found:
        connection.execute(insert(t.family).values(name=name))
        found = ids_by_name(connection, t.family, "name", [name])
    return found[name]


def _ensure_source(connection: Connection, name: str, ids: Collection[int]) -> int:
    """The id of a source; a new one is trusted as little as what the samples came from."""
    found = ids_by_name(connection, t.source, "name", [name])
    if name not in found:
        s = t.sample.c
        levels: set[str] = set()
        for part in chunks(ids):
            query = select(t.source.c.trust).join(t.sample, s.source_id == t.source.c.id).where(s.id.in_(part))
            levels.update(connection.execute(query.distinct()).scalars())
        trust = next(level for level in ("untrusted", "known", "trusted") if level in levels)
        connection.execute(insert(t.source).values(name=name, trust=trust))
        found = ids_by_name(connection, t.source, "name", [name])
    return found[name]


def _says_otherwise(connection: Connection, ids: Iterable[int], relabel: Relabel | None) -> bool:
    wanted = list(ids)
    said = read_relabels(connection, wanted)
    return any(said.get(i) != relabel for i in wanted)


def _check_undisputed(connection: Connection, ids: Iterable[int], relabel: Relabel | None) -> None:
    s = t.sample.c
    for part in chunks(ids):
        disputed = select(s.sha256, s.detail).where(
            s.id.in_(part), s.state == "quarantined", s.reason == "label_conflict"
        )
        row = connection.execute(disputed.limit(1)).first()
        if row is not None and relabel is not None:
            raise BadInputError(f"deliveries of {row.sha256[:12]} disagree on its family ({row.detail}): say which one")


def carry_out(connection: Connection, number: int, ids: Iterable[int], at: datetime, *, note: str) -> Correction:
    """Decide the samples anew and let figures and alarms follow; returns what changed."""
    decided = decide_anew(connection, ids, at)
    follow_labels(connection, decided.left_and_joined, note)
    bump_revisions(connection, at)
    subjects = tuple(sorted(decided.left_and_joined))
    return Correction(number, len(decided.changed), learned_of(connection, decided.moved), subjects)


def follow_labels(connection: Connection, subjects: Collection[Subject], note: str) -> None:
    """Figures of these subjects are to be measured anew, their evidence counted anew from the stored scores.

    A test goes on at the level that it has, also when no sample is left of it: what it cost stays spent. An episode
    that an earlier champion's evidence opened is closed, for only the present one's is counted again; so is that of a
    family of which nothing is left.
    """
    champion = connection.execute(select(t.alias.c.version).where(t.alias.c.name == "champion")).scalar()
    for subject in subjects:
        kind, name = subject
        e, test = t.evaluation.c, t.test_state.c
        connection.execute(delete(t.evaluation).where(e.subject_kind == kind, e.subject_name == name))
        of_it = and_(test.subject_kind == kind, test.subject_name == name)
        connection.execute(update(t.test_state).where(of_it).values(last_score_id=REPLAY))
        if is_gone(connection, subject):
            connection.execute(update(t.test_state).where(of_it).values(alarmed_at=None))
            blank_standing(connection, subject)
            close_episodes(connection, subject, note)
        elif kind == "family":
            p = t.episode.c
            earlier = and_(p.family == name, p.state == "alarmed", p.champion != champion)
            connection.execute(update(t.episode).where(earlier).values(state="closed", note=note))
    if champion is not None and any(subject.kind == "source" for subject in subjects):
        # every figure was measured against the real pictures, and the test of the real pool counted them
        connection.execute(delete(t.evaluation).where(t.evaluation.c.version == champion))
        a = t.service_alarm.c
        anew = {"version": "", "raised_at": None, "log10_evidence": 0.0}
        connection.execute(update(t.service_alarm).where(a.kind == "real_pool_shift").values(anew))


def bump_revisions(connection: Connection, at: datetime) -> None:
    """Whoever works from the labels or names before is refused when it wants to commit statistics."""
    r = t.statistics_revision
    connection.execute(update(r).values(revision=r.c.revision + 1, at=at))


def learned_of(connection: Connection, sample_ids: Collection[int]) -> int:
    """How many of the samples the statistics of some encoder hold."""
    learned = t.learned.c.sample_id
    return sum(
        connection.execute(select(func.count(learned.distinct())).where(learned.in_(ids))).scalar_one()
        for ids in chunks(sample_ids)
    )
