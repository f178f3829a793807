"""The policies of learning that a back-test compares; each is the service's own cycle, told to learn otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from daemon.context import Context
from daemon.cycle import CycleReport, run_cycle
from daemon.learn.retraining import trained
from daemon.promote.deciding import promote_by_hand
from daemon.settings import AdapterSettings, AttemptSettings, PolicySettings, Section, Settings
from daemon.supervisor import Turn


@dataclass(frozen=True, slots=True)
class Policy:
    """How a replay learns."""

    name: str
    meaning: str  # one line for people
    turn: Turn
    read_out: Literal["mixture", "linear"] | None = None  # of the closed form; None: it is not asked
    learner: Literal["closed_form", "gradient"] = "closed_form"  # the only one that answers an alarm
    once: bool = False  # one answer to an alarm, once there is enough for the gate; not a new one as pictures come in
    takes: int = 1  # how long its replay is, against the others
    at_once: bool = False  # everything is delivered at the end, and learned together

    def settings(self, settings: Settings) -> Settings:
        """The configuration that it works with: one learner, asked by alarms alone, as a yardstick should be."""
        attempt = AttemptSettings(
            learner=self.learner,
            min_groups=settings.gate.min_groups if self.once else 1,
            at_most=1 if self.once else None,
        )
        alone = PolicySettings(triggers=("alarm",), attempts=(attempt,))
        update: dict[str, Section] = {"learn": settings.learn.model_copy(update={"policy": alone})}
        if self.read_out is not None:
            update["head"] = settings.head.model_copy(update={"read_out": self.read_out})
        return settings.model_copy(update=update)


def _never_again(context: Context, adapters: Sequence[AdapterSettings]) -> CycleReport:
    return run_cycle(context, adapters, may_learn=lambda: context.registry.champion() is None)


def _by_gradient(context: Context, adapters: Sequence[AdapterSettings]) -> CycleReport:
    return run_cycle(context, adapters, make=trained("gradient"))


def _jointly(context: Context, adapters: Sequence[AdapterSettings]) -> CycleReport:
    """One fit on everything; it is a yardstick, so the gate is heard and need not agree."""
    report = run_cycle(context, adapters, may_learn=lambda: not context.registry.versions())
    versions = context.registry.versions()
    if versions and context.registry.champion() is None:
        promote_by_hand(context, versions[-1].id, "backtest", "the oracle is a yardstick, whatever the gate says of it")
    return report


_EVERY: tuple[Policy, ...] = (
    Policy("static", "the first champion for ever: it learns nothing more", _never_again, "mixture"),
    Policy(
        "gradient",
        "the paper's recipe, trained anew once at each alarm",
        _by_gradient,
        learner="gradient",
        once=True,
        takes=3,
    ),
    Policy(
        "closed_form", "one linear direction, solved anew once at each alarm", run_cycle, "linear", once=True, takes=2
    ),
    Policy(
        "mixture",
        "the two-sided mixture, solved at each alarm: the service's first answer",
        run_cycle,
        "mixture",
        takes=4,
    ),
    Policy("oracle", "the mixture, fitted once on everything there will ever be", _jointly, "mixture", at_once=True),
)
POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in _EVERY}
