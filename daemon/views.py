"""What people and machines see of the service: one snapshot, the same for the page, the API, the CLI and metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from daemon.model import AlarmKind, BatchState, Handling, Label, SubjectKind


class View(BaseModel):
    """Base: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FamilyFigures(View):
    """One family under one profile, by the champion, on pictures it has not learned."""

    ap: float | None  # average precision at the configured prevalence; None below the sample floor
    ap_lower: float | None
    ap_upper: float | None
    approximate: bool  # the AP interval is approximate: under 100 samples, or under 25 groups
    auroc: float | None
    auroc_lower: float | None
    auroc_upper: float | None
    recall: float | None  # at the champion's threshold
    recall_lower: float | None
    recall_upper: float | None
    n: int


class FamilyView(View):
    name: str
    kind: str | None
    released: str | None
    state: Literal["insufficient", "detected", "degraded", "evading", "inverted"]
    samples: int
    first_seen: datetime
    last_sample_at: datetime
    evidence_log10: float | None  # of the running sequential test against the champion
    alarm_log10: float | None  # the evidence at which it alarms
    votes: int  # groups that voted in that test
    profiles: dict[str, FamilyFigures]  # raw, laundered
    windows: dict[str, dict[str, FamilyFigures]] = {}  # prequential, last_200, ... -> profile, by the champion
    challenger: dict[str, FamilyFigures] = {}  # profile -> the same pictures by the latest challenger
    test: Literal["floor", "baseline"] = "floor"  # against the configured floors, or its own baseline once it is known


class SourceFigures(View):
    false_positive_rate: float | None  # at the champion's threshold
    lower: float | None
    upper: float | None
    left_out: float | None  # the same under a head solved without this source
    n: int


class SourceView(View):
    name: str
    trust: str
    state: Literal["insufficient", "ok", "misjudged"]
    samples: int
    last_sample_at: datetime
    evidence_log10: float | None
    alarm_log10: float | None
    profiles: dict[str, SourceFigures]
    windows: dict[str, dict[str, SourceFigures]] = {}
    challenger: dict[str, SourceFigures] = {}


class WindowView(View):
    """All families together: one version, one window, one profile."""

    role: Literal["champion", "challenger"]
    version: str
    window: str
    profile: str
    families: int  # behind the mean
    mean_ap: float | None
    worst_family: str | None
    worst_ap: float | None
    false_positive_rate: float | None  # mean over real sources with enough pictures


class EpisodeView(View):
    id: int | None = None
    family: str
    state: str  # alarmed, learned, recovered, closed
    opened_at: datetime
    alarmed_at: datetime
    samples_to_alarm: int
    ap_before: float | None
    champion: str
    version: str | None
    learned_at: datetime | None
    ap_after: float | None
    samples_after: int
    recovered_at: datetime | None
    recovered: bool
    note: str
    handling: Handling = "open"  # what people did about it, at the time of the snapshot
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    snoozed_until: datetime | None = None
    closed_at: datetime | None = None  # by a person
    seconds_to_detect: float | None = None  # from the first picture that voted to the alarm
    seconds_to_learn: float | None = None  # from the alarm to a champion that knows the family
    seconds_to_recover: float | None = None  # from the alarm to its detection on later pictures


class VersionView(View):
    id: str
    role: Literal["champion", "previous", "challenger", ""]
    state: str
    parent: str | None
    learner: str
    created_at: datetime
    encoder: str  # fingerprint
    reason: str  # of the last decision on it


class ShadowView(View):
    """A version that judges live pictures beside the champion before the gate is asked again."""

    version: str
    champion: str | None
    since: datetime
    until: datetime  # at the latest
    samples: int  # labelled live pictures that it has judged
    wanted: int


class DecisionView(View):
    version: str
    decision: Literal["promoted", "held", "rejected", "rolled_back", "waiting", "shadow"]
    reason: str
    at: datetime
    actor: str


class SpendingView(View):
    images: int  # asked for since UTC midnight
    images_limit: int
    money: float  # reserved since UTC midnight
    money_limit: float | None  # None: pictures cost nothing


class AdapterView(View):
    name: str
    kind: str
    configured: bool
    interval_seconds: float | None
    last_success_at: datetime | None
    cursor: str | None  # where it stopped, in the adapter's own words
    stored: int
    rejected: dict[str, int]
    quarantined: dict[str, int]
    failures: int = 0  # polls in a row that failed
    retry_at: datetime | None = None  # its circuit is open until then
    failure: str = ""  # why the last poll failed
    spending: SpendingView | None = None  # of one that makes pictures; None: it pays for none


class QueueView(View):
    stage: str
    samples: int
    oldest: datetime | None


class PauseView(View):
    by: str
    at: datetime
    until: datetime | None  # None: until it is resumed
    reason: str


class JobView(View):
    job: str
    state: str
    outcome: str | None
    due_at: datetime
    finished_at: datetime | None
    detail: str
    paused: PauseView | None = None


class EventView(View):
    kind: str
    at: datetime
    text: str


class MigrationView(View):
    """The newest move from one encoder to another."""

    id: int
    encoder: str  # the target's name
    fingerprint: str
    state: str  # embedding, learning, shadow, judged, switched, held, rejected, cancelled
    began_at: datetime
    changed_at: datetime
    version: str | None  # solved from the target's vectors
    embedded: int  # active samples with the target's vectors
    waiting: int
    without_picture: int  # their picture is no longer kept
    failed: int  # the target cannot take their picture
    reason: str


