"""Every table; the unique constraints are what makes each write repeatable without harm.

Queries use the Core tables at the end of this file (`sample.c.sha256`): bulk reads then build no objects.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Index, MetaData, PrimaryKeyConstraint, Table, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.types import CanonicalJson, UtcDateTime

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(SQLModel):
    """Base of all tables, with metadata of its own and constraint names that migrations can rely on."""

    metadata = MetaData(naming_convention=_NAMES)


class Family(Base, table=True):
    """A generator family that some delivery claimed."""

    __tablename__ = "family"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    kind: str | None = None
    released: str | None = None
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # no alarm about it since
    anchored_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # no head may learn from it since


class Source(Base, table=True):
    """A photo collection or adapter; its trust is the lowest of the adapters that delivered it."""

    __tablename__ = "source"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    trust: str


class SampleGroup(Base, table=True):
    """What is never split: one row, so one split and one fold, for ever."""

    __tablename__ = "sample_group"
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    split: str
    fold: int


class AdapterState(Base, table=True):
    """An adapter's cursor, and how many deliveries became durable together with it."""

    __tablename__ = "adapter"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    cursor: str | None = Field(default=None, sa_type=Text)
    last_success_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    stored: int = 0
    deliveries: int = 0


class Circuit(Base, table=True):
    """An adapter whose last poll failed: how often in a row, and until when it is left alone."""

    __tablename__ = "circuit"
    adapter_id: int = Field(primary_key=True, foreign_key="adapter.id")
    failures: int
    retry_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failure: str = Field(default="", sa_type=Text)


class ReleaseRow(Base, table=True):
    """A generator whose release an adapter reported; others make pictures with it."""

    __tablename__ = "release"
    __table_args__ = (UniqueConstraint("adapter_id", "model"),)
    id: int | None = Field(default=None, primary_key=True)
    adapter_id: int = Field(foreign_key="adapter.id")
    model: str
    revision: str
    family: str = Field(index=True)  # as registered; `family_rule` says what it is called now
    released: str
    kind: str | None = None
    licence: str | None = Field(default=None, sa_type=Text)
    at: datetime = Field(sa_type=UtcDateTime)


class Rejection(Base, table=True):
    """How many samples of an adapter were rejected or quarantined, by reason."""

    __tablename__ = "rejection"
    __table_args__ = (PrimaryKeyConstraint("adapter_id", "outcome", "reason"),)
    adapter_id: int = Field(foreign_key="adapter.id")
    outcome: str  # rejected, quarantined
    reason: str
    count: int


class Sample(Base, table=True):
    """One image, known by the sha256 of its bytes."""

    __tablename__ = "sample"
    __table_args__ = (Index(None, "delivered_at", "sha256"), Index(None, "state", "label"))
    id: int | None = Field(default=None, primary_key=True)
    sha256: str = Field(unique=True)
    size: int = Field(sa_type=BigInteger)  # bytes
    width: int | None = None
    height: int | None = None
    format: str | None = None
    phash: str | None = None
    facts: dict[str, Any] | None = Field(default=None, sa_type=CanonicalJson)  # of the file; NULL: not known
    has_blob: bool
    label: str | None = None
    label_from: str | None = None  # adapter that claimed the label
    family_id: int | None = Field(default=None, foreign_key="family.id", index=True)
    source_id: int = Field(foreign_key="source.id", index=True)
    group_id: int = Field(foreign_key="sample_group.id", index=True)
    adapter_id: int = Field(foreign_key="adapter.id", index=True)  # of the first delivery
    caption: str | None = Field(default=None, sa_type=Text)
    delivered_at: datetime = Field(sa_type=UtcDateTime)  # of the first delivery
    state: str  # active, quarantined, forgotten (only digest and group are kept)
    reason: str | None = None
    detail: str = Field(default="", sa_type=Text)
    quarantined_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Delivery(Base, table=True):
    """A sample, or something that was rejected, as one adapter delivered it."""

    __tablename__ = "delivery"
    __table_args__ = (UniqueConstraint("adapter_id", "uri", "sha256"), Index(None, "adapter_id", "at"))
    id: int | None = Field(default=None, primary_key=True)
    adapter_id: int = Field(foreign_key="adapter.id")
    uri: str = Field(sa_type=Text)
    sha256: str  # "" when there are no bytes and none were promised
    sample_id: int | None = Field(default=None, foreign_key="sample.id", index=True)  # NULL: rejected
    label: str | None = None
    family: str | None = None
    source: str
    group: str | None = None
    caption: str | None = Field(default=None, sa_type=Text)
    released: str | None = None
    kind: str | None = None
    at: datetime = Field(sa_type=UtcDateTime)
    reason: str | None = None
    detail: str = Field(default="", sa_type=Text)
    trust: str | None = None  # of the adapter at that time; NULL: delivered before it was noted
    generation: str | None = Field(default=None, sa_type=Text)  # JSON object: seed, model, ...; NULL: not said
    licence: str | None = Field(default=None, sa_type=Text)
    consent: str | None = Field(default=None, sa_type=Text)


