"""The gate's question about the threshold: does the challenger still call fakes synthetic?

AP knows no threshold, and a detector that calls nothing synthetic accuses no real picture: every other question would
let it pass.
"""

from __future__ import annotations

import math

import numpy as np

from daemon.promote.comparison import GateSettings
from daemon.promote.family_checks import as_check
from daemon.promote.real_checks import Flags
from daemon.promote.verdict import Check, Outcome

# A challenger may call fewer fakes synthetic, for its threshold may have risen with good reason: the real pictures are
# others by now, or there are fewer. Under half of what the champion finds it is another detector.
RECALL_KEPT = 0.5


def recall_check(flags: Flags, settings: GateSettings, kept: float = RECALL_KEPT) -> Check:
    """Whether the challenger calls so large a share `kept` of the champion's fakes synthetic, and any at all.

    flags: at each model's own threshold. Without a threshold, which too few reals leave it, more of them may help: that
    is undecided, not worse.
    """
    alpha = settings.bound_alpha
    difference = flags.difference(None, np.flatnonzero(flags.comparison.synthetic))
    allowed = -(1.0 - kept) * difference.champion
    outcome: Outcome = "passed"
    if difference.value < allowed or difference.challenger == 0.0 < difference.champion:
        proved = difference.upper(alpha) < allowed and flags.comparison.threshold_challenger != math.inf
        outcome = "failed" if proved else "undecided"
    return as_check("recall", difference, alpha, alpha, alpha, outcome, None)
