"""Settle: what a promotion means for the episodes, derived from the registry so that no kill can lose it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.drift.opening import opened
from daemon.drift.placement import placement_values
from daemon.evaluate.average_precision import average_precision
from daemon.model import Episode, Event, LabelledSamples, Subject
from daemon.settings import AlarmSettings


def settle(context: Context) -> None:
    """Mark the episodes that the champion learned, and those whose family has recovered since."""
    champion = context.champion.get()
    if champion is None:
        return
    _take_up_again(context, champion)
    learned = _open(context, "learned")
    learned += _settle_alarmed(context, champion, _open(context, "alarmed"))
    _settle_learned(context, champion, learned)


def _open(context: Context, state: str) -> list[Episode]:
    return [episode for episode in context.samples.episodes(open_only=True) if episode.state == state]


def _take_up_again(context: Context, champion: LoadedVersion) -> None:
    """The champion that a family evaded is in force again, after a rollback: the family evades again."""
    episodes = context.samples.episodes()
    retired = {subject.name for subject, flags in context.samples.family_flags().items() if flags.retired}
    running = retired | {episode.family for episode in episodes if episode.state == "alarmed"}
    for episode in episodes:
        rolled_back = episode.state in ("learned", "recovered") and episode.champion == champion.record.id
        if rolled_back and episode.family not in running:
            note = f"{episode.version}, which had learned it, was rolled back"
            again = replace(episode, state="alarmed", version=None, learned_at=None, recovered_at=None, note=note)
            context.samples.update_episode(again)
            running.add(episode.family)  # a merged family may have two
    last = {episode.family: episode for episode in episodes if episode.family not in retired}
    if any(episode.state == "closed" for episode in last.values()):
        _open_again(context, champion, last)


def _open_again(context: Context, champion: LoadedVersion, last: dict[str, Episode]) -> None:
    """A closed episode stays closed, but no family may evade the champion without an open one.

    Closing begins the champion's test anew; that of another version, which comes back after a rollback, stands.
    """
    closed = {Subject("family", family) for family, episode in last.items() if episode.state == "closed"}
    alarmed = [s for s in context.samples.test_states(champion.record.id) if s.alarmed_at and s.subject in closed]
    if alarmed:
        note = f"evades {champion.record.id}, which is champion again; the episode before was closed"
        context.samples.save_tests([], opened(context, alarmed, note))


def _settle_alarmed(context: Context, champion: LoadedVersion, episodes: Sequence[Episode]) -> list[Episode]:
    """Those of an earlier champion whose family this one was made for, or detects though it was made for others.

    Returns the latter: they have pictures by which they may have recovered. Of the others none has come yet.
    """
    earlier = [episode for episode in episodes if episode.champion != champion.record.id]
    if not earlier:
        return []
    since = _in_force_since(context, champion.record.id)
    made_for = _made_for(champion)
    detected = _detected(context, champion, [one.family for one in earlier if one.family not in made_for], since)
    learned = [
        replace(episode, state="learned", version=champion.record.id, learned_at=since)
        for episode in earlier
        if episode.family in made_for or episode.family in detected
    ]
    for episode in learned:
        context.samples.update_episode(episode)
    return [episode for episode in learned if episode.family in detected]


def _made_for(champion: LoadedVersion) -> set[str]:
    """The families that the gate proved the champion to have learned."""
    learned = (champion.record.verdict or {}).get("learned")
    return (
        {champion.present(name) for kind, name in learned if kind == "family"} if isinstance(learned, list) else set()
    )


def _detected(context: Context, champion: LoadedVersion, families: Sequence[str], since: datetime) -> set[str]:
    """Those of the families that the champion detects, by pictures since it is in force; its own test has no alarm.

    They pass what is asked of a learned family before it counts as recovered, and the floors of the alarm beside: a
    family whose pictures all lie below the threshold evades, however well they are ranked.
    """
    if not families:
        return set()
    tests = context.samples.test_states(champion.record.id)
    proved = {test.subject.name for test in tests if test.alarmed_at and test.subject.kind == "family"}
    last = _last_pictures(context)
    asked = [one for one in families if one not in proved and (at := last.get(one)) is not None and at > since]
    if not asked:
        return set()
    rows, found = _labelled(context, champion), set()
    for family in asked:
        later = _later(rows, family, since)
        compared = rows.take(np.flatnonzero(~rows.synthetic | later))
        question, evidence = ("detected", family), (champion.record.id, _digest(compared))
        if int(later.sum()) < context.settings.recovery.min_samples or context.answered.knows(question, evidence):
            continue
        real, fake = _scores(context, champion, compared)
        ap = average_precision(real, fake, context.settings.evaluate.prevalence)
        if ap >= context.settings.recovery.ap and holds_floors(
            real, fake, champion.threshold("raw"), context.settings.alarms
        ):
            found.add(family)
        else:
            context.answered.keep(question, evidence)
    return found


def holds_floors(real: NDArray[np.float64], fake: NDArray[np.float64], threshold: float, alarms: AlarmSettings) -> bool:
    """Whether scores of reals (m,) and of a family (n,) keep the floors below which a family evades."""
    # Without a finite threshold nothing is flagged, which says nothing of the family.
    recall = 1.0 if threshold == math.inf else float(np.mean(fake > threshold))
    return recall >= alarms.recall_floor and float(placement_values(real, fake).mean()) >= alarms.auroc_floor


def _settle_learned(context: Context, champion: LoadedVersion, episodes: Sequence[Episode]) -> None:
    """Those that have recovered, and how many pictures came after each was learned."""
    if not episodes:
        return
    last = _last_pictures(context)
    rows: LabelledSamples | None = None  # read once, and only when a picture came later
    for episode in episodes:
        at = last.get(episode.family)
        assert episode.learned_at is not None
        if at is not None and at > episode.learned_at:
            rows = _labelled(context, champion) if rows is None else rows
            _settle_by(context, champion, episode, rows)
        elif episode.samples_after != 0:
            context.samples.update_episode(replace(episode, samples_after=0))


def _settle_by(context: Context, champion: LoadedVersion, episode: Episode, rows: LabelledSamples) -> None:
    """Recovered: enough pictures delivered after the promotion, and the champion tells them from the reals."""
    assert episode.learned_at is not None
    later = _later(rows, episode.family, episode.learned_at)
    count = int(later.sum())
    if count < context.settings.recovery.min_samples:
        if count != episode.samples_after:
            context.samples.update_episode(replace(episode, samples_after=count))
        return
    compared = rows.take(np.flatnonzero(~rows.synthetic | later))
    question, seen = ("recovered", episode.id), (champion.record.id, _digest(compared))
    if context.answered.knows(question, (*seen, episode.ap_after, episode.samples_after)):
        return
    real, fake = _scores(context, champion, compared)
    ap = average_precision(real, fake, context.settings.evaluate.prevalence)
    after = replace(episode, ap_after=ap, samples_after=count)
    if ap >= context.settings.recovery.ap:
        after = replace(after, state="recovered", recovered_at=context.clock.now())
        _announce_recovery(context, after)
    if after != episode:
        context.samples.update_episode(after)
    context.answered.keep(question, (*seen, after.ap_after, after.samples_after))


def _last_pictures(context: Context) -> Mapping[str, datetime | None]:
    """Family -> when its last picture was delivered."""
    return {row.subject.name: row.last_sample_at for row in context.samples.subjects() if row.subject.kind == "family"}


def _labelled(context: Context, champion: LoadedVersion) -> LabelledSamples:
    """The newest of every family and real source, as many as figures are made from: a bound on what is read."""
    newest = max(context.settings.evaluate.last_per_subject, context.settings.recovery.min_samples)
    rows = context.samples.labelled_samples(champion.record.fingerprint, last_per_subject=newest)
    return rows.without(context.samples.reported())


def _later(rows: LabelledSamples, family: str, since: datetime) -> NDArray[np.bool_]:
    """(n,) which rows are the family's and were delivered after a time."""
    own = Subject("family", family)
    pairs = zip(rows.subjects, rows.delivered_at, strict=True)
    return np.array([subject == own and at > since for subject, at in pairs], np.bool_)


def _digest(rows: LabelledSamples) -> str:
    """What an answer about the rows depends on, beside the version that scores them."""
    return sha256(rows.sample_ids.tobytes() + rows.synthetic.tobytes()).hexdigest()


def _scores(
    context: Context, champion: LoadedVersion, rows: LabelledSamples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The champion's scores of the reals and of the fakes among the rows, by heads that have not learned them."""
    judged = context.samples.with_vectors(champion.record.fingerprint, "raw", rows)
    scores = champion.held_out(judged)
    return scores[~judged.synthetic], scores[judged.synthetic]


def _announce_recovery(context: Context, episode: Episode) -> None:
    text = f"{episode.family} is detected again: AP {episode.ap_after:.3f} on {episode.samples_after} later pictures"
    key = f"family_recovered:{episode.family}:{episode.version}"
    data: dict[str, object] = {"family": episode.family, "ap_after": episode.ap_after, "version": episode.version}
    context.samples.add_event(Event(None, key, "family_recovered", context.clock.now(), text, data))


def _in_force_since(context: Context, version: str) -> datetime:
    """When a version became champion the last time."""
    rows = [row for row in context.registry.audit() if row.version == version and row.action in ("promote", "rollback")]
    return rows[-1].at if rows else context.clock.now()
