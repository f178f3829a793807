"""A correction as a command: noted and audited at once, then statistics, figures, alarms and a challenger follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from daemon.app import opened
from daemon.context import Context
from daemon.corrections.model import Correction
from daemon.drift.detecting import detect
from daemon.errors import SidwatchError, StateLocked
from daemon.evaluate.measuring import evaluate
from daemon.learn.bookkeeping import finish_corrections, finish_forgetting
from daemon.learn.learning import holds_forgotten
from daemon.ports import Corrections
from daemon.runs import tick
from daemon.settings import Settings
from daemon.supervisor import UpdateOutcome, run_update
from daemon.transitions import note_transitions

Act = Callable[[Corrections, datetime], Correction | None]


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of a correction."""

    correction: Correction | None  # None: all of it was said before
    state: str  # done; asked: the running service follows in its next cycle; nothing
    champion: str | None
    champion_holds: int  # samples that the champion learned as something else than they are now
    update: UpdateOutcome | None  # the challenger that learned them right; None: none was made here

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        made, update = self.correction, self.update
        return {
            "state": self.state,
            "audit": made.number if made else None,
            "samples": made.samples if made else 0,
            "learned": made.learned if made else 0,
            "subjects": [list(subject) for subject in made.subjects] if made else [],
            "champion": self.champion,
            "champion_holds": self.champion_holds,
            "update": update and {"outcome": update.text, "version": update.version, "decision": update.decision},
        }

    def lines(self) -> list[str]:
        """For people."""
        if self.correction is None:
            return ["nothing to change: all of it was so before"]
        made = self.correction
        told = [f"audit row {made.number}: {made.samples} samples changed, {made.learned} taken out or learned anew"]
        if self.state == "asked":
            told.append("statistics, figures and alarms follow in the running service's next cycle")
        if self.update is not None:
            told.append(f"challenger: {self.update.text}")
        if self.champion_holds:
            told.append(
                f"champion {self.champion} learned {self.champion_holds} samples as something else than they are now, "
                f"until a challenger is promoted: {self._way_out()}"
            )
        return told

    def _way_out(self) -> str:
        if self.update is not None and self.update.version is not None:
            return f"`sidwatch models promote {self.update.version}` does it by hand"
        return "`sidwatch models list` shows whether there is one, `sidwatch update` makes one"


def correct(settings: Settings, act: Act) -> Corrected:
    """Carry a correction out. Beside a running service its transaction is done here, the rest in the next cycle.

    Killed or repeated at any point it goes on where it was. Raises BadInputError, as `act` does.
    """
    with opened(settings, encoder=False, lock=False) as state:
        context = state.context
        made = act(context.samples, context.clock.now())
        if made is None and not context.samples.pending_corrections():
            return _outcome(context, None, "nothing", None)
    try:
        with opened(settings, encoder=False) as state:
            return _follow(state.context, made)
    except StateLocked:
        with opened(settings, encoder=False, lock=False) as state:
            tick(state.context, "cycle")
            return _outcome(state.context, made, "asked", None)


def _follow(context: Context, made: Correction | None) -> Corrected:
    finish_forgetting(context)
    finish_corrections(context)
    champion = context.champion.get()
    if champion is None:
        return _outcome(context, made, "done", None)
    evaluate(context)
    detect(context)
    asked = made is None or made.learned  # what holds nothing otherwise asks for no challenger
    update = _challenger(context) if asked and holds_forgotten(context, champion) else None
    evaluate(context)
    note_transitions(context)
    return _outcome(context, made, "done", update)


def _challenger(context: Context) -> UpdateOutcome:
    try:
        return run_update(context)
    except SidwatchError as error:  # too little is left, or the champion moved: the correction itself is done
        return UpdateOutcome(f"none was solved: {error}")


def _outcome(context: Context, made: Correction | None, state: str, update: UpdateOutcome | None) -> Corrected:
    champion = context.champion.get()
    if champion is None:
        return Corrected(made, state, None, 0, update)
    return Corrected(made, state, champion.record.id, holds_forgotten(context, champion), update)
