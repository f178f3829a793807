"""The nouns that flow through the service, as frozen values; see docs for the vocabulary."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Label = Literal["real", "synthetic"]
Profile = Literal["raw", "laundered"]
Split = Literal["train", "calibration", "reference", "holdout"]
Trust = Literal["trusted", "known", "untrusted"]
SubjectKind = Literal["family", "source"]
ForgetKind = Literal["source", "family", "sample"]
Handling = Literal["open", "acknowledged", "snoozed"]

LABELS: tuple[Label, ...] = ("real", "synthetic")
PROFILES: tuple[Profile, ...] = ("raw", "laundered")
AlarmKind = Literal["real_pool_shift", "novel_family", "pipeline_fault", "not_learned", "stale", "insufficient"]
ALARM_KINDS: tuple[AlarmKind, ...] = get_args(AlarmKind)

REPLAY = -1  # as a test's last score id: what it has seen was labelled otherwise, so it counts all scores anew
HANDLINGS: tuple[Handling, ...] = ("open", "acknowledged", "snoozed")
OPEN_STATES: tuple[str, ...] = ("alarmed", "learned")  # of an episode; the others: recovered, closed

PUSH = "push"  # the adapter of what is pushed over HTTP; no other may call itself so
FEEDBACK = "feedback"  # the source, and the adapter, of what people report; no other may call itself so

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


class Subject(NamedTuple):
    """What is measured, alarmed on and learned: a synthetic family or a real source."""

    kind: SubjectKind
    name: str


@dataclass(frozen=True, slots=True)
class LabelledSamples:
    """Labelled, active samples that have vectors of both profiles, one row per sample, without the vectors.

    Rows are in canonical order: (delivery time, sha256). Which rows are wanted is decided here, before their vectors,
    which are a thousand times as large, are read.
    """

    sample_ids: NDArray[np.int64]  # (n,)
    synthetic: NDArray[np.bool_]  # (n,) True for synthetic
    subjects: tuple[Subject, ...]  # (n,) the family of a synthetic row, the source of a real row
    groups: tuple[str, ...]  # (n,) group key
    splits: tuple[Split, ...]  # (n,)
    folds: NDArray[np.int8]  # (n,) 0 .. FOLDS-1, by stable hash of the group key
    learned_revision: NDArray[np.int64]  # (n,) first statistics revision that ever took the row in; 0: never learned
    delivered_at: tuple[datetime, ...] = field(repr=False)  # (n,) UTC, aware

    def __len__(self) -> int:
        return len(self.sample_ids)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> LabelledSamples:
        """Only these rows, in the order given."""
        index = np.asarray(rows, dtype=np.intp)
        numbers = index.tolist()
        return LabelledSamples(
            self.sample_ids[index],
            self.synthetic[index],
            tuple(map(self.subjects.__getitem__, numbers)),
            tuple(map(self.groups.__getitem__, numbers)),
            tuple(map(self.splits.__getitem__, numbers)),
            self.folds[index],
            self.learned_revision[index],
            tuple(map(self.delivered_at.__getitem__, numbers)),
        )

    def without(self, samples: Collection[int]) -> LabelledSamples:
        """The rows of all other samples, in their order."""
        return self.take(self._others(samples)) if samples else self

    def _others(self, samples: Collection[int]) -> list[int]:
        return [i for i, sample in enumerate(self.sample_ids.tolist()) if sample not in samples]

    def with_vectors(self, vectors: NDArray[np.float16]) -> LabelledVectors:
        """The rows beside their vectors, (n, d)."""
        return LabelledVectors(
            self.sample_ids,
            self.synthetic,
            self.subjects,
            self.groups,
            self.splits,
            self.folds,
            self.learned_revision,
            self.delivered_at,
            vectors,
        )


@dataclass(frozen=True, slots=True)
class LabelledVectors(LabelledSamples):
    """Labelled, active samples with their vectors of one encoder and one profile."""

    vectors: NDArray[np.float16]  # (n, d)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> LabelledVectors:
        """Only these rows, in the order given."""
        index = np.asarray(rows, dtype=np.intp)
        return LabelledSamples.take(self, index).with_vectors(self.vectors[index])  # no `super` in a slotted dataclass

    def without(self, samples: Collection[int]) -> LabelledVectors:
        """The rows of all other samples, in their order."""
        return self.take(self._others(samples)) if samples else self


# --- intake -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an adapter offers: one picture (or its precomputed vector, or an outside detector's score)."""

    uri: str  # names the delivery; stable within the adapter, so that a repeat is seen
    content: bytes | None = None  # encoded picture as delivered
    label: Label | None = None  # claimed; None: unknown
    family: str | None = None  # claimed generator family of a synthetic picture, lower snake case
    source: str | None = None  # photo collection or repository; None: the adapter's own name
    group: str | None = None  # what must stay on one side of a split; None: the sample alone
    caption: str | None = None  # what the picture shows, or the prompt that it was made from
    generation: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # seed, model, steps, ...
    licence: str | None = None  # under which the picture may be used, in the source's words
    consent: str | None = None  # what the people shown, or the makers, agreed to, in the source's words
    released: str | None = None  # release date of the family: YYYY, YYYY-MM or YYYY-MM-DD
    kind: str | None = None  # kind of generator: gan, diffusion, autoregressive, ...
    sha256: str | None = None  # what the source says the bytes hash to; required without content
    vector: NDArray[np.float16] | None = None  # (d,) precomputed by the encoder with this fingerprint
    vector_fingerprint: str | None = None
    outside_scores: tuple[tuple[str, float], ...] = ()  # (detector, score; higher: more synthetic)
    problem: str | None = None  # the adapter saw the item but could not read it: a reason of REASONS
    problem_detail: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A generator that was released: one adapter found it, another makes pictures with it."""

    model: str  # as the place that publishes it names it, such as owner/name
    revision: str  # what pictures are to be made with, whatever comes later
    family: str  # lower snake case; the store may put the owner in front when another model has that name
    released: str  # YYYY, YYYY-MM or YYYY-MM-DD
    kind: str | None = None  # kind of generator: gan, diffusion, autoregressive, ...
    licence: str | None = None  # of the model, in its publisher's words


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a picture is to show."""

    text: str
    group: str | None = None  # what it must stay together with, such as the photograph that it describes


