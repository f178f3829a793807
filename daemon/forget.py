"""The `forget` command's work: out of every figure at once, the bytes after it, a challenger without it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from daemon.app import open_for, opened
from daemon.context import Context
from daemon.errors import BadInputError, SidwatchError, StateLocked
from daemon.evaluate.measuring import evaluate
from daemon.learn.bookkeeping import finish_forgetting
from daemon.learn.learning import holds_forgotten
from daemon.model import ForgetCounts, ForgetTarget
from daemon.runs import tick
from daemon.settings import Settings
from daemon.supervisor import UpdateOutcome, run_update


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What became of a `forget`."""

    target: ForgetTarget
    counts: ForgetCounts
    state: str  # done; taken_out: the running service deletes the bytes in its next cycle; nothing: there was nothing
    champion: str | None  # the version in force afterwards
    champion_holds: int  # samples that it was solved from and that were taken out of the statistics since
    update: UpdateOutcome | None  # the challenger without it; None: none was made here

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        update = None
        if self.update is not None:
            update = {"outcome": self.update.text, "version": self.update.version, "decision": self.update.decision}
        return {
            "kind": self.target.kind,
            "name": self.target.name,
            **asdict(self.counts),
            "state": self.state,
            "champion": self.champion,
            "champion_holds": self.champion_holds,
            "update": update,
        }

    def lines(self) -> list[str]:
        """For people."""
        counts = self.counts
        if self.state == "nothing":
            told = [f"nothing of {self.target} is left; it was forgotten before"]
        else:
            told = [
                f"{self.target} is forgotten: {counts.deliveries} deliveries, {counts.gone} samples gone, "
                f"{counts.kept} kept from other deliveries and decided anew"
            ]
        if self.state == "taken_out":
            told.append("it is out of every figure; the service's next cycle deletes its bytes and solves a challenger")
        if self.update is not None:
            told.append(f"challenger without it: {self.update.text}")
        if self.champion_holds:
            told.append(
                f"champion {self.champion} still holds {self.champion_holds} samples that were taken out, until a "
                f"challenger without them is promoted: {self._way_out()}"
            )
        return told

    def _way_out(self) -> str:
        if self.update is not None and self.update.version is not None:
            return f"`sidwatch models promote {self.update.version}` does it by hand"
        return "`sidwatch update` makes one"


def preview(settings: Settings, target: ForgetTarget) -> ForgetCounts:
    """What forgetting would take away; raises BadInputError when there never was anything of it."""
    with open_for(settings, read_only=True) as store:
        counts = store.samples.forget_preview(target)
        if not counts.deliveries and all(record.target != target for record in store.samples.forgets()):
            raise BadInputError(f"nothing that was delivered belongs to {target}; check its spelling")
    return counts


def forget(settings: Settings, target: ForgetTarget, reason: str, actor: str) -> Forgotten:
    """Forget, audited. Beside a running service the first transaction is done here, the rest is left to its cycle.

    Killed or repeated at any point it goes on where it was. Raises BadInputError when there never was anything of it.
    """
    counts = preview(settings, target)
    with opened(settings, encoder=False, lock=False) as state:
        record = state.context.samples.forget(target, reason, actor, state.context.clock.now())
        if record is None and all(one.state == "done" for one in state.context.samples.forgets()):
            return _outcome(state.context, target, counts, "nothing", None)
    counts = record.counts if record is not None else counts
    try:
        with opened(settings, encoder=False) as state:
            return _finish(state.context, target, counts)
    except StateLocked:
        with opened(settings, encoder=False, lock=False) as state:
            tick(state.context, "cycle")
            if not counts.learned:  # the cycle solves a challenger of its own when the champion was learned from it
                tick(state.context, "update")
            return _outcome(state.context, target, counts, "taken_out", None)


def _finish(context: Context, target: ForgetTarget, counts: ForgetCounts) -> Forgotten:
    finish_forgetting(context)
    # Another command may have forgotten more meanwhile: then the next cycle, or this command again, goes on.
    state = "done" if all(one.state == "done" for one in context.samples.forgets()) else "taken_out"
    if context.champion.get() is None:
        return _outcome(context, target, counts, state, None)
    evaluate(context)
    try:
        update = run_update(context)
    except SidwatchError as error:  # too little is left, or the champion moved: the forgetting itself is done
        update = UpdateOutcome(f"none was solved: {error}")
    evaluate(context)
    return _outcome(context, target, counts, state, update)


def _outcome(
    context: Context, target: ForgetTarget, counts: ForgetCounts, state: str, update: UpdateOutcome | None
) -> Forgotten:
    champion = context.champion.get()
    if champion is None:
        return Forgotten(target, counts, state, None, 0, update)
    return Forgotten(target, counts, state, champion.record.id, holds_forgotten(context, champion), update)
