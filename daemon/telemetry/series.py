"""The gauges of one snapshot: a pure function from `Status` to Prometheus metric families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, get_args

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric

from daemon.evaluate.looks import MARGINS, Looks
from daemon.figures import HELD_OUT
from daemon.model import ALARM_KINDS, BATCH_STATES, HANDLINGS, OPEN_STATES, Subject
from daemon.states import state_of
from daemon.views import AdapterView, FamilyView, SourceView, Status

OTHER: Final = "other"  # the label under which families and sources beyond the cap are folded
CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"  # the latest that the gate did not promote
NEWEST: Final = 50  # detected families kept because they are new, before those kept because they are active
FAMILY_STATES: Final[tuple[str, ...]] = get_args(FamilyView.model_fields["state"].annotation)
SOURCE_STATES: Final[tuple[str, ...]] = get_args(SourceView.model_fields["state"].annotation)
_NOTHING_SEEN: Final = Looks()
EVADING: Final = frozenset({"evading", "inverted"})

# name without prefix -> (help, labels); the names are those of docs, `_ratio` and `_seconds` are base units
GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "model_info": ("1 for each version in a role.", ("role", "version", "encoder")),
    "champion_promoted_timestamp_seconds": ("When the champion came into force.", ()),
    "champion_returned_timestamp_seconds": ("When a previous version last came back by itself.", ()),
    "approval_waiting_timestamp_seconds": ("Since when the first version waits for a person's approval.", ()),
    "shadow_samples": ("Labelled live pictures that a version has judged in the shadow.", ("version",)),
    "promotion_flapping": ("1 while promotion waits for a person because versions came and went.", ()),
    "families": ("Families by state, over all of them.", ("state",)),
    "families_evading": ("Families that evade the champion (evading or inverted), over all of them.", ()),
    "family_average_precision_ratio": (
        "Average precision of a family at the configured prevalence.",
        ("family", "role", "profile"),
    ),
    "family_average_precision_lower_ratio": ("Lower end of its interval.", ("family", "role", "profile")),
    "family_average_precision_upper_ratio": ("Upper end of its interval.", ("family", "role", "profile")),
    "family_recall_at_threshold_ratio": (
        "Share of a family's samples called synthetic at the threshold.",
        ("family", "role", "profile"),
    ),
    "family_eval_samples": ("Raw samples behind a family's figures.", ("family",)),
    "family_last_sample_timestamp_seconds": ("When a family's last sample arrived.", ("family",)),
    "family_state": ("1 for the state a family is in.", ("family", "state")),
    "family_alarm_timestamp_seconds": (
        "When a family was last proved to evade, by the machine's clock even where time is simulated.",
        ("family",),
    ),
    "family_nearest_distance": (
        "Distance of a family's mean activations from the nearest other family's.",
        ("family", "nearest"),
    ),
    "family_episode": (
        "1 for what people did about a family's open episode; nothing when it has none.",
        ("family", "handling"),
    ),
    "family_evidence_log10": ("Evidence (log10 of the e-value) that a family evades.", ("family", "test")),
    "family_evidence_alarm_log10": ("The evidence at which that test alarms.", ("family", "test")),
    "decorrelation_penalty": (
        "Distance of a head's activations from uncorrelated ones, ||I - Gram||, less what chance gives.",
        ("role",),
    ),
    "mean_average_precision_ratio": ("Unweighted mean over families with n >= 10.", ("role", "profile")),
    "worst_family_average_precision_ratio": ("The worst family with n >= 25.", ("role", "profile")),
    "real_false_positive_ratio": (
        "Share of a real source called synthetic at the threshold.",
        ("source", "profile"),
    ),
    "real_false_positive_left_out_ratio": ("The same under a head solved without the source.", ("source", "profile")),
    "real_pool_samples": ("Samples of a real source behind its figures.", ("source", "profile")),
    "real_source_state": ("1 for the state a real source is in.", ("source", "state")),
    "real_pool_shift_evidence_log10": ("Evidence that fresh trusted reals score unlike the real pool.", ()),
    "real_pool_shift_alarm_log10": ("The evidence at which that test alarms.", ()),
    "novelty_evidence_log10": ("Evidence that a source's pictures without a family are novel.", ("source",)),
    "shortcut_auroc_ratio": (
        "How well file metadata alone tells a family or real source from the other label; its worst source.",
        ("kind", "name"),
    ),
    "shortcut_batches": ("Batches by what the shortcut audit says of them, over all of them.", ("state",)),
    "alarms_raised": ("Alarms that stand, other than a family's or real source's own.", ("alarm",)),
    "family_missing_samples": ("Samples that a family wants before it can be learned; 0: something else.", ("family",)),
    "family_missing_sources": ("Independent sources that a family wants before it can be learned.", ("family",)),
    "alarm_budget_spent_ratio": (
        "Share of the 30 days' budget of false alarms that was spent; `new` and `known` have half each.",
        ("tests",),
    ),
    "adapter_last_success_timestamp_seconds": ("When an adapter last delivered without fault; 0: never.", ("adapter",)),
    "adapter_interval_seconds": ("How often an adapter is polled.", ("adapter",)),
    "adapter_circuit_state": ("1 for the state that an adapter's circuit breaker is in.", ("adapter", "state")),
    "adapter_failed_polls": ("Polls of an adapter in a row that failed.", ("adapter",)),
    "adapter_retry_timestamp_seconds": ("Until when an adapter's circuit is open.", ("adapter",)),
    "adapter_day_images": (
        "Pictures asked for since UTC midnight, failed ones included.",
        ("adapter",),
    ),
    "adapter_day_images_limit": ("The most that it may ask for in a day.", ("adapter",)),
    "adapter_day_money": (
        "Money reserved since UTC midnight, in the currency of `price`.",
        ("adapter",),
    ),
    "adapter_day_money_limit": ("The most that it may spend in a day.", ("adapter",)),
    "job_paused": ("1 while a person keeps a job from running.", ("job",)),
    "notifications_waiting": ("Messages of a channel that were not taken yet.", ("channel",)),
    "notifications_oldest_timestamp_seconds": ("Since when the oldest of them waits.", ("channel",)),
    "queue_samples": ("Samples that wait for a stage.", ("stage",)),
    "queue_oldest_timestamp_seconds": ("Arrival of the oldest sample that waits for a stage.", ("stage",)),
}


CIRCUIT_STATES: Final = ("closed", "half_open", "open")


class _Sheet:
    """Metric families under construction; a value of None makes no series."""

    def __init__(self, prefix: str) -> None:
        self._families = {
            name: GaugeMetricFamily(prefix + name, text, labels=labels) for name, (text, labels) in GAUGES.items()
        }

    def set(self, name: str, value: float | datetime | None, *labels: str) -> None:
        if isinstance(value, datetime):
            value = value.timestamp()
        if value is not None:
            self._families[name].add_metric(list(labels), float(value))

    def metrics(self) -> tuple[Metric, ...]:
        return tuple(self._families.values())


def gauges(
    status: Status | None,
    cap: int,
    prefix: str = "sidwatch_",
    alarmed: Mapping[str, float] | None = None,
    looks: Looks = _NOTHING_SEEN,
) -> tuple[Metric, ...]:
    """Every gauge that the snapshot feeds, as metric families.

    status: the snapshot; None: nothing is known yet, the families are there without series. cap: most families (and
    most real sources) with series of their own. alarmed: family -> when it was last proved to evade, seconds since 1970
    by the machine's clock. looks: how the newest pictures score. Returns one metric family per entry of `GAUGES`,
    in that order, and the histograms of margins.
    """
    sheet = _Sheet(prefix)
    if status is not None:
        _models(sheet, status)
        _families(sheet, status.families, cap, alarmed or {}, looks)
        _episodes(sheet, status, cap)
        _sources(sheet, status.real_sources, cap)
        _alarms(sheet, status, cap)
        _shortcuts(sheet, status, cap)
        _work(sheet, status)
        for role, penalty in looks.penalties.items():
            sheet.set("decorrelation_penalty", penalty, role)
    return (*sheet.metrics(), *_margins(status, looks, cap, prefix))


def _margins(status: Status | None, looks: Looks, cap: int, prefix: str) -> tuple[Metric, ...]:
    """Histograms of logit less threshold on the newest pictures: of each family, and of all photographs together."""
    of_families = GaugeHistogramMetricFamily(
        prefix + "family_score_margin",
        "Logit less threshold on a family's newest pictures, each by a head that has not learned it.",
        labels=["family"],
    )
    of_reals = GaugeHistogramMetricFamily(
        prefix + "real_score_margin", "The same on the newest photographs of every real source.", labels=[]
    )
    bounds = [*map(str, MARGINS), "+Inf"]
    for family in own_series(status.families, cap)[0] if status is not None else ():
        subject = Subject("family", family.name)
        if subject in looks.margins:
            buckets = list(zip(bounds, map(float, looks.margins[subject]), strict=True))
            of_families.add_metric([family.name], buckets, looks.margin_sums[subject])
    reals = [subject for subject in looks.margins if subject.kind == "source"]
    if reals:
        sums = [float(sum(counts)) for counts in zip(*(looks.margins[s] for s in reals), strict=True)]
        of_reals.add_metric([], list(zip(bounds, sums, strict=True)), sum(looks.margin_sums[s] for s in reals))
    return of_families, of_reals


def own_series(families: Sequence[FamilyView], cap: int) -> tuple[list[FamilyView], list[FamilyView]]:
    """Split families into those with series of their own and those folded into `other`.

    families: any order. cap: most families exported. Returns (own, folded): first every family that is not detected,
    the evading ones before all; then the newest; then the most recently active. A family that calls itself `other`
    is always folded, so that its name cannot collide with the fold.
    """
    candidates = [family for family in families if family.name != OTHER]
    newest_first = sorted(candidates, key=lambda family: (family.first_seen, family.name), reverse=True)
    urgent = sorted(
        (family for family in newest_first if family.state != "detected"),
        key=lambda family: state_of("family", family.state).urgency,
    )
    detected = [family for family in newest_first if family.state == "detected"]
    active = sorted(detected[NEWEST:], key=lambda family: (family.last_sample_at, family.name), reverse=True)
    own = [*urgent, *detected[:NEWEST], *active][:cap]
    names = {family.name for family in own}
    return own, [family for family in families if family.name not in names]


def _models(sheet: _Sheet, status: Status) -> None:
    for version in status.versions:
        if version.role:
            sheet.set("model_info", 1, version.role, version.id, version.encoder)
    if status.champion is not None:
        sheet.set("champion_promoted_timestamp_seconds", status.champion.promoted_at)
    if status.returned_at is not None:
        sheet.set("champion_returned_timestamp_seconds", status.returned_at)
    sheet.set("approval_waiting_timestamp_seconds", status.approval_waiting_since)
    for shadow in status.shadows:
        sheet.set("shadow_samples", shadow.samples, shadow.version)
    sheet.set("promotion_flapping", status.flapping is not None)
    for profile, value in status.mean_ap.items():
        sheet.set("mean_average_precision_ratio", value, CHAMPION, profile)
    for profile, value in status.worst_ap.items():
        sheet.set("worst_family_average_precision_ratio", value, CHAMPION, profile)
    for view in status.windows:
        if (view.role, view.window) == (CHALLENGER, HELD_OUT):
            sheet.set("mean_average_precision_ratio", view.mean_ap, CHALLENGER, view.profile)
            sheet.set("worst_family_average_precision_ratio", view.worst_ap, CHALLENGER, view.profile)


def _families(
    sheet: _Sheet, families: Sequence[FamilyView], cap: int, alarmed: Mapping[str, float], looks: Looks
) -> None:
    for state in FAMILY_STATES:
        sheet.set("families", sum(family.state == state for family in families), state)
    sheet.set("families_evading", sum(family.state in EVADING for family in families))
    own, folded = own_series(families, cap)
    for family in own:
        _family(sheet, family)
        if family.name in looks.nearest:
            nearest, distance = looks.nearest[family.name]
            sheet.set("family_nearest_distance", distance, family.name, nearest)
        sheet.set("family_alarm_timestamp_seconds", alarmed.get(family.name), family.name)
    if folded:
        # The fold keeps what adds up (samples, last activity, whether any family is in a state); a mean AP over
        # strangers would mean nothing.
        sheet.set("family_eval_samples", sum(_measured(family) for family in folded), OTHER)
        sheet.set("family_last_sample_timestamp_seconds", max(family.last_sample_at for family in folded), OTHER)
        for state in FAMILY_STATES:
            sheet.set("family_state", any(family.state == state for family in folded), OTHER, state)


def _measured(family: FamilyView) -> int:
    raw = family.profiles.get("raw")
    return raw.n if raw is not None else 0


def _family(sheet: _Sheet, family: FamilyView) -> None:
    sheet.set("family_eval_samples", _measured(family), family.name)
    sheet.set("family_last_sample_timestamp_seconds", family.last_sample_at, family.name)
    sheet.set("family_evidence_log10", family.evidence_log10, family.name, family.test)
    sheet.set("family_evidence_alarm_log10", family.alarm_log10, family.name, family.test)
    for state in FAMILY_STATES:
        sheet.set("family_state", family.state == state, family.name, state)
    by_role = {CHAMPION: family.profiles, CHALLENGER: family.challenger}
    for role, profile, figures in ((r, p, f) for r, profiles in by_role.items() for p, f in profiles.items()):
        labels = (family.name, role, profile)
        sheet.set("family_recall_at_threshold_ratio", figures.recall, *labels)
        if figures.ap is not None:  # below the sample floor there is no AP, so no interval either
            sheet.set("family_average_precision_ratio", figures.ap, *labels)
            sheet.set("family_average_precision_lower_ratio", figures.ap_lower, *labels)
            sheet.set("family_average_precision_upper_ratio", figures.ap_upper, *labels)


def _episodes(sheet: _Sheet, status: Status, cap: int) -> None:
    # Only families with series of their own: the fold stands for many, so nobody can have taken it over.
    own = {family.name for family in own_series(status.families, cap)[0]}
    for episode in status.episodes:
        if episode.state in OPEN_STATES and episode.family in own:
            for handling in HANDLINGS:
                sheet.set("family_episode", episode.handling == handling, episode.family, handling)


def _sources(sheet: _Sheet, sources: Sequence[SourceView], cap: int) -> None:
    # Misjudged sources first, then the most recently active: names of sources come from outside as well.
    candidates = sorted(
        (source for source in sources if source.name != OTHER),
        key=lambda source: (source.state == "misjudged", source.last_sample_at, source.name),
        reverse=True,
    )
    for source in candidates[:cap]:
        for state in SOURCE_STATES:
            sheet.set("real_source_state", source.state == state, source.name, state)
        for profile, figures in source.profiles.items():
            sheet.set("real_false_positive_ratio", figures.false_positive_rate, source.name, profile)
            sheet.set("real_false_positive_left_out_ratio", figures.left_out, source.name, profile)
            sheet.set("real_pool_samples", figures.n, source.name, profile)
    names = {source.name for source in candidates[:cap]}
    folded = [source for source in sources if source.name not in names]
    if folded:
        for state in SOURCE_STATES:
            sheet.set("real_source_state", any(source.state == state for source in folded), OTHER, state)


def _alarms(sheet: _Sheet, status: Status, cap: int) -> None:
    for kind in ALARM_KINDS:
        raised = sum(alarm.kind == kind and alarm.raised_at is not None for alarm in status.alarms)
        sheet.set("alarms_raised", raised, kind)
    for alarm in status.alarms:
        if alarm.kind == "real_pool_shift":
            sheet.set("real_pool_shift_evidence_log10", alarm.evidence_log10)
            sheet.set("real_pool_shift_alarm_log10", alarm.alarm_log10)
    novel = [alarm for alarm in status.alarms if alarm.kind == "novel_family"]
    for alarm in sorted(novel, key=lambda alarm: (-(alarm.evidence_log10 or 0.0), alarm.about))[:cap]:
        sheet.set("novelty_evidence_log10", alarm.evidence_log10, alarm.about)
    tickets = [alarm for alarm in status.alarms if alarm.kind == "not_learned" and alarm.raised_at is not None]
    for alarm in tickets[:cap]:
        sheet.set("family_missing_samples", alarm.missing_samples, alarm.about)
        sheet.set("family_missing_sources", alarm.missing_sources, alarm.about)
    if status.alarm_budget is not None:
        budget = status.alarm_budget
        sheet.set("alarm_budget_spent_ratio", budget.new_spent / budget.false_alarms_per_30_days, "new")
        sheet.set("alarm_budget_spent_ratio", budget.known_spent / budget.false_alarms_per_30_days, "known")


def _shortcuts(sheet: _Sheet, status: Status, cap: int) -> None:
    for state in BATCH_STATES:
        sheet.set("shortcut_batches", sum(view.state == state for view in status.shortcuts if view.source), state)
    worst: dict[tuple[str, str], float] = {}
    for view in status.shortcuts:
        if view.auroc is not None:
            subject = (view.kind, view.name)
            worst[subject] = max(view.auroc, worst.get(subject, 0.0))
    # Names of families and sources come from outside: those that metadata gives away most, as many as the cap allows.
    for (kind, name), auroc in sorted(worst.items(), key=lambda item: (-item[1], item[0]))[:cap]:
        sheet.set("shortcut_auroc_ratio", auroc, kind, name)


def _circuit(sheet: _Sheet, adapter: AdapterView, now: datetime) -> None:
    """Closed: it is asked on time. Open: it is left alone until a time. Half open: the next poll is the trial."""
    paused = "half_open" if adapter.retry_at is None or adapter.retry_at <= now else "open"
    present = "closed" if adapter.retry_at is None else paused
    for state in CIRCUIT_STATES:
        sheet.set("adapter_circuit_state", state == present, adapter.name, state)
    sheet.set("adapter_failed_polls", adapter.failures, adapter.name)
    sheet.set("adapter_retry_timestamp_seconds", adapter.retry_at, adapter.name)


def _spending(sheet: _Sheet, adapter: AdapterView) -> None:
    spent = adapter.spending
    if spent is not None:
        sheet.set("adapter_day_images", spent.images, adapter.name)
        sheet.set("adapter_day_images_limit", spent.images_limit, adapter.name)
        sheet.set("adapter_day_money", spent.money, adapter.name)
        sheet.set("adapter_day_money_limit", spent.money_limit, adapter.name)


def _work(sheet: _Sheet, status: Status) -> None:
    for adapter in status.adapters:
        if adapter.configured:  # one that was taken out of the configuration must not look stale
            success = adapter.last_success_at
            sheet.set("adapter_last_success_timestamp_seconds", success if success is not None else 0, adapter.name)
            sheet.set("adapter_interval_seconds", adapter.interval_seconds, adapter.name)
            _circuit(sheet, adapter, status.service.now)
            _spending(sheet, adapter)
    for job in status.jobs:
        sheet.set("job_paused", float(job.paused is not None), job.job)
    for channel in status.channels:
        sheet.set("notifications_waiting", channel.waiting, channel.channel)
        sheet.set("notifications_oldest_timestamp_seconds", channel.oldest, channel.channel)
    for queue in status.queue:
        sheet.set("queue_samples", queue.samples, queue.stage)
        sheet.set("queue_oldest_timestamp_seconds", queue.oldest, queue.stage)
