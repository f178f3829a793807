"""What the `quarantine` commands do; printing is theirs.

Letting a sample in is one transaction, so it needs no lock and may happen beside a running service, whose next cycle is
asked for at once. What a sample is, and that it is forgotten, is said as it is of any other sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from daemon.app import is_running, open_for, opened
from daemon.corrections.asking import resolved
from daemon.corrections.model import SampleFacts
from daemon.corrections.selecting import checked_prefix
from daemon.detail.quarantined import view_of
from daemon.detail.views import QuarantineView
from daemon.errors import BadInputError
from daemon.runs import tick
from daemon.settings import Settings

LABEL_CONFLICT = "label_conflict"


def listed(settings: Settings, reason: str | None, limit: int, offset: int) -> QuarantineView:
    """A part of what is set apart, in the order of the deliveries; reason: only what is there for that one."""
    with open_for(settings, read_only=True) as store:
        found = store.samples.quarantined(limit, offset, reason)
        total = store.samples.quarantined_count(reason)
    return QuarantineView(samples=[view_of(one) for one in found], total=total)


def described(settings: Settings, prefix: str) -> SampleFacts:
    """Everything that is known of one sample in quarantine. Raises BadInputError when there is none of that name."""
    with open_for(settings, read_only=True) as store:
        found = store.samples.sample_facts(checked_prefix(prefix))
    if found.state != "quarantined":
        raise BadInputError(f"sample {found.sha256[:12]} is {found.state}, not in quarantine")
    return found


def ways_out(found: SampleFacts) -> tuple[str, ...]:
    """The commands that end the quarantine of a sample, as a person would type them."""
    name = found.sha256[:12]
    settled = found.reason == LABEL_CONFLICT
    let_in = "confirm {} --label real|synthetic [--family NAME]" if settled else "release {}"
    return tuple(f'sidwatch quarantine {way.format(name)} --reason "..."' for way in (let_in, "discard {}"))


def release(settings: Settings, prefixes: Sequence[str], actor: str, reason: str) -> list[str]:
    """Let samples in as they are, all of them or none; returns their sha256.

    Raises BadInputError: no such sample, it is not in quarantine, or its deliveries contradict each other.
    """
    digests = resolved(settings, prefixes)
    with opened(settings, encoder=False, lock=False) as state:
        state.context.samples.release(digests, actor, reason, state.context.clock.now())
        if is_running(settings):
            tick(state.context, "cycle")
    return digests


def in_quarantine(settings: Settings, prefixes: Sequence[str]) -> list[str]:
    """The sha256 of each sample that a person named. Raises BadInputError when one of them is not in quarantine."""
    return [described(settings, digest).sha256 for digest in resolved(settings, prefixes)]