@dataclass(frozen=True, slots=True)
class Material:
    """What the service hands to an adapter that makes pictures."""

    releases: tuple[Release, ...] = ()  # in the order in which they were registered
    captions: tuple[Prompt, ...] = ()  # of photographs, in the order in which they came


@dataclass(frozen=True, slots=True)
class Batch:
    """Candidates, releases and the cursor that becomes durable only together with them."""

    candidates: tuple[Candidate, ...]
    cursor: str
    releases: tuple[Release, ...] = ()


Subsampling = Literal["4:4:4", "4:2:2", "4:2:0", "other"]
SUBSAMPLINGS: tuple[Subsampling, ...] = ("4:4:4", "4:2:2", "4:2:0", "other")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a picture's file says beside its pixels: its history, never its content."""

    mode: str  # of the pixels as stored, as Pillow names it: RGB, L, P, RGBA, ...
    luminance: float | None  # mean of the JPEG quantisation table of luminance: the higher, the coarser; None: no JPEG
    chrominance: float | None  # the same of chrominance; None: no JPEG, or a grey one
    tables: str | None  # first 16 hex digits of the sha256 over all quantisation tables; None: no JPEG
    subsampling: Subsampling | None  # of a JPEG's chrominance; None: no JPEG, or a grey one
    progressive: bool  # a progressive JPEG, an interlaced PNG
    exif: bool
    icc: bool  # a colour profile is embedded


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the decoding child found out about a candidate's bytes."""

    width: int
    height: int
    format: str  # JPEG, PNG or WEBP
    phash: str  # 64-bit perceptual hash, 16 hex digits (ImageHash phash)
    facts: FileFacts | None = None  # None: not looked at


