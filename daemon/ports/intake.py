"""Deliveries, samples, quarantine; cursors and releases of adapters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from daemon.model import Admission, Prompt, Pushed, QuarantinedSample, Receipt, Rejection, Release, Reported, Trust


class IntakeStore(Protocol):
    """Deliveries, samples, quarantine; cursors and releases of adapters."""

    def cursor(self, adapter: str) -> str | None: ...
    def admit(
        self,
        adapter: str,
        trust: Trust,
        admissions: Sequence[Admission],
        cursor: str | None,
        at: datetime,
        releases: Sequence[Release] = (),
    ) -> Receipt:
        """Store one inspected batch and its cursor: blobs first, then every row in one transaction.

        A release is registered once for each model, with its family and release date, and keeps its first revision.

        New bytes become a sample (active). A delivery (adapter, uri, sha256) seen before changes nothing, unless it
        now claims a label or family that it did not claim then: that counts as a late label. A new
        delivery of known bytes adds a delivery row; unknown labels are filled in from it; a disagreement on label
        or family puts the sample in quarantine (`label_conflict`). Groups get their split (stable hash of the group
        key against the configured shares) when first seen, and keep it. Rejected admissions are counted by reason
        and noted. Candidates with a vector get it stored under its fingerprint (profile raw and laundered alike:
        a precomputed vector has one form). Outside scores go to scores under version `outside:<detector>`.
        """
        ...

    def report(self, admission: Admission, trust: Trust, actor: str, note: str, at: datetime) -> Reported:
        """What a person says of one picture: a delivery of the source FEEDBACK, as `admit` takes it, and an audit row.

        An admission without content or vector names a sample that is there. The very same report (its uri, picture,
        label and family) again changes nothing. One transaction. Raises BadInputError when there is no such sample, or
        the uri stands for another report.
        """
        ...

    def pushed(self, uri: str, said: str) -> Pushed | None:
        """What became of the accepted push of that uri, with `repeated` set; None: there was none.

        said: a digest of everything that it says. Raises BadInputError when the uri stands for another one.
        """
        ...

    def push(
        self,
        admission: Admission,
        trust: Trust,
        said: str,
        at: datetime,
        *,
        since: datetime,
        per_day: int | None,
    ) -> Pushed:
        """One delivery of the adapter PUSH, as `admit` takes it, in one durable transaction; again as `pushed`.

        Raises TemporaryError when `per_day` deliveries of it came since `since`, BadInputError as `pushed`.
        """
        ...

    def reported(self) -> set[int]:
        """Ids of the active samples that are here because a detector erred on them: their label came from a report.

        They say nothing about how often it errs. A synthetic one counts only if somebody else delivers its family
        too: of a family that only people report there is nothing better.
        """
        ...

    def delivered_since(self, adapter: str, since: datetime) -> int:
        """How many new deliveries of the adapter were stored at that time or later, rejected ones included."""
        ...

    def rejections(self, adapter: str, limit: int) -> list[Rejection]:
        """The last so many deliveries of the adapter that were refused, newest first."""
        ...

    def note_success(self, adapter: str, at: datetime) -> None:
        """A poll of the adapter ended well; its circuit is closed."""
        ...

    def note_failure(self, adapter: str, failures: int, retry_at: datetime | None, failure: str) -> None:
        """So many polls in a row failed, the last one for this reason; retry_at: the circuit is open until then."""
        ...

    def failures(self, adapter: str) -> int:
        """How many polls of the adapter failed in a row, also those before the last start."""
        ...

    def releases(self, adapter: str) -> list[Release]:
        """What the adapter reported as released, in the order in which it was registered."""
        ...

    def captions(self, limit: int) -> list[Prompt]:
        """The captions of the first so many photographs that have one, each with the photograph's group."""
        ...

    def quarantine(self, sample_id: int, reason: str, detail: str, at: datetime) -> None: ...
    def quarantined(self, limit: int, offset: int = 0, reason: str | None = None) -> list[QuarantinedSample]:
        """A part of what is in quarantine, for that reason alone when one is given, in the order of the deliveries."""
        ...

    def quarantined_count(self, reason: str | None = None) -> int: ...
    def release(self, sha256s: Sequence[str], actor: str, reason: str, at: datetime) -> int:
        """Let samples out of quarantine, as they are, in one audited transaction; all of them or none.

        What put one there may put it there again. Raises BadInputError: no such sample, it is not in quarantine, or
        its deliveries contradict each other, which `relabel` settles.
        """
        ...