class VectorShard(Base, table=True):
    """One Parquet file of vectors of one encoder and one profile."""

    __tablename__ = "vector_shard"
    __table_args__ = (Index(None, "fingerprint", "profile"),)
    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(unique=True)
    fingerprint: str
    profile: str
    dimension: int
    rows: int


class Vector(Base, table=True):
    """Where a sample's vector lies."""

    __tablename__ = "vector"
    __table_args__ = (PrimaryKeyConstraint("sample_id", "fingerprint", "profile"), UniqueConstraint("shard_id", "row"))
    sample_id: int = Field(foreign_key="sample.id")
    fingerprint: str
    profile: str
    shard_id: int = Field(foreign_key="vector_shard.id")
    row: int


class Score(Base, table=True):
    """What one version said of one sample, once; version `outside:<detector>` is somebody else's."""

    __tablename__ = "score"
    __table_args__ = (
        UniqueConstraint("sample_id", "profile", "version"),
        Index(None, "version", "profile", "id"),
        {"sqlite_autoincrement": True},  # an id is never given twice: readers go on "after id"
    )
    id: int | None = Field(default=None, primary_key=True)
    sample_id: int = Field(foreign_key="sample.id")
    version: str
    profile: str
    logit: float
    learned: bool  # the version had learned the sample
    at: datetime = Field(sa_type=UtcDateTime)


class Version(Base, table=True):
    """One immutable version; its files are named by the digests."""

    __tablename__ = "version"
    id: str = Field(primary_key=True)
    number: int = Field(unique=True)
    parent: str | None = Field(default=None, foreign_key="version.id")
    fingerprint: str
    learner: str
    statistics_revision: int
    state: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    manifest_sha256: str = Field(unique=True)
    tensors_sha256: str
    verdict: dict[str, Any] | None = Field(default=None, sa_type=CanonicalJson)


class Alias(Base, table=True):
    """`champion` and `previous`."""

    __tablename__ = "alias"
    name: str = Field(primary_key=True)
    version: str = Field(foreign_key="version.id")