@dataclass(frozen=True, slots=True)
class Admission:
    """One candidate after inspection: stored (inspected is set, or it carries a vector) or rejected."""

    candidate: Candidate
    sha256: str  # of the bytes; "" when there are none and none were promised
    size: int  # bytes
    inspected: Inspected | None
    reason: str | None = None  # of REASONS: rejected, nothing stored but the count and the delivery note
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one admitted batch changed."""

    stored: int  # new samples
    repeated: int  # deliveries that were known already, or new deliveries of known bytes
    rejected: int
    quarantined: int
    near_duplicates: int = 0  # of those in quarantine; the others are label conflicts


@dataclass(frozen=True, slots=True)
class Report:
    """What a person says of a picture."""

    label: Label
    family: str | None = None  # of a synthetic one, when it is known
    note: str = ""
    key: str | None = None  # the reporter's own: the same report again changes nothing


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report."""

    sha256: str
    outcome: Literal["stored", "known", "quarantined", "rejected"]
    reason: str | None = None  # of REASONS: why it was rejected or the sample is in quarantine
    detail: str = ""
    repeated: bool = False  # the very same report was made before; nothing changed


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a pushed sample."""

    receipt: int  # the delivery's number
    sha256: str
    outcome: Literal["stored", "known", "quarantined", "rejected"]
    reason: str | None = None  # of REASONS: why it was rejected or the sample is in quarantine
    detail: str = ""
    repeated: bool = False  # the very same push came before; nothing changed


# --- rows read back ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PendingSample:
    """A sample that still needs a vector."""

    sample_id: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One prequential score with what the sequential tests need to know about its sample."""

    score_id: int
    sample_id: int
    subject: Subject
    group: str
    logit: float
    learned: bool  # the scoring version had learned the sample: says nothing new
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One immutable version in the registry."""

    id: str  # v0001-<first 8 of the manifest's sha256>
    parent: str | None
    fingerprint: str  # of the encoder
    learner: str
    statistics_revision: int
    state: str  # challenger, promoted, held, rejected, waiting (for a person), shadow
    created_at: datetime
    manifest_sha256: str
    tensors_sha256: str
    verdict: dict[str, object] | None  # Verdict.to_dict() of the gate


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of the append-only, hash-chained audit."""

    number: int
    at: datetime
    actor: str
    action: str  # promote, rollback, reject, hold, ...
    version: str | None
    previous: str | None
    reason: str
    payload: dict[str, object]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """A measured figure of one version on one subject, one profile, one window."""

    version: str
    subject: Subject
    profile: Profile
    window: str  # held_out, left_out, prequential, or a sliding one such as last_200, prequential_last_30d
    at: datetime
    n: int
    groups: int
    ap: float | None = None  # families; None below the sample floor
    ap_lower: float | None = None
    ap_upper: float | None = None
    approximate: bool = False  # the AP interval is approximate (few samples)
    auroc: float | None = None
    auroc_lower: float | None = None
    auroc_upper: float | None = None
    recall: float | None = None
    recall_lower: float | None = None
    recall_upper: float | None = None
    false_positive_rate: float | None = None  # real sources
    false_positive_lower: float | None = None
    false_positive_upper: float | None = None


@dataclass(frozen=True, slots=True)
class TestState:
    """The running sequential test of one subject against one version; `state` is numbers, as JSON."""

    version: str
    subject: Subject
    state: dict[str, object]
    log10_evidence: float
    log10_alarm: float  # the evidence at which it alarms
    votes: int
    last_score_id: int
    first_vote_at: datetime | None
    alarmed_at: datetime | None
    restarts: int = 0  # how often a person ended it, so that it began anew
    __test__ = False  # not a pytest class


@dataclass(frozen=True, slots=True)
class SubjectState:
    """The state that a family or real source was last seen in."""

    subject: Subject
    state: str  # "" once nothing is left of the subject: should it come again, it is new
    since: datetime
    number: int  # how many states it has had


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is not one family's or real source's own; `state` is numbers and names, as JSON."""

    kind: AlarmKind
    about: str  # the batch source, family or adapter; "" for the whole service
    version: str  # the champion it is judged against; "" where there is none in it
    state: dict[str, object]
    log10_evidence: float | None  # None: it is a fact, not a proof
    log10_alarm: float | None  # the evidence at which it is raised
    raised_at: datetime | None  # since when it stands; None: it does not
    text: str = ""  # one line for a person


@dataclass(frozen=True, slots=True)
class UnlabelledRow:
    """A sample that nobody has called real and that belongs to no family."""

    sample_id: int
    source: str
    group: str


class BatchKey(NamedTuple):
    """A batch of the shortcut audit: what a source delivered of a family, or of its own photographs."""

    subject: Subject
    source: str  # "": whatever source it is from, all of the subject together


class BatchCount(NamedTuple):
    """How much there is of a batch."""

    samples: int  # active, labelled
    known: int  # of them with file facts; the others were taken in before these were kept


@dataclass(frozen=True, slots=True)
class FileRow:
    """What is known of a labelled sample's file, beside its pixels."""

    sample_id: int
    batch: BatchKey
    learnable: bool  # its source is not untrusted
    group: str
    fold: int
    format: str
    width: int  # of the upright picture
    height: int
    size: int  # bytes
    facts: FileFacts


BatchState = Literal["clean", "shortcut", "too_few"]
BATCH_STATES: tuple[BatchState, ...] = ("clean", "shortcut", "too_few")
LeftOutReason = Literal["metadata_shortcut", "one_sided"]


