"""Novel family: a batch of pictures that nobody has named is unlike every known family and real source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from daemon.context import Context
from daemon.drift.levels import levels_of
from daemon.drift.standing import find, since
from daemon.drift.watch import PROFILE
from daemon.model import Alarm, UnlabelledRow, VersionRecord

NEWEST_KNOWN = 200  # pictures of a known group that say where it lies
NEWEST_ASKED = 2000  # pictures of a batch; the time to cluster them grows with their square


def look_for_novelty(context: Context, alarms: Sequence[Alarm]) -> list[Alarm]:
    """The alarm of each source whose pictures without a family changed since the last look."""
    champion = context.registry.champion()
    if champion is None:
        return []
    by_source: dict[str, list[UnlabelledRow]] = {}
    for row in context.samples.unlabelled(champion.fingerprint):
        by_source.setdefault(row.source, []).append(row)
    gone = [alarm.about for alarm in alarms if alarm.kind == "novel_family" and alarm.about not in by_source]
    found = []
    for source in sorted({*by_source, *gone}):
        before = find(alarms, "novel_family", source)
        rows = by_source.get(source, [])[-NEWEST_ASKED:]
        if before is None or before.state["pictures"] != _pictures(rows) or before.version != champion.id:
            found.append(_judge(context, source, rows, before, champion))
    return [alarm for alarm in found if alarm is not None]


def look_level(alpha: float, look: int) -> float:
    """The level of the look number `look`, from 1: over all looks they add up to alpha.

    >>> round(sum(look_level(0.01, look) for look in range(1, 10_000)), 4)
    0.01
    """
    return alpha * 6.0 / (math.pi**2 * look**2)


def _pictures(rows: Sequence[UnlabelledRow]) -> list[int]:
    return [len(rows), max((row.sample_id for row in rows), default=0)]


def _judge(
    context: Context, source: str, rows: Sequence[UnlabelledRow], before: Alarm | None, version: VersionRecord
) -> Alarm | None:
    now, champion, fingerprint = context.clock.now(), version.id, version.fingerprint
    if len({row.group for row in rows}) < context.settings.alarms.novelty_min_batch:
        if before is None:
            return None
        state = {**before.state, "pictures": _pictures(rows), "clusters": []}
        return Alarm("novel_family", source, champion, state, 0.0, before.log10_alarm, None, "")
    state = dict(before.state) if before else _begin(context, now)
    look = int(str(state["looks"])) + 1
    found = _clusters(context, rows, fingerprint)
    line = -math.log10(look_level(float(str(state["alpha"])), look))
    novel = [cluster for cluster in found if cluster["log10_evidence"] >= line]
    state |= {"looks": look, "mark": look, "pictures": _pictures(rows), "clusters": found}
    evidence = max((cluster["log10_evidence"] for cluster in found), default=0.0)
    return Alarm(
        "novel_family", source, champion, state, evidence, line, since(before, bool(novel), now), _text(source, novel)
    )


def _begin(context: Context, now: datetime) -> dict[str, object]:
    """A batch source is one new test of the budget, shared out over its looks."""
    return {"looks": 0, "alpha": levels_of(context, 1).alpha, "started": now.timestamp()}


def _clusters(context: Context, rows: Sequence[UnlabelledRow], fingerprint: str) -> list[dict[str, Any]]:
    from daemon.drift.novel_batch import clusters, whitened

    known = context.samples.labelled_vectors(fingerprint, PROFILE, last_per_subject=NEWEST_KNOWN)
    if len(set(known.subjects)) < 2:
        return []
    asked = context.samples.vectors_of(fingerprint, PROFILE, [row.sample_id for row in rows])
    space = whitened(known.vectors, known.subjects, asked)
    return [
        {
            "pictures": int(cluster.members.size),
            "log10_evidence": cluster.log10_evidence,
            "nearest": list(cluster.nearest),
            "nearest_family": cluster.nearest_family.name if cluster.nearest_family else None,
            "first_sample": rows[int(cluster.members[0])].sample_id,
        }
        for cluster in clusters(space, context.settings.alarms.novelty_min_batch)
    ]


def _text(source: str, novel: Sequence[dict[str, Any]]) -> str:
    if not novel:
        return ""
    counted = ", ".join(
        f"{cluster['pictures']} pictures nearest to {cluster['nearest_family'] or cluster['nearest'][1]}"
        for cluster in novel
    )
    return f"{source} delivers pictures unlike every known family and real source: {counted}; name their family"
