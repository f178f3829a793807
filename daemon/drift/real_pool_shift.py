"""Real-pool shift: fresh trusted photographs no longer score like the reference pool."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from daemon.drift.alarm import AlarmTest, pool_test
from daemon.drift.standing import since
from daemon.drift.watch import Watch, logits_of
from daemon.model import Alarm, ScoredRow

SMALLEST_DELTA = 0.02


def tolerance(pool: int) -> float:
    """How far the mean placement of fresh reals may lie from .5: max(.02, .87 / sqrt(m)).

    pool: number m of reference reals, >= 1. A finite pool is itself off by .29 / sqrt(m); tested against exactly .5
    fresh reals of the same kind alarm in 12-50 % of streams. Source: method section 3.

    >>> tolerance(10_000), round(tolerance(100), 3)
    (0.02, 0.087)
    """
    return max(SMALLEST_DELTA, 0.87 / math.sqrt(pool))


def watch_real_pool(watch: Watch, before: Alarm | None, run_length: float) -> Alarm | None:
    """The two-sided test after the fresh reals of this pass; None when there are none.

    It belongs to one champion. Its alarm stays until another one comes, for no later real can make the pool right.
    """
    champion = watch.champion.record.id
    if before is not None and before.version != champion:
        before = None
    state: dict[str, Any] = dict(before.state) if before else {}
    last = int(state.get("last_score_id", 0))
    fresh = fresh_reals(watch)
    new = [row for row in fresh if row.score_id > last]
    if not new:
        return None
    test = AlarmTest.from_dict(state["test"]) if before else pool_test(run_length, tolerance(len(watch.pool)))
    voted = {row.group for row in fresh if row.score_id <= last}
    placements, _ = watch.votes(logits_of(new), [row.group for row in new], voted)
    after = replace(test, alpha=1.0 / run_length).update(placements, 1.0 - placements)
    votes = int(state.get("votes", 0)) + placements.size
    sum_of_votes = float(state.get("sum", 0.0)) + float(np.sort(placements).sum())
    return Alarm(
        "real_pool_shift",
        "",
        champion,
        {
            "test": after.to_dict(),
            "last_score_id": max(row.score_id for row in new),
            "votes": votes,
            "sum": sum_of_votes,
            "pool": len(watch.pool),
            "mark": watch.champion.record.id,
        },
        after.log_e / math.log(10),
        after.log_alarm / math.log(10),
        since(before, after.alarmed, watch.now),
        f"fresh trusted photographs score differently from the real pool: mean placement "
        f"{sum_of_votes / max(1, votes):.2f} instead of .5 after {votes} votes",
    )


def fresh_reals(watch: Watch) -> list[ScoredRow]:
    """Rows of trusted reals that came after the champion was made and are not of the pool themselves."""
    pool = set(watch.labelled.sample_ids[watch.pool].tolist())
    made = watch.champion.record.created_at
    return [
        row
        for row in watch.rows
        if row.subject in watch.trusted and row.delivered_at > made and row.sample_id not in pool
    ]