@dataclass(frozen=True, slots=True)
class BatchAudit:
    """How well file metadata alone tells a batch from the pictures of the other label."""

    batch: BatchKey
    state: BatchState
    auroc: float | None  # cross-validated by groups; None: too few to tell
    lower: float | None
    upper: float | None
    n: int  # pictures of the batch that were placed
    groups: int
    others: int  # pictures of the other label that they were compared with
    unknown: int  # pictures of the batch whose file facts are not known: they say nothing
    known: int  # pictures of the batch, and of the other label, whose file facts were known: many more by now ask
    known_others: int  # for another audit
    threshold: float  # above it the batch is a shortcut
    recipe: str  # how it was made: another one asks for another audit
    at: datetime
    number: int  # how many states the batch has had


class LeftOut(NamedTuple):
    """Samples of a batch whose raw form statistics leave out."""

    batch: BatchKey
    reason: LeftOutReason
    samples: int


@dataclass(frozen=True, slots=True)
class Episode:
    """One family's incident, from its first vote to its recovery."""

    id: int | None
    family: str
    state: str  # alarmed, learned, recovered, closed
    champion: str  # the version that it evaded
    opened_at: datetime
    alarmed_at: datetime
    samples_to_alarm: int
    ap_before: float | None
    auroc_before: float | None
    version: str | None = None  # the version that learned it
    learned_at: datetime | None = None
    ap_after: float | None = None
    samples_after: int = 0
    recovered_at: datetime | None = None
    note: str = ""
    # What people did about it; the service never writes these, so that it cannot write over a person's word.
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    snoozed_until: datetime | None = None
    closed_at: datetime | None = None  # by a person

    @property
    def open(self) -> bool:
        """Whether it still wants something."""
        return self.state in OPEN_STATES

    def handling(self, now: datetime) -> Handling:
        """What people did about it: a snooze that is not over goes before an acknowledgement."""
        if self.snoozed_until is not None and self.snoozed_until > now:
            return "snoozed"
        return "open" if self.acknowledged_at is None else "acknowledged"


@dataclass(frozen=True, slots=True)
class Event:
    """Something people may want to hear of; kept until it was sent."""

    id: int | None
    key: str  # stable identity: the same happening is stored once
    kind: str  # champion_promoted, family_evades, family_recovered, update_held, ...
    at: datetime
    text: str  # one line for a person
    data: dict[str, object]


class OutboxMessage(NamedTuple):
    """A message for one recipient of one channel, before it is in the outbox."""

    channel: str
    recipient: str  # "" where the channel has but one
    message: dict[str, Any]  # `daemon.notify.message.Message`


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits to be sent."""

    id: int
    channel: str
    recipient: str
    message: dict[str, Any]
    attempts: int  # that failed
    next_attempt_at: datetime | None  # None: it was never tried


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """One channel's messages."""

    channel: str
    waiting: int
    oldest: datetime | None  # since when the oldest of them waits
    sent: int
    failures: int  # attempts that failed
    error: str  # of the last failure of a waiting message


MigrationState = Literal["embedding", "learning", "shadow", "judged", "switched", "held", "rejected", "cancelled"]
UNFINISHED: tuple[MigrationState, ...] = ("embedding", "learning", "shadow", "judged")


@dataclass(frozen=True, slots=True)
class Migration:
    """The move of this store from one encoder to another."""

    id: int
    from_fingerprint: str
    to_fingerprint: str
    from_settings: dict[str, Any] | None  # how the encoder in force is made, without secrets; None: not known
    to_settings: dict[str, Any]  # how the target is made
    state: MigrationState
    began_at: datetime
    changed_at: datetime  # of the newest state
    version: str | None = None  # what was solved from the target's vectors
    champion: str | None = None  # what it was compared with
    verdict: dict[str, Any] | None = None  # Verdict.to_dict() of the gate
    reason: str = ""  # why it ended as it did

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state not in UNFINISHED