class AlarmView(View):
    """An alarm that is not one family's or real source's own, and the evidence for it so far."""

    kind: AlarmKind
    about: str  # batch source, family or adapter; "" for the whole service
    raised_at: datetime | None  # None: it does not stand
    evidence_log10: float | None
    alarm_log10: float | None
    text: str
    missing_samples: int | None = None  # not_learned: of the family; 0: that is not what is missing
    missing_sources: int | None = None  # not_learned: independent ones that deliver it


class ShortcutView(View):
    """The shortcut audit of a batch: how well file metadata alone tells it from the pictures of the other label."""

    kind: SubjectKind
    name: str  # of the family or real source
    source: str  # "": all sources of the family together
    state: BatchState
    auroc: float | None  # cross-validated; None: too few to tell
    lower: float | None
    upper: float | None
    n: int
    groups: int
    others: int  # pictures of the other label
    unknown: int  # taken in before file facts were kept
    threshold: float
    laundered_only: bool  # no head learns its raw form from now on
    at: datetime


class AlarmBudgetView(View):
    """False alarms that people will bear in 30 days, and those to expect, at most, of the last 30."""

    false_alarms_per_30_days: float
    new_tests: int  # started within 30 days, restarts after promotions counted
    new_spent: float  # sum of their levels; at most half of the budget
    known_subjects: int
    known_votes: int  # within 30 days
    known_spent: float  # their votes / run_length
    run_length: float  # votes between two false alarms of what is known


class ChannelView(View):
    """Messages to people outside on one channel."""

    channel: str
    waiting: int
    oldest: datetime | None  # since when the oldest of them waits
    sent: int
    failures: int  # attempts that failed
    error: str  # of the last failure of a message that waits


class ServiceView(View):
    version: str
    state: Literal["starting", "ready", "draining", "stopped"]
    now: datetime  # of the service's clock
    simulated: bool  # pictures or clock are simulated
    encoder: str
    fingerprint: str | None
    prevalence: float


class ChampionView(View):
    id: str
    learner: str
    promoted_at: datetime
    thresholds: dict[str, float | None]  # profile -> logit; None: infinite, nothing is called synthetic
    threshold_method: str
    alpha: float
    families: int
    sources: int


class Status(View):
    """The whole snapshot (`GET /v1/status`, `sidwatch status --json`)."""

    service: ServiceView
    champion: ChampionView | None
    mean_ap: dict[str, float | None]  # profile -> unweighted mean over families with n >= 10
    worst_ap: dict[str, float | None]  # profile -> the worst family with n >= 25
    worst_family: dict[str, str | None]
    real_false_positive_rate: dict[str, float | None]  # profile -> mean over sources with enough pictures
    windows: list[WindowView] = []  # the same by role, window and profile
    families: list[FamilyView]
    real_sources: list[SourceView]
    episodes: list[EpisodeView]
    versions: list[VersionView]
    decisions: list[DecisionView]  # the newest, newest first
    decision_counts: dict[str, int] = {}  # decision -> how many ever, whoever made them
    queue: list[QueueView]
    quarantine: dict[str, int]  # reason -> samples
    samples: dict[str, int]  # total, active, quarantined
    adapters: list[AdapterView]
    jobs: list[JobView]
    migration: MigrationView | None = None
    encoder_notice: str | None = None  # config.yaml does not name the encoder in force
    events: list[EventView]  # newest first
    alarms: list[AlarmView] = []
    alarm_budget: AlarmBudgetView | None = None
    shortcuts: list[ShortcutView] = []  # the audit of every batch
    returned_at: datetime | None = None  # when a previous version last came back by itself
    shadows: list[ShadowView] = []
    approval_waiting_since: datetime | None = None  # the first version that a person is to approve
    channels: list[ChannelView] = []
    flapping: str | None = None  # why promotion is no longer automatic


class ScoreView(View):
    """The answer to one picture (`POST /v1/score`, `sidwatch score`)."""

    sha256: str
    probability: float  # calibrated, at even prevalence
    logit: float
    threshold: float | None  # on the logit; None: infinite
    verdict: Literal["real", "synthetic", "outside"]  # outside: below the threshold and unlike every known group
    outside: bool | None = None  # unlike every known group, whatever the verdict; None: the head cannot tell
    family: str | None  # the family that fired, when synthetic
    nearest_real_source: str | None
    version: str
    profile: Literal["raw"] = "raw"


class PushView(View):
    """The receipt of a pushed sample (`POST /v1/samples`)."""

    receipt: int  # the delivery's number
    sha256: str
    outcome: Literal["stored", "known", "quarantined"]
    reason: str | None  # why it is in quarantine: a word of the closed list
    detail: str
    repeated: bool  # the same came before; nothing changed


class FeedbackView(View):
    """What became of a report (`POST /v1/feedback`, `sidwatch feedback`)."""

    sha256: str
    label: Label  # as reported
    family: str | None
    outcome: Literal["stored", "known", "quarantined", "rejected"]
    reason: str | None  # why it was rejected, or the picture is in quarantine: a word of the closed list
    detail: str
    repeated: bool  # the same report was made before; nothing changed