class Audit(Base, table=True):
    """Append-only, hash-chained."""

    __tablename__ = "audit"
    __table_args__ = (PrimaryKeyConstraint("number"),)
    number: int = Field(sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    action: str
    version: str | None = None
    previous: str | None = None
    reason: str = Field(sa_type=Text)
    payload: dict[str, Any] = Field(sa_type=CanonicalJson)
    previous_hash: str = Field(unique=True)
    hash: str = Field(unique=True)


class Evaluation(Base, table=True):
    """A measured figure; the newest of each (subject, profile, window) counts."""

    __tablename__ = "evaluation"
    __table_args__ = (
        UniqueConstraint(
            "version", "subject_kind", "subject_name", "profile", "window", "at", name="uq_evaluation_once"
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    version: str
    subject_kind: str
    subject_name: str
    profile: str
    window: str
    at: datetime = Field(sa_type=UtcDateTime)
    n: int
    groups: int
    ap: float | None = None
    ap_lower: float | None = None
    ap_upper: float | None = None
    approximate: bool = False
    auroc: float | None = None
    auroc_lower: float | None = None
    auroc_upper: float | None = None
    recall: float | None = None
    recall_lower: float | None = None
    recall_upper: float | None = None
    false_positive_rate: float | None = None
    false_positive_lower: float | None = None
    false_positive_upper: float | None = None


class SequentialTest(Base, table=True):
    """The running test of one subject against one version."""

    __tablename__ = "test_state"
    __table_args__ = (PrimaryKeyConstraint("version", "subject_kind", "subject_name"),)
    version: str
    subject_kind: str
    subject_name: str
    state: dict[str, Any] = Field(sa_type=CanonicalJson)
    log10_evidence: float
    log10_alarm: float
    votes: int
    last_score_id: int
    first_vote_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    alarmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    restarts: int = 0  # by people; a pass that read another number writes nothing over it


class SubjectStateRow(Base, table=True):
    """The state that a family or real source was last seen in."""

    __tablename__ = "subject_state"
    __table_args__ = (PrimaryKeyConstraint("subject_kind", "subject_name"),)
    subject_kind: str
    subject_name: str
    state: str
    since: datetime = Field(sa_type=UtcDateTime)
    number: int


class ServiceAlarm(Base, table=True):
    """An alarm that is not one family's or real source's own, with its running evidence."""

    __tablename__ = "service_alarm"
    __table_args__ = (PrimaryKeyConstraint("kind", "about"),)
    kind: str
    about: str
    version: str
    state: dict[str, Any] = Field(sa_type=CanonicalJson)
    log10_evidence: float | None = None
    log10_alarm: float | None = None
    raised_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    text: str = Field(default="", sa_type=Text)


_OPEN: Final = "state IN ('alarmed', 'learned')"


class EpisodeRow(Base, table=True):
    """One family's incident; the partial unique index allows one open episode per family."""

    __tablename__ = "episode"
    __table_args__ = (
        Index("ix_episode_one_open", "family", unique=True, sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
    )
    id: int | None = Field(default=None, primary_key=True)
    family: str
    state: str
    champion: str
    opened_at: datetime = Field(sa_type=UtcDateTime)
    alarmed_at: datetime = Field(sa_type=UtcDateTime)
    samples_to_alarm: int
    ap_before: float | None = None
    auroc_before: float | None = None
    version: str | None = None
    learned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ap_after: float | None = None
    samples_after: int = 0
    recovered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    attempts: int = 0
    groups_at_attempt: int = 0
    note: str = Field(default="", sa_type=Text)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_by: str = ""
    snoozed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class EventRow(Base, table=True):
    """Something people may want to hear of."""

    __tablename__ = "event"
    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    kind: str
    at: datetime = Field(sa_type=UtcDateTime)
    text: str = Field(sa_type=Text)
    data: dict[str, Any] = Field(sa_type=CanonicalJson)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class OutboxEntry(Base, table=True):
    """A message for one recipient, from the event it tells of until it was taken, and afterwards."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("event_id", "channel", "recipient"), Index(None, "sent_at", "channel"))
    id: int | None = Field(default=None, primary_key=True)
    event_id: int = Field(foreign_key="event.id")
    channel: str
    recipient: str  # "" where the channel has but one
    message: dict[str, Any] = Field(sa_type=CanonicalJson)
    created_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0  # that failed
    next_attempt_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error: str = Field(default="", sa_type=Text)  # of the last failure


class RunRow(Base, table=True):
    """One tick of one job and what became of it."""

    __tablename__ = "run"
    __table_args__ = (UniqueConstraint("job", "tick"), Index(None, "state", "job"))
    id: int | None = Field(default=None, primary_key=True)
    job: str
    tick: int = Field(sa_type=BigInteger)
    state: str
    outcome: str | None = None
    due_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    holder: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    detail: str = Field(default="", sa_type=Text)


class JobPauseRow(Base, table=True):
    """A job that a person has paused; one whose time is over goes on, and its row is replaced by the next pause."""

    __tablename__ = "job_pause"
    job: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    actor: str
    reason: str = Field(default="", sa_type=Text)


class Statistics(Base, table=True):
    """One statistics group: the count and the digest of its file."""

    __tablename__ = "statistics"
    __table_args__ = (PrimaryKeyConstraint("fingerprint", "subject_kind", "subject_name", "profile"),)
    fingerprint: str
    subject_kind: str
    subject_name: str
    profile: str
    n: int
    digest: str
    revision: int


class StatisticsRevision(Base, table=True):
    """The last committed revision of an encoder's statistics."""

    __tablename__ = "statistics_revision"
    fingerprint: str = Field(primary_key=True)
    revision: int
    at: datetime = Field(sa_type=UtcDateTime)


class Learned(Base, table=True):
    """Which statistics revision took a sample in, and as what; at most once per encoder."""

    __tablename__ = "learned"
    __table_args__ = (
        PrimaryKeyConstraint("sample_id", "fingerprint"),
        Index(None, "fingerprint", "subject_kind", "subject_name"),
    )
    sample_id: int = Field(foreign_key="sample.id")
    fingerprint: str
    revision: int
    subject_kind: str
    subject_name: str
    raw_left_out: str | None = None  # why only its laundered form is in the statistics; NULL: both are
    form: str = ""  # among which form of its family it was counted; "": not known, or a real source


class ClippedRow(Base, table=True):
    """A sample that an encoder's statistics leave out because it lies implausibly far from its own group."""

    __tablename__ = "clipped"
    __table_args__ = (
        PrimaryKeyConstraint("sample_id", "fingerprint"),
        Index(None, "fingerprint", "subject_kind", "subject_name"),
    )
    sample_id: int = Field(foreign_key="sample.id")
    fingerprint: str
    subject_kind: str
    subject_name: str
    version: str = Field(foreign_key="version.id")
    spreads: float  # beyond the group's usual norm
    revision: int  # the first statistics revision from which on it is left out


class ClipJudged(Base, table=True):
    """The groups whose pictures were last judged, under which version and from what."""

    __tablename__ = "clip_judged"
    __table_args__ = (PrimaryKeyConstraint("fingerprint", "subject_kind", "subject_name"),)
    fingerprint: str
    subject_kind: str
    subject_name: str
    version: str = Field(foreign_key="version.id")
    judged: str  # sha256 over everything that the decision depends on beside the version


class ShortcutAudit(Base, table=True):
    """How well file metadata alone tells a batch from the pictures of the other label."""

    __tablename__ = "shortcut_audit"
    __table_args__ = (PrimaryKeyConstraint("subject_kind", "subject_name", "source"),)
    subject_kind: str
    subject_name: str
    source: str  # "": all sources together
    state: str  # clean, shortcut, too_few
    auroc: float | None = None
    lower: float | None = None
    upper: float | None = None
    n: int
    groups: int
    others: int
    unknown: int
    known: int
    known_others: int
    threshold: float
    recipe: str
    at: datetime = Field(sa_type=UtcDateTime)
    number: int


class Golden(Base, table=True):
    """What an encoder made of the golden picture when it first came up in this store."""

    __tablename__ = "golden"
    __table_args__ = (PrimaryKeyConstraint("fingerprint", "profile"),)
    fingerprint: str
    profile: str
    dtype: str  # of the values in `vector`, as numpy writes it
    dimension: int
    vector: bytes
    at: datetime = Field(sa_type=UtcDateTime)


class Unlearned(Base, table=True):
    """A sample that was taken out of an encoder's statistics, once or more often.

    Versions solved since `revision` may hold it; those solved since `until` and before it was learned again do not.
    """

    __tablename__ = "unlearned"
    __table_args__ = (PrimaryKeyConstraint("sample_id", "fingerprint"), Index(None, "fingerprint", "until"))
    sample_id: int = Field(foreign_key="sample.id")
    fingerprint: str
    revision: int  # the first that took it in
    until: int  # the last that took it out


class Held(Base, table=True):
    """As what an encoder's statistics held a sample, from the revision that took it in until one that took it out."""

    __tablename__ = "held"
    __table_args__ = (PrimaryKeyConstraint("sample_id", "fingerprint", "until"), Index(None, "fingerprint", "until"))
    sample_id: int = Field(foreign_key="sample.id")
    fingerprint: str
    revision: int
    until: int
    subject_kind: str | None = None  # NULL: taken out before that was noted
    subject_name: str | None = None


class ForgetRow(Base, table=True):
    """What somebody asked to forget; `taken_out` until its bytes are gone, then `done`."""

    __tablename__ = "forget"
    id: int | None = Field(default=None, primary_key=True)
    kind: str  # source, family, sample
    name: str
    reason: str = Field(sa_type=Text)
    actor: str
    at: datetime = Field(sa_type=UtcDateTime)
    state: str
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deliveries: int
    gone: int
    kept: int
    learned: int


class FamilyRule(Base, table=True):
    """What deliveries call `old` is `new` since then; with a condition: only what meets it (a split)."""

    __tablename__ = "family_rule"
    id: int | None = Field(default=None, primary_key=True)
    old: str
    new: str
    source: str | None = None
    released_after: str | None = None
    delivered_after: datetime | None = Field(default=None, sa_type=UtcDateTime)
    correction: int = Field(foreign_key="audit.number")


class Relabelled(Base, table=True):
    """What a person said about a sample; it wins over every delivery."""

    __tablename__ = "relabelled"
    __table_args__ = (PrimaryKeyConstraint("sample_id"),)
    sample_id: int = Field(foreign_key="sample.id")
    label: str
    family_id: int | None = Field(default=None, foreign_key="family.id", index=True)
    source_id: int | None = Field(default=None, foreign_key="source.id")
    correction: int = Field(foreign_key="audit.number")


class CorrectionRow(Base, table=True):
    """A correction, and when statistics, figures and alarms had followed it."""

    __tablename__ = "correction"
    __table_args__ = (PrimaryKeyConstraint("number"),)
    number: int = Field(foreign_key="audit.number", sa_column_kwargs={"autoincrement": False})
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class MigrationRow(Base, table=True):
    """The move from one encoder to another; `unfinished` is 1 or NULL, so that one is unfinished at most."""

    __tablename__ = "migration"
    id: int | None = Field(default=None, primary_key=True)
    from_fingerprint: str
    to_fingerprint: str
    from_settings: dict[str, Any] | None = Field(default=None, sa_type=CanonicalJson)
    to_settings: dict[str, Any] = Field(sa_type=CanonicalJson)
    state: str
    unfinished: int | None = Field(default=None, unique=True)
    began_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    version: str | None = Field(default=None, foreign_key="version.id")
    champion: str | None = Field(default=None, foreign_key="version.id")
    verdict: dict[str, Any] | None = Field(default=None, sa_type=CanonicalJson)
    reason: str = Field(default="", sa_type=Text)


class MigrationFailure(Base, table=True):
    """A picture that a migration's target cannot take."""

    __tablename__ = "migration_failure"
    __table_args__ = (PrimaryKeyConstraint("migration_id", "sample_id"),)
    migration_id: int = Field(foreign_key="migration.id")
    sample_id: int = Field(foreign_key="sample.id")
    reason: str
    detail: str = Field(default="", sa_type=Text)


metadata: Final = Base.metadata


def _table(name: str) -> Table:
    return metadata.tables[name]


family = _table("family")
source = _table("source")
sample_group = _table("sample_group")
adapter = _table("adapter")
circuit = _table("circuit")
release = _table("release")
rejection = _table("rejection")
sample = _table("sample")
delivery = _table("delivery")
vector_shard = _table("vector_shard")
vector = _table("vector")
score = _table("score")
version = _table("version")
alias = _table("alias")
audit = _table("audit")
evaluation = _table("evaluation")
test_state = _table("test_state")
subject_state = _table("subject_state")
service_alarm = _table("service_alarm")
episode = _table("episode")
event = _table("event")
outbox = _table("outbox")
run = _table("run")
job_pause = _table("job_pause")
statistics = _table("statistics")
statistics_revision = _table("statistics_revision")
learned = _table("learned")
clipped = _table("clipped")
clip_judged = _table("clip_judged")
shortcut_audit = _table("shortcut_audit")
golden = _table("golden")
unlearned = _table("unlearned")
held = _table("held")
forget = _table("forget")
family_rule = _table("family_rule")
relabelled = _table("relabelled")
correction = _table("correction")
migration = _table("migration")
migration_failure = _table("migration_failure")
