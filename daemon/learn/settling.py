"""Settle: what a promotion means for the episodes, derived from the registry so that no kill can lose it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from daemon.champion import LoadedVersion
from daemon.context import Context
from daemon.drift.opening import opened
from daemon.evaluate.average_precision import average_precision
from daemon.model import Episode, Event, LabelledSamples, Subject


def settle(context: Context) -> None:
    """Mark the episodes that the champion learned, and those whose family has recovered since."""
    champion = context.champion.get()
    if champion is None:
        return
    _take_up_again(context, champion)
    episodes = context.samples.episodes(open_only=True)
    _settle_learned(context, champion, [episode for episode in episodes if episode.state == "learned"])
    for episode in episodes:
        if episode.state == "alarmed":
            _settle_alarmed(context, champion, episode)


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


def _settle_alarmed(context: Context, champion: LoadedVersion, episode: Episode) -> None:
    verdict = champion.record.verdict or {}
    learned = verdict.get("learned")
    if champion.record.id == episode.champion or not isinstance(learned, list):
        return
    if episode.family not in {champion.present(name) for kind, name in learned if kind == "family"}:
        return
    at = _promoted_at(context, champion.record.id)
    context.samples.update_episode(replace(episode, state="learned", version=champion.record.id, learned_at=at))


def _settle_learned(context: Context, champion: LoadedVersion, episodes: Sequence[Episode]) -> None:
    """Those that have recovered, and how many pictures came after each was learned."""
    if not episodes:
        return
    last = {row.subject: row.last_sample_at for row in context.samples.subjects()}
    rows: LabelledSamples | None = None  # every labelled picture: read once, and only when one of them came later
    for episode in episodes:
        at = last.get(Subject("family", episode.family))
        assert episode.learned_at is not None
        if at is not None and at > episode.learned_at:
            if rows is None:
                rows = context.samples.labelled_samples(champion.record.fingerprint)
                rows = rows.without(context.samples.reported())
            _settle_by(context, champion, episode, rows)
        elif episode.samples_after != 0:
            context.samples.update_episode(replace(episode, samples_after=0))


def _settle_by(context: Context, champion: LoadedVersion, episode: Episode, rows: LabelledSamples) -> None:
    """Recovered: enough pictures delivered after the promotion, and the champion tells them from the reals."""
    subject = Subject("family", episode.family)
    assert episode.learned_at is not None
    own = np.array([s == subject for s in rows.subjects])
    later = own & np.array([at > episode.learned_at for at in rows.delivered_at])
    count = int(later.sum())
    if count < context.settings.recovery.min_samples:
        if count != episode.samples_after:
            context.samples.update_episode(replace(episode, samples_after=count))
        return
    compared = rows.take(np.flatnonzero(~rows.synthetic | later))
    judged = context.samples.with_vectors(champion.record.fingerprint, "raw", compared)
    scores = champion.held_out(judged)
    ap = average_precision(scores[~judged.synthetic], scores[judged.synthetic], context.settings.evaluate.prevalence)
    after = replace(episode, ap_after=ap, samples_after=count)
    if ap >= context.settings.recovery.ap:
        after = replace(after, state="recovered", recovered_at=context.clock.now())
        _announce_recovery(context, after)
    if after != episode:
        context.samples.update_episode(after)


def _announce_recovery(context: Context, episode: Episode) -> None:
    text = f"{episode.family} is detected again: AP {episode.ap_after:.3f} on {episode.samples_after} later pictures"
    key = f"family_recovered:{episode.family}:{episode.version}"
    data: dict[str, object] = {"family": episode.family, "ap_after": episode.ap_after, "version": episode.version}
    context.samples.add_event(Event(None, key, "family_recovered", context.clock.now(), text, data))


def _promoted_at(context: Context, version: str) -> datetime:
    rows = [row for row in context.registry.audit() if row.version == version and row.action == "promote"]
    return rows[-1].at if rows else context.clock.now()
