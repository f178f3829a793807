"""The first champion: nobody to be compared with, so it must be better than chance everywhere."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.evaluate.family import FamilyEvaluation, SourceEvaluation
from daemon.model import Profile, Subject
from daemon.promote.verdict import Check, Verdict

MIN_FAMILIES = 2  # the canonical units are contrasts between groups: one family or one source spans none
MIN_SOURCES = 2
MIN_N = 10  # below it an evaluation is not read


def first_champion_verdict(
    families: Mapping[str, FamilyEvaluation],
    sources: Mapping[str, SourceEvaluation],
    profile: Profile = "raw",
) -> Verdict:
    """Promote when the AP's lower bound beats the prevalence on every family and there is breadth, else hold.

    families, sources: name -> evaluation under one profile; those under 10 samples are not read.
    """
    read = {name: e for name, e in sorted(families.items()) if e.n >= MIN_N}
    known = [name for name, e in sources.items() if e.n >= MIN_N]
    checks = [
        Check(
            name="better_than_chance",
            profile=profile,
            subject=Subject("family", name),
            champion=None,
            challenger=e.ap,
            difference=e.ap - e.prevalence,
            lower=e.ap_lower - e.prevalence,
            upper=e.ap_upper - e.prevalence,
            alpha=0.025,
            n=e.n,
            outcome="passed" if e.ap_lower > e.prevalence else "undecided",
        )
        for name, e in read.items()
    ]
    wide = len(read) >= MIN_FAMILIES and len(known) >= MIN_SOURCES
    counted = f"{len(read)} families and {len(known)} real sources with at least {MIN_N} samples"
    if not wide:
        reason = f"too narrow: {counted}, {MIN_FAMILIES} and {MIN_SOURCES} needed"
        return Verdict("hold", reason, tuple(checks))
    poor = [check for check in checks if check.outcome != "passed"]
    if poor:
        named = ", ".join(f"{c.subject.name} {c.challenger:.3f}" for c in poor if c.subject is not None)
        return Verdict("hold", f"AP not surely better than chance on {named}", tuple(checks))
    lowest = min(read.items(), key=lambda item: item[1].ap)
    reason = f"first champion: better than chance on {counted}; lowest AP {lowest[1].ap:.3f} ({lowest[0]})"
    learned = tuple(Subject("family", name) for name in read)
    return Verdict("promote", reason, tuple(checks), learned)
