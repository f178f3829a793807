"""What the deciding code asks of the world; `store` and `adapters` implement it, tests bring their own.

All times are aware UTC datetimes. Every method that writes is one transaction and may be repeated without
harm; what it acknowledges by returning is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from daemon.corrections.model import Correction, FamilyFacts, FamilyPart, Relabel, SampleFacts
from daemon.model import (
    AdapterRow,
    Admission,
    Alarm,
    AuditRow,
    Batch,
    BatchAudit,
    BatchCount,
    BatchKey,
    Dataset,
    EncodingFailure,
    Episode,
    EvaluationRow,
    Event,
    FamilyFlags,
    FamilyRow,
    FileRow,
    ForgetCounts,
    ForgetRecord,
    ForgetTarget,
    GoldenRecord,
    Inspected,
    LabelledSamples,
    LabelledVectors,
    LearnedRow,
    LeftOut,
    LeftOutReason,
    Material,
    Migration,
    MigrationCounts,
    MigrationState,
    OutboxCounts,
    OutboxMessage,
    OutboxRow,
    PastFigure,
    PastMean,
    PendingSample,
    Profile,
    Prompt,
    Pushed,
    QuarantinedSample,
    Receipt,
    Rejection,
    Release,
    Reported,
    Run,
    ScoredRow,
    Split,
    Subject,
    SubjectState,
    TestState,
    Trust,
    UnlabelledRow,
    VersionRecord,
)

if TYPE_CHECKING:
    from daemon.notify.message import Message, Picture


StatisticsKey = tuple[Subject, Profile]
Progress = Callable[[str, int, int], None]  # (what, done, total; 0: unknown)


class Clock(Protocol):
    """Wall time and monotonic time; a simulated one drives tests, the demo and back-tests."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def after_cycle(self) -> None:
        """Called after every cycle; simulated time moves on here."""
        ...


