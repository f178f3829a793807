"""By hand: what a person asks of the running service over HTTP; each is one audited transaction, then a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from daemon.context import Context
from daemon.corrections.model import Relabel
from daemon.drift.restart import begun_anew
from daemon.episodes.snoozing import snoozed_until
from daemon.errors import BadInputError, NotFoundError, TemporaryError
from daemon.jobs import Jobs, described
from daemon.model import Episode, ForgetTarget, Label
from daemon.promote.deciding import roll_back
from daemon.runs import tick
from daemon.slug import complaint, is_slug
from daemon.views import View

_ATTEMPTS = 3  # a cycle may judge the family between reading and writing


class Done(View):
    """What became of it."""

    text: str = Field(description="One line for a person.")


@dataclass(frozen=True)
class ByHand:
    """`after` is called when something was written: the snapshot is read anew."""

    context: Context
    after: Callable[[], object]

    def acknowledge(self, episode: int, actor: str, reason: str) -> Done:
        """Somebody is on it. Raises BadInputError without such an open episode; so do the next two."""
        done = self.context.samples.acknowledge_episode(episode, actor, reason, self._now())
        return self._done(f"episode {done.id} of {done.family} is acknowledged by {actor}")

    def snooze(self, episode: int, length: timedelta, actor: str, reason: str) -> Done:
        """Nobody wants to hear of it for so long."""
        now = self._now()
        done = self.context.samples.snooze_episode(episode, snoozed_until(now, length), actor, reason, now)
        assert done.snoozed_until is not None
        return self._done(
            f"episode {done.id} of {done.family} is snoozed until {done.snoozed_until:%Y-%m-%d %H:%M} UTC"
        )

    def close(self, episode: int, actor: str, reason: str) -> Done:
        """A person ends it; its family's test begins anew when it stands alarmed."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                done = self._close(episode, actor, reason)
                break
            except TemporaryError:
                if attempt == _ATTEMPTS:
                    raise
        return self._done(f"episode {done.id} of {done.family} is closed; its test begins anew")

    def release(self, sha256: str, actor: str, reason: str) -> Done:
        """Let a sample out of quarantine as it is. Raises BadInputError when that is not how it gets out."""
        self.context.samples.release([sha256], actor, reason, self._now())
        return self._done(f"sample {sha256[:12]} is let in again; what put it into quarantine may do so once more")

    def confirm(self, sha256: str, label: Label, family: str | None, actor: str, reason: str) -> Done:
        """Say what a sample is, which ends a quarantine for contradicting labels. Raises BadInputError."""
        if family is not None:
            if label != "synthetic":
                raise BadInputError("only a synthetic picture has a family")
            if not is_slug(family):
                raise BadInputError(complaint(family))
        self.context.samples.relabel([sha256], Relabel(label, family), reason, actor, self._now())
        shown = " ".join(filter(None, (label, family)))
        return self._done(f"sample {sha256[:12]} is {shown}; statistics and figures follow in the next cycle")

    def discard(self, sha256: str, actor: str, reason: str) -> Done:
        """Forget a sample; the next cycle deletes its bytes. Raises BadInputError when there is none."""
        target = ForgetTarget("sample", sha256)
        if self.context.samples.forget(target, reason, actor, self._now()) is None:
            raise NotFoundError(f"there is no sample {sha256[:12]}, or it was forgotten before")
        return self._done(f"sample {sha256[:12]} is forgotten; the next cycle deletes its bytes")

    def roll_back(self, actor: str, reason: str) -> Done:
        """Bring the previous champion back. Raises BadInputError, ChampionMoved."""
        row = roll_back(self.context, actor, reason)
        return self._done(f"{row.version} is the champion again, {row.previous} is not")

    def run_job(self, job: str, actor: str, reason: str) -> Done:
        """Have a job done once. Raises BadInputError when there is none, or it is paused; so do the next two."""
        Jobs(self.context).run(job, actor, reason)
        return self._shown(f"{job} runs as soon as the run before it is over")

    def pause_job(self, job: str, length: timedelta | None, actor: str, reason: str) -> Done:
        """Begin no further run of a job for so long, or until it is resumed."""
        return self._shown(f"{job} is {described(Jobs(self.context).pause(job, length, actor, reason))}")

    def resume_job(self, job: str, actor: str, reason: str) -> Done:
        """End a pause."""
        Jobs(self.context).resume(job, actor, reason)
        return self._shown(f"{job} is no longer paused")

    def _close(self, episode: int, actor: str, reason: str) -> Episode:
        samples = self.context.samples
        found = next((one for one in samples.episodes() if one.id == episode), None)
        if found is None:
            raise NotFoundError(f"there is no episode {episode}")
        restarted = begun_anew(self.context, found.family)
        return samples.close_episode(episode, restarted, actor, reason, self._now())

    def _now(self) -> datetime:
        return self.context.clock.now()

    def _done(self, text: str) -> Done:
        tick(self.context, "cycle")
        return self._shown(text)

    def _shown(self, text: str) -> Done:
        self.after()
        return Done(text=text)