@dataclass(frozen=True, slots=True)
class MigrationCounts:
    """How far the vectors of a migration's target are."""

    active: int  # active samples
    embedded: int  # of them with the target's vectors of both profiles
    waiting: int  # with a picture and without them
    without_picture: int  # whose picture is no longer kept, so that they never get them
    failed: int  # whose picture the target cannot take


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the run log."""

    id: int
    job: str
    tick: int
    state: str  # waiting, running, finished
    outcome: str | None  # ok, failed, timed_out, lost, skipped
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    holder: str | None
    lease_until: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """A family (or a real source) as the store knows it."""

    subject: Subject
    kind: str | None
    released: str | None
    trust: Trust
    first_seen: datetime
    last_sample_at: datetime
    samples: int  # active, labelled
    groups: int
    holdout_groups: int
    trusted_sources: int = 0  # sources that delivered it, by their trust
    known_sources: int = 0
    anchor: bool = False  # a family that no head may learn from: it shows what a new version breaks
    retired: bool = False  # a family that is no longer measured, tested or gated

    @property
    def may_trigger(self) -> bool:
        """Whether it may ask for a promotion: one trusted source, or two independent known ones."""
        return not self.anchor and not self.retired and (self.trusted_sources >= 1 or self.known_sources >= 2)


class FamilyFlags(NamedTuple):
    """What people decided of a family."""

    anchor: bool  # as in `FamilyRow`
    retired: bool


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """What the store remembers of an adapter."""

    name: str
    cursor: str | None
    last_success_at: datetime | None
    stored: int
    rejected: dict[str, int]  # by reason
    quarantined: dict[str, int]  # by reason
    failures: int = 0  # polls in a row that failed
    retry_at: datetime | None = None  # the circuit is open until then
    failure: str = ""  # why the last poll failed


class Rejection(NamedTuple):
    """A delivery that was refused."""

    uri: str
    reason: str  # of REASONS
    detail: str


class Claim(NamedTuple):
    """What one delivery says of a sample."""

    adapter: str
    uri: str
    label: str | None
    family: str | None  # as it was claimed, whatever the family is called by now
    source: str


@dataclass(frozen=True, slots=True)
class QuarantinedSample:
    """A sample that is set apart."""

    sha256: str
    reason: str  # of REASONS
    detail: str
    since: datetime
    has_blob: bool
    claims: tuple[Claim, ...]  # oldest first


class PastFigure(NamedTuple):
    """What a version's measurement said of one family, at one time."""

    version: str
    family: str
    at: datetime
    n: int
    ap: float | None  # None below the sample floor
    ap_lower: float | None
    ap_upper: float | None
    recall: float | None


class PastMean(NamedTuple):
    """What a version's measurement said of all families that had a figure, at one time."""

    version: str
    at: datetime
    mean_ap: float
    worst_ap: float
    families: int


class LearnedRow(NamedTuple):
    """A sample that an encoder's statistics hold, and as what."""

    sample_id: int
    subject: Subject  # what it was learned as; it may be labelled otherwise by now
    fold: int
    raw_left_out: LeftOutReason | None = None  # why only its laundered form was learned; None: both were
    form: str = ""  # among which form of its family, see `daemon.heads.forms`; "": not known, or a real source


class Dataset(NamedTuple):
    """What an encoder's statistics were made of."""

    samples: int
    sha256: str  # hex, over the lines `<sha256 of the picture> <kind> <name>[ laundered]`, sorted


class Exclusion(NamedTuple):
    """What no version learned of a batch, and why; part of the version's manifest."""

    kind: SubjectKind
    name: str
    source: str
    profile: Profile  # the form that was left out
    samples: int
    reason: LeftOutReason | Literal["source_cap"]
    why: str  # the reason in words


class ForgetTarget(NamedTuple):
    """What is to be forgotten."""

    kind: ForgetKind
    name: str  # of the source or family, or the sample's sha256

    def __str__(self) -> str:
        return f"{self.kind} {self.name[:12] if self.kind == 'sample' else self.name}"


@dataclass(frozen=True, slots=True)
class ForgetCounts:
    """What forgetting takes away."""

    deliveries: int
    gone: int  # samples that nobody else delivered
    kept: int  # samples that stay, decided anew from their other deliveries
    learned: int  # of both: how many the statistics of some encoder hold


@dataclass(frozen=True, slots=True)
class ForgetRecord:
    """A forgetting: out of every figure at once (`taken_out`), its bytes gone a little later (`done`)."""

    id: int
    target: ForgetTarget
    reason: str
    actor: str
    at: datetime
    state: str  # taken_out, done
    counts: ForgetCounts


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """What an encoder once made of the golden picture under one profile."""

    vector: NDArray[np.float32]  # (d,)
    at: datetime  # when it was recorded


@dataclass(frozen=True, slots=True)
class EncodingFailure:
    """A picture that the encoder could not turn into a vector."""

    reason: str  # of REASONS
    detail: str