class Adapter(Protocol):
    """A kind of source. The class is found through the entry point group `sidwatch.adapters`."""

    kind: ClassVar[str]
    Options: ClassVar[type]  # a pydantic model with extra="forbid"

    def __init__(self, name: str, options: Any) -> None: ...

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` candidates released by `now`, in batches, from `cursor` on.

        Ends when nothing more is there at the moment. Raises BadInputError when the source itself is unreadable.
        """
        ...


class MakingAdapter(Adapter, Protocol):
    """An adapter whose pictures cost something: each poll asks for what a person has to pay for.

    When `poll` is resumed behind a batch, that batch is stored, its cursor with it: what the cursor says was spent is
    never forgotten, whatever dies next.

    So that metrics can tell what a day has cost, the cursor is a JSON object that holds it under `spent`, as
    {"2030-01-01": {"images": 3, "money": "0.12"}} by UTC day, and the options name `images_per_day` and, where pictures
    cost something, `money_per_day`.
    """

    confirmed: ClassVar[bool]  # True: the poll waits until each batch is stored

    def preview(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield what `poll` would make first, without making it: candidates without pictures."""
        ...

    def give(self, material: Material) -> None:
        """Called before `poll` or `preview`, with what the service has for this adapter."""
        ...


class Encoder(Protocol):
    """Picture -> feature vector; frozen."""

    name: str
    dimension: int
    fingerprint: str  # sha256 hex of everything that decides a vector's bytes

    def encode(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w, 3) RGB -> (d,), finite, inside float16's range."""
        ...


class Corrections(Protocol):
    """What people decided. Each write is one audited transaction; deliveries stay as they came.

    Figures and alarms of what is touched are dropped or marked to be counted anew in the same transaction; statistics
    follow in the next cycle, or at once when the command holds the state.
    """

    def relabel(
        self, sha256s: Sequence[str], relabel: Relabel | None, reason: str, actor: str, at: datetime
    ) -> Correction | None:
        """Note what a person says of samples; it wins over every delivery, later ones too. None: take it back.

        Takes them out of the quarantine for contradicting labels. None is returned, and nothing written, when all of
        it was said before. Raises BadInputError: an unknown or forgotten sample, a family that their deliveries
        dispute and the person left open.
        """
        ...

    def rename_family(self, old: str, new: str, reason: str, actor: str, at: datetime) -> Correction | None:
        """`old` is called `new` from now on, also where later deliveries say `old`; None: it is so already.

        Raises BadInputError: no such family, or the new name is taken. So do the others.
        """
        ...

    def merge_families(self, name: str, into: str, reason: str, actor: str, at: datetime) -> Correction | None:
        """What was `name` is `into`, what deliveries call `name` later too. Its open episode goes on with `into`."""
        ...

    def split_family(
        self, name: str, new: str, part: FamilyPart, sha256s: Sequence[str], reason: str, actor: str, at: datetime
    ) -> Correction | None:
        """A part of `name` is the family `new`: what meets the conditions, later deliveries too, or these samples."""
        ...

    def retire_family(self, name: str, undo: bool, reason: str, actor: str, at: datetime) -> Correction | None:
        """Measure, test and gate the family no longer (undo: again); what was learned of it stays learned."""
        ...

    def anchor_family(self, name: str, undo: bool, reason: str, actor: str, at: datetime) -> Correction | None:
        """Let no head learn from the family, so that it shows what a new version breaks (undo: they may again)."""
        ...

    def families(self) -> list[FamilyFacts]:
        """Every family that has a sample or is retired or an anchor, by name."""
        ...

    def anchored(self) -> set[int]:
        """Ids of the samples of anchors: no head, threshold or calibration may come from them."""
        ...

    def named_families(self) -> list[tuple[str, datetime]]:
        """Families that a person named, by saying so of samples or by splitting them off, and when that was last."""
        ...

    def pending_corrections(self) -> list[int]:
        """Numbers of the corrections that statistics, figures and alarms have not followed yet."""
        ...

    def finish_corrections(self, numbers: Sequence[int], at: datetime) -> None: ...
    def label_revision(self) -> int:
        """Number of the last correction or forgetting: whoever read labels before it has read others."""
        ...

    def samples_named(self, prefixes: Sequence[str]) -> list[str]:
        """The sha256 of each sample, by its beginning. Raises BadInputError when one fits none, or several."""
        ...

    def sample_facts(self, prefix: str) -> SampleFacts:
        """The sample whose sha256 begins so. Raises BadInputError when none does, or several do."""
        ...


class SampleStore(Corrections, Protocol):
    """Samples, vectors, scores, statistics, measurements."""

    # intake
    def cursor(self, adapter: str) -> str | None: ...
    def admit(
        self,
        adapter: str,
        trust: Trust,
        admissions: Sequence[Admission],
        cursor: str | None,
        at: datetime,
        releases: Sequence[Release] = (),
    ) -> Receipt:
        """Store one inspected batch and its cursor: blobs first, then every row in one transaction.

        A release is registered once for each model, with its family and release date, and keeps its first revision.

        New bytes become a sample (active). A delivery (adapter, uri, sha256) seen before changes nothing, unless it
        now claims a label or family that it did not claim then: that counts as a late label. A new
        delivery of known bytes adds a delivery row; unknown labels are filled in from it; a disagreement on label
        or family puts the sample in quarantine (`label_conflict`). Groups get their split (stable hash of the group
        key against the configured shares) when first seen, and keep it. Rejected admissions are counted by reason
        and noted. Candidates with a vector get it stored under its fingerprint (profile raw and laundered alike:
        a precomputed vector has one form). Outside scores go to scores under version `outside:<detector>`.
        """
        ...

    def report(self, admission: Admission, trust: Trust, actor: str, note: str, at: datetime) -> Reported:
        """What a person says of one picture: a delivery of the source FEEDBACK, as `admit` takes it, and an audit row.

        An admission without content or vector names a sample that is there. The very same report (its uri, picture,
        label and family) again changes nothing. One transaction. Raises BadInputError when there is no such sample, or
        the uri stands for another report.
        """
        ...

    def pushed(self, uri: str, said: str) -> Pushed | None:
        """What became of the accepted push of that uri, with `repeated` set; None: there was none.

        said: a digest of everything that it says. Raises BadInputError when the uri stands for another one.
        """
        ...

    def push(
        self,
        admission: Admission,
        trust: Trust,
        said: str,
        at: datetime,
        *,
        since: datetime,
        per_day: int | None,
    ) -> Pushed:
        """One delivery of the adapter PUSH, as `admit` takes it, in one durable transaction; again as `pushed`.

        Raises TemporaryError when `per_day` deliveries of it came since `since`, BadInputError as `pushed`.
        """
        ...

    def reported(self) -> set[int]:
        """Ids of the active samples that are here because a detector erred on them: their label came from a report.

        They say nothing about how often it errs. A synthetic one counts only if somebody else delivers its family
        too: of a family that only people report there is nothing better.
        """
        ...

    def delivered_since(self, adapter: str, since: datetime) -> int:
        """How many new deliveries of the adapter were stored at that time or later, rejected ones included."""
        ...

    def rejections(self, adapter: str, limit: int) -> list[Rejection]:
        """The last so many deliveries of the adapter that were refused, newest first."""
        ...

    def note_success(self, adapter: str, at: datetime) -> None:
        """A poll of the adapter ended well; its circuit is closed."""
        ...

    def note_failure(self, adapter: str, failures: int, retry_at: datetime | None, failure: str) -> None:
        """So many polls in a row failed, the last one for this reason; retry_at: the circuit is open until then."""
        ...

    def failures(self, adapter: str) -> int:
        """How many polls of the adapter failed in a row, also those before the last start."""
        ...

    def releases(self, adapter: str) -> list[Release]:
        """What the adapter reported as released, in the order in which it was registered."""
        ...

    def captions(self, limit: int) -> list[Prompt]:
        """The captions of the first so many photographs that have one, each with the photograph's group."""
        ...

    def quarantine(self, sample_id: int, reason: str, detail: str, at: datetime) -> None: ...
    def quarantined(self, limit: int, offset: int = 0, reason: str | None = None) -> list[QuarantinedSample]:
        """A part of what is in quarantine, for that reason alone when one is given, in the order of the deliveries."""
        ...

    def quarantined_count(self, reason: str | None = None) -> int: ...
    def release(self, sha256s: Sequence[str], actor: str, reason: str, at: datetime) -> int:
        """Let samples out of quarantine, as they are, in one audited transaction; all of them or none.

        What put one there may put it there again. Raises BadInputError: no such sample, it is not in quarantine, or
        its deliveries contradict each other, which `relabel` settles.
        """
        ...

    # embed
    def without_vector(self, fingerprint: str, profile: Profile, limit: int) -> list[PendingSample]:
        """Active samples with a blob and without that vector, in order of (delivery time, sha256)."""
        ...

    def pictures_of(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """The sha256 of those of the samples that are active and whose picture is kept."""
        ...

    def has_picture(self, sha256: str) -> bool:
        """Whether there is such a sample, not forgotten, whose picture is kept."""
        ...

    def blob(self, sha256: str) -> bytes:
        """The picture's bytes, checked against the digest; CorruptArtifact otherwise."""
        ...

    def add_vectors(
        self, fingerprint: str, profile: Profile, sample_ids: Sequence[int], vectors: NDArray[np.float16]
    ) -> None:
        """Write one shard (tmp, fsync, rename) and register it and its rows in one transaction."""
        ...

    # score
    def unscored(self, fingerprint: str, limit: int, *, among: Sequence[int] | None = None) -> list[int]:
        """Ids of active samples with vectors of both profiles and no score by any own version, in canonical order.

        among: of these samples alone.
        """
        ...

    def vectors_of(self, fingerprint: str, profile: Profile, sample_ids: Sequence[int]) -> NDArray[np.float16]: ...

    def dimensions(self) -> dict[str, int]:
        """Encoder fingerprint -> how many numbers its vectors in the store have."""
        ...

    def learned_revisions(self, fingerprint: str, sample_ids: Sequence[int]) -> NDArray[np.int64]:
        """(n,) the first revision of that encoder's statistics that ever took each sample in; 0: none did.

        It stays when the sample is taken out or learned again: versions solved since then may know it, and whoever
        scores it by the head of its fold is right about all of them.
        """
        ...

    def add_scores(
        self,
        version: str,
        profile: Profile,
        sample_ids: Sequence[int],
        logits: NDArray[np.float64],
        learned: NDArray[np.bool_],
        at: datetime,
    ) -> None: ...

    # evaluate, detect
    def labelled_samples(self, fingerprint: str, *, last_per_subject: int | None = None) -> LabelledSamples:
        """The rows of `labelled_vectors`, which are the same under both profiles, without reading a vector."""
        ...

    def with_vectors(self, fingerprint: str, profile: Profile, samples: LabelledSamples) -> LabelledVectors:
        """The samples with their vectors; those whose vectors were deleted since they were read are left out."""
        ...

    def labelled_vectors(
        self, fingerprint: str, profile: Profile, *, last_per_subject: int | None = None
    ) -> LabelledVectors:
        """Active labelled samples that have vectors of both profiles; the newest N of each subject when asked."""
        ...

    def scored_rows(self, version: str, profile: Profile, after_score_id: int = 0) -> list[ScoredRow]:
        """Labelled active rows in order of (delivery time, sha256) with score_id > after_score_id."""
        ...

    def save_evaluations(self, rows: Sequence[EvaluationRow], *, labels: int | None = None) -> None:
        """Store one measurement of a version, all rows of one time; of each day the last measurement is kept.

        labels: the label revision that they were measured by. Raises TemporaryError when it is another by now.
        """
        ...

    def latest_evaluations(self, version: str) -> list[EvaluationRow]:
        """The rows of that version's newest measurement."""
        ...

    def test_states(self, version: str) -> list[TestState]: ...
    def save_tests(self, tests: Sequence[TestState], episodes: Sequence[Episode], *, labels: int | None = None) -> None:
        """Tests and the episodes that they opened (id None) or took up again, in one transaction.

        A family has one open episode at most. labels: as in `save_evaluations`.
        What a person decided since they were read stands: a test that was begun anew is left alone, and instead of an
        episode that was closed a new one is opened.
        """
        ...

    def alarms(self) -> list[Alarm]:
        """Every alarm that was ever watched for, whether it stands or not, by kind and what it is about."""
        ...

    def save_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Write alarms over what is stored of the same (kind, about), in one transaction."""
        ...

    def unlabelled(self, fingerprint: str) -> list[UnlabelledRow]:
        """Active samples that have vectors, are not called real and belong to no family, in canonical order."""
        ...

    def last_samples(self) -> dict[str, datetime]:
        """Adapter -> when it last delivered a sample."""
        ...

    def groups_since(self, at: datetime) -> dict[Subject, int]:
        """How many groups of each family and real source were delivered after `at`."""
        ...

    def episodes(self, *, open_only: bool = False) -> list[Episode]: ...
    def update_episode(self, episode: Episode) -> None:
        """Write an episode that was read back, but for what people did about it; a closed one stays as it is."""
        ...

    def acknowledge_episode(self, episode: int, actor: str, reason: str, at: datetime) -> Episode:
        """Somebody is on it; audited. Raises BadInputError when there is no such open episode."""
        ...

    def snooze_episode(self, episode: int, until: datetime, actor: str, reason: str, at: datetime) -> Episode:
        """Nobody wants to hear of it until then; audited. Raises BadInputError when there is no such open episode."""
        ...

    def close_episode(
        self, episode: int, restarted: TestState | None, actor: str, reason: str, at: datetime
    ) -> Episode:
        """A person ends it: state, the family's test begun anew, event and audit row in one transaction.

        restarted: the champion's test of the family as it begins anew, its `restarts` one more than the stored one's;
        None: that test has not alarmed. Raises BadInputError when there is no such open episode, TemporaryError when
        the test changed meanwhile so that this no longer holds.
        """
        ...

    # learn
    def untrusted(self) -> set[int]:
        """Ids of the active samples whose source is untrusted: they are measured, never learned from."""
        ...

    def known_sources(self) -> set[str]:
        """Names of the sources that are neither trusted nor untrusted."""
        ...

    def statistics_revision(self, fingerprint: str) -> int: ...
    def statistics(self, fingerprint: str, subjects: Collection[Subject] | None = None) -> dict[StatisticsKey, bytes]:
        """Every group's file, or those of some subjects."""
        ...

    def statistics_digests(self, fingerprint: str) -> dict[StatisticsKey, str]:
        """The sha256 (hex) of what `statistics` gives of each group, without reading it."""
        ...

    def commit_statistics(
        self,
        fingerprint: str,
        revision: int,
        changed: Mapping[StatisticsKey, tuple[int, bytes]],
        sample_ids: Sequence[int],
        at: datetime,
        *,
        removed: Sequence[int] = (),
        raw_left_out: Mapping[int, LeftOutReason] = MappingProxyType({}),
        forms: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """Write the changed groups' files (n, bytes), set their rows, and mark the samples learned at `revision`.

        raw_left_out: of which of the samples only the laundered form is in the groups, and why.
        forms: among which form of their family the samples were counted, see `daemon.heads.forms`; absent: "".
        A group with n 0 is dropped. removed: samples that the changed groups no longer hold (as what they were
        learned); one of `sample_ids` may be among them, when it is learned anew as something else.
        One transaction. Refuses (ChampionMoved's cousin: TemporaryError) when `revision` is not current + 1, a
        sample is learned already, or a removed one is not: nothing is ever added or subtracted twice.
        """
        ...

    def learned_fingerprints(self) -> list[str]:
        """The encoders whose statistics hold a sample."""
        ...

    def learned_rows(self, fingerprint: str) -> list[LearnedRow]:
        """What that encoder's statistics hold, in the order in which it was learned."""
        ...

    def formats(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """The file formats of pictures, in small letters; samples without a picture are not in it."""
        ...

    def learned_dataset(self, fingerprint: str) -> Dataset:
        """How many samples that encoder's statistics hold, and a digest over which they are and what they are."""
        ...

    def taken_out_since(self, fingerprint: str, revision: int) -> tuple[int, int]:
        """(samples that the statistics of that revision held as something that they are not learned as now, or that
        are no longer learned; when the last of them went)."""
        ...

    def forgotten_in(self, fingerprint: str, revision: int) -> int:
        """How many samples the statistics of that revision held and somebody asked to forget since."""
        ...

    # shortcut audit
    def file_rows(self, most: int) -> list[FileRow]:
        """Labelled active samples whose file facts are known, at most so many of each batch, by batch.

        Those with the lowest sha256: a random choice that hardly changes when more are delivered.
        """
        ...

    def batch_counts(self) -> dict[BatchKey, BatchCount]:
        """Every batch, with how many labelled active samples it has and of how many the file facts are known."""
        ...

    def batches_of_samples(self) -> dict[int, BatchKey]:
        """The batch of every labelled active sample."""
        ...

    def shortcut_audits(self) -> list[BatchAudit]:
        """What the last audit found of every batch, by subject and source; a batch that is gone stays, with nothing."""
        ...

    def save_shortcut_audits(self, changes: Sequence[tuple[BatchAudit, Event | None]]) -> None:
        """Write audits over the stored ones, each with the event that tells of it, in one transaction."""
        ...

    def raw_left_out(self, fingerprint: str) -> list[LeftOut]:
        """Batches of which that encoder's statistics hold samples in their laundered form only, and why."""
        ...

    # forget
    def forget_preview(self, target: ForgetTarget) -> ForgetCounts:
        """What `forget` would take away now."""
        ...

    def forget(self, target: ForgetTarget, reason: str, actor: str, at: datetime) -> ForgetRecord | None:
        """Remove its deliveries and take what nobody else delivered out of every figure; one audited transaction.

        Samples that stay are decided anew from their other deliveries; their group stays. None, and nothing is
        written, when there is nothing of it.
        """
        ...

    def forgets(self) -> list[ForgetRecord]:
        """Every forgetting, oldest first."""
        ...

    def erase_forgotten(self, at: datetime) -> int:
        """Delete the bytes of what was taken out: vectors, pictures, old files; returns how many samples.

        Only the holder of the state's lock may call it. Raises TemporaryError while statistics still hold one.
        """
        ...

    def subject_states(self) -> dict[Subject, SubjectState]:
        """The state that each family and real source was last seen in."""
        ...

    def save_subject_states(self, changes: Sequence[tuple[SubjectState, Event | None]]) -> None:
        """Write states over the stored ones, each with the event that tells of it, in one transaction."""
        ...

    # events
    def add_event(self, event: Event) -> None:
        """Once per `key`."""
        ...

    def unsent_events(self) -> list[Event]: ...
    def mark_sent(self, event_ids: Sequence[int], at: datetime) -> None: ...
    def hand_over(self, event_id: int, messages: Sequence[OutboxMessage], at: datetime) -> None:
        """The event was told: its messages go into the outbox and it is marked, in one transaction; once."""
        ...

    def outbox(self, channels: Sequence[str]) -> list[OutboxRow]:
        """What waits to be sent on these channels, oldest first."""
        ...

    def outbox_sent(self, row_id: int, at: datetime) -> None: ...
    def outbox_failed(self, row_id: int, error: str, attempts: int, next_attempt_at: datetime) -> None: ...
    def outbox_counts(self) -> list[OutboxCounts]:
        """Every channel that ever had a message, by name."""
        ...

    def picture_names(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """Sample id -> sha256 of those that are active and whose picture is kept."""
        ...

    def newest_pictures(self, subject: Subject, limit: int) -> list[str]:
        """sha256 of a family's or real source's newest active samples whose picture is kept, newest first."""
        ...

    def events(self, limit: int) -> list[Event]: ...
    def events_since(self, at: datetime) -> list[Event]: ...
    def last_event(self, kind: str) -> Event | None: ...

    # what people look at
    def subjects(self) -> list[FamilyRow]: ...
    def family_flags(self) -> dict[Subject, FamilyFlags]:
        """Of every family in `subjects`; nothing is counted, so that it costs next to nothing."""
        ...

    def group_counts(
        self, *, split: Split | None = None, subjects: Collection[Subject] | None = None
    ) -> dict[Subject, int]:
        """How many groups each family and real source has, on one side of the split or on all; those that have any."""
        ...

    def adapters(self) -> list[AdapterRow]: ...
    def queue(self, fingerprint: str) -> dict[str, tuple[int, datetime | None]]:
        """Stage (embed, score) -> how many samples wait and since when the oldest."""
        ...

    def quarantine_counts(self) -> dict[str, int]:
        """Reason -> quarantined samples."""
        ...

    def sample_counts(self) -> dict[str, int]:
        """active, quarantined, total."""
        ...

    def past_figures(
        self, window: str, profile: Profile, since: datetime, *, versions: Collection[str], families: Collection[str]
    ) -> list[PastFigure]:
        """What these versions' measurements since then said of these families, oldest first."""
        ...

    def past_means(
        self, window: str, profile: Profile, since: datetime, *, versions: Collection[str]
    ) -> list[PastMean]:
        """What each of these versions' measurements since then said of all families together, oldest first."""
        ...

    def measured_mark(self) -> int:
        """A number that changes whenever a measurement is stored; where one is dropped, `label_revision` changes."""
        ...


class Registry(Protocol):
    """Immutable versions, the champion alias and the audit chain."""

    def add_version(
        self,
        *,
        parent: str | None,
        fingerprint: str,
        learner: str,
        statistics_revision: int,
        manifest: bytes,
        tensors: bytes,
        at: datetime,
    ) -> VersionRecord:
        """Store the artifact files, then the row; the same manifest again returns the row that is there."""
        ...

    def record_verdict(
        self, version: str, state: str, verdict: Mapping[str, object], actor: str, reason: str, at: datetime
    ) -> None:
        """State held, rejected, waiting or shadow with the verdict, and one audit row (a promotion is `promote`)."""
        ...

    def promote(
        self,
        version: str,
        *,
        expected: str | None,
        actor: str,
        reason: str,
        verdict: Mapping[str, object] | None,
        at: datetime,
        action: str = "promote",
        more: Mapping[str, object] | None = None,
    ) -> AuditRow:
        """Compare-and-set of the champion alias (and `previous`) and one audit row, with `more`, in one transaction.

        Raises ChampionMoved when the champion is not `expected`.
        """
        ...

    def approve(self, version: str, *, actor: str, reason: str, at: datetime) -> AuditRow:
        """A version that waits or judges in the shadow takes its champion's place, in one transaction.

        Raises BadInputError when it is unknown or does not wait, ChampionMoved when another version is in force by now.
        """
        ...

    def refuse(self, version: str, *, actor: str, reason: str, at: datetime) -> AuditRow:
        """A person rejects a version that waits or judges in the shadow; its verdict stays. Raises as `approve`."""
        ...

    def champion(self) -> VersionRecord | None: ...
    def previous(self) -> VersionRecord | None: ...
    def version(self, version: str) -> VersionRecord: ...
    def versions(self) -> list[VersionRecord]: ...
    def artifact(self, version: str) -> tuple[bytes, bytes]:
        """(tensors, manifest), both checked against the recorded digests; CorruptArtifact otherwise."""
        ...

    def audit(self) -> list[AuditRow]: ...
    def audit_counts(self) -> dict[str, int]:
        """Action -> how many rows of the audit about a version have it."""
        ...

    def family_names(self) -> dict[str, str]:
        """Former family name -> present one: versions and verdicts keep the names of their time."""
        ...


class DerivedFiles(Protocol):
    """What can be computed again, kept to save time."""

    def get(self, kind: str, key: str) -> bytes | None: ...
    def put(self, kind: str, key: str, content: bytes) -> None: ...


class Migrations(Protocol):
    """Moves from one encoder to another: at most one is unfinished, and what is finished stays as it is.

    Every step names the state that it goes on from; TemporaryError when a person ended the migration meanwhile.
    """

    def begin(
        self,
        *,
        from_fingerprint: str,
        to_fingerprint: str,
        from_settings: Mapping[str, Any] | None,
        to_settings: Mapping[str, Any],
        at: datetime,
    ) -> Migration:
        """Begin; the unfinished one to the same target is returned as it is.

        Raises BadInputError while another one is unfinished, ChampionMoved when the champion's encoder is not
        `from_fingerprint`.
        """
        ...

    def active(self) -> Migration | None:
        """The unfinished one."""
        ...

    def all(self) -> list[Migration]:
        """Every migration, oldest first."""
        ...

    def pending(self, migration: int, profile: Profile, limit: int) -> list[PendingSample]:
        """Active samples with a blob, without the target's vector, that did not fail; in canonical order."""
        ...

    def add_failures(self, migration: int, failures: Mapping[int, EncodingFailure]) -> None:
        """Sample id -> why the target cannot take its picture; noted once. The sample itself stays as it is."""
        ...

    def counts(self, migration: int) -> MigrationCounts: ...

    def know_origin(self, migration: int, settings: Mapping[str, Any]) -> None:
        """Note how the encoder in force is made, unless that is known."""
        ...

    def advance(
        self,
        migration: int,
        state: MigrationState,
        following: MigrationState,
        at: datetime,
        *,
        version: str | None = None,
        champion: str | None = None,
        verdict: Mapping[str, object] | None = None,
        reason: str = "",
    ) -> None:
        """From one state to another, with what was found out on the way."""
        ...

    def switch(self, migration: int, at: datetime) -> AuditRow:
        """The judged version becomes champion: alias, audit row and state `switched` in one transaction.

        Raises ChampionMoved when the champion is not the one it was compared with.
        """
        ...

    def turn_down(self, migration: int, state: MigrationState, at: datetime) -> None:
        """The judged version stays out: its state and verdict, an audit row and the migration in one transaction."""
        ...

    def cancel(self, migration: int, reason: str, at: datetime) -> None:
        """End an unfinished one. Raises BadInputError when it is finished."""
        ...

    def purge(self, fingerprints: Collection[str], at: datetime) -> dict[str, int]:
        """Remove vectors and statistics of these encoders; returns how many of what.

        Their versions go on knowing what they learned, should the vectors ever be made anew.

        Raises BadInputError when one is needed: the champion's, the previous one's, that of an unfinished migration.
        """
        ...

    def encoders(self) -> dict[str, int]:
        """Fingerprint -> samples that have its raw vector."""
        ...


class RunLog(Protocol):
    """The record of what ran: ticks become rows, rows are claimed with a lease and finished with an outcome."""

    def tick(self, job: str, tick: int, due_at: datetime) -> bool:
        """Insert a waiting run, unique on (job, tick); False when it was there."""
        ...

    def last_tick(self, job: str) -> int: ...
    def claim(self, job: str, holder: str, lease_until: datetime, at: datetime) -> Run | None:
        """Claim the newest waiting run of the job; older waiting ones are finished as `skipped` (coalesced)."""
        ...

    def extend(self, run_id: int, holder: str, lease_until: datetime) -> None: ...
    def finish(self, run_id: int, holder: str, outcome: str, detail: str, at: datetime) -> None: ...
    def recover(self, at: datetime, *, holder: str | None = None) -> list[Run]:
        """Finish as `lost` every running row whose lease expired (all of them when the state lock is held: holder)."""
        ...

    def latest(self) -> list[Run]:
        """The newest run of each job."""
        ...

    def counts(self) -> dict[tuple[str, str], int]:
        """(job, outcome) -> how many."""
        ...


class GoldenLog(Protocol):
    """What each encoder made of the golden picture when it first came up in this store."""

    def golden(self, fingerprint: str, profile: Profile) -> GoldenRecord | None: ...
    def record_golden(self, fingerprint: str, vectors: Mapping[Profile, NDArray[np.float32]], at: datetime) -> None:
        """Once per fingerprint and profile: what is recorded stays."""
        ...


class Channel(Protocol):
    """A way to people outside."""

    @property
    def name(self) -> str: ...
    @property
    def recipients(self) -> tuple[str, ...]:
        """Each is sent to, and waits, by itself."""
        ...

    @property
    def kinds(self) -> tuple[str, ...] | None:
        """Kinds of events that it tells of; None: one message for every change of state, decision and alarm."""
        ...

    def send(self, message: Message, pictures: Sequence[Picture], recipient: str) -> None:
        """Send it with what is attached to it; returns once it was taken. Raises TemporaryError when it was not."""
        ...


class Notifier(Protocol):
    """Tells people."""

    def send(self, event: Event) -> None: ...


class Meter(Protocol):
    """Counts what happens; `daemon.telemetry` exports it."""

    def sample_ingested(self, adapter: str, count: int) -> None: ...
    def rejected(self, adapter: str, reason: str, count: int) -> None: ...
    def quarantined(self, adapter: str, reason: str, count: int) -> None: ...
    def fetch(self, adapter: str, seconds: float) -> None: ...
    def pictures_encoded(self, count: int) -> None: ...
    def notification_failed(self, channel: str) -> None: ...
    def job_finished(self, job: str, outcome: str, seconds: float, at: datetime) -> None: ...


class Inspector(Protocol):
    """Decodes untrusted bytes in a child process."""

    def inspect(self, content: bytes) -> Inspected:
        """Raises ImageRejected with a reason of REASONS."""
        ...


class EncoderService(Protocol):
    """The encoder in its long-lived child."""

    name: str
    fingerprint: str
    dimension: int

    def encode_many(
        self, items: Sequence[bytes], profiles: Sequence[Profile]
    ) -> list[dict[Profile, NDArray[np.float32]] | EncodingFailure]: ...

    def encode_now(self, content: bytes, *, wanted: Callable[[], bool] = ...) -> NDArray[np.float32]:
        """One picture, raw profile, before any backlog; raises ImageRejected.

        wanted: asked when its turn comes; when it says no TemporaryError is raised and nothing is encoded.
        """
        ...


class Poller(Protocol):
    """Runs one poll of an adapter in a child process."""

    def __call__(
        self,
        name: str,
        kind: str,
        options: Mapping[str, Any],
        cursor: str | None,
        budget: int,
        now: datetime,
        *,
        material: Material | None = None,
    ) -> Iterator[Batch]:
        """Yield the batches; when the next one is asked for, those before are stored."""
        ...
