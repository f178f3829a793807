"""Statistics of groups, what they hold, and the audit of file metadata."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Protocol, TypeVar

from daemon.model import (
    BatchAudit,
    BatchCount,
    BatchKey,
    Clipped,
    Dataset,
    Event,
    FileRow,
    GroupClip,
    LearnedRow,
    LeftOut,
    LeftOutReason,
    Profile,
    Subject,
)

StatisticsKey = tuple[Subject, Profile]
Parsed = TypeVar("Parsed")


class LearningStore(Protocol):
    """Statistics of groups, what they hold, and the audit of file metadata."""

    def untrusted(self) -> set[int]:
        """Ids of the active samples whose source is untrusted: they are measured, never learned from."""
        ...

    def known_sources(self) -> set[str]:
        """Names of the sources that are neither trusted nor untrusted."""
        ...

    def statistics_revision(self, fingerprint: str) -> int: ...
    def statistics(self, fingerprint: str, subjects: Collection[Subject] | None = None) -> dict[StatisticsKey, bytes]:
        """Every group's file, or those of some subjects."""
        ...

    def read_statistics(
        self, fingerprint: str, parse: Callable[[bytes], Parsed], known: dict[str, Parsed]
    ) -> dict[StatisticsKey, Parsed]:
        """What `parse` makes of every group's file; called from several threads.

        known: by the file's digest, what is not read again; what is read now is put there, what no group has any more
        taken out.
        """
        ...

    def statistics_digests(self, fingerprint: str) -> dict[StatisticsKey, str]:
        """The sha256 (hex) of what `statistics` gives of each group, without reading it."""
        ...

    def commit_statistics(
        self,
        fingerprint: str,
        revision: int,
        changed: Mapping[StatisticsKey, tuple[int, bytes]],
        sample_ids: Sequence[int],
        at: datetime,
        *,
        removed: Sequence[int] = (),
        raw_left_out: Mapping[int, LeftOutReason] = MappingProxyType({}),
        forms: Mapping[int, str] = MappingProxyType({}),
        clips: Mapping[Subject, GroupClip | None] = MappingProxyType({}),
    ) -> None:
        """Write the changed groups' files (n, bytes), set their rows, and mark the samples learned at `revision`.

        raw_left_out: of which of the samples only the laundered form is in the groups, and why.
        forms: among which form of their family the samples were counted, see `daemon.heads.forms`; absent: "".
        clips: what was decided about groups anew, see `commit_clips`.
        A group with n 0 is dropped. removed: samples that the changed groups no longer hold (as what they were
        learned); one of `sample_ids` may be among them, when it is learned anew as something else.
        One transaction. Refuses (ChampionMoved's cousin: TemporaryError) when `revision` is not current + 1, a
        sample is learned already, or a removed one is not: nothing is ever added or subtracted twice.
        """
        ...

    def commit_clips(self, fingerprint: str, revision: int, clips: Mapping[Subject, GroupClip | None]) -> None:
        """Write what was decided about groups where no statistics change for it; None: nothing is decided any more.

        Each sample keeps the revision from which on it is left out; new ones are from the next one on. Raises
        TemporaryError, and changes nothing, when `revision` is not the current one.
        """
        ...

    def clipped(self, fingerprint: str) -> list[Clipped]:
        """What that encoder's statistics leave out as implausible, by sample."""
        ...

    def clips_judged(self, fingerprint: str) -> dict[Subject, str]:
        """The groups about which it was decided, each with the digest of what that was decided from."""
        ...

    def learned_fingerprints(self) -> list[str]:
        """The encoders whose statistics hold a sample."""
        ...

    def learned_rows(self, fingerprint: str) -> list[LearnedRow]:
        """What that encoder's statistics hold, in the order in which it was learned."""
        ...

    def formats(self, sample_ids: Sequence[int]) -> dict[int, str]:
        """The file formats of pictures, in small letters; samples without a picture are not in it."""
        ...

    def learned_dataset(self, fingerprint: str) -> Dataset:
        """How many samples that encoder's statistics hold, and a digest over which they are and what they are."""
        ...

    def taken_out_since(self, fingerprint: str, revision: int) -> tuple[int, int]:
        """(samples that the statistics of that revision held as something that they are not learned as now, or that
        are no longer learned; when the last of them went)."""
        ...

    def forgotten_in(self, fingerprint: str, revision: int) -> int:
        """How many samples the statistics of that revision held and somebody asked to forget since."""
        ...

    def file_rows(self, most: int) -> list[FileRow]:
        """Labelled active samples whose file facts are known, at most so many of each batch, by batch.

        Those with the lowest sha256: a random choice that hardly changes when more are delivered.
        """
        ...

    def batch_counts(self) -> dict[BatchKey, BatchCount]:
        """Every batch, with how many labelled active samples it has and of how many the file facts are known."""
        ...

    def batches_of_samples(self) -> dict[int, BatchKey]:
        """The batch of every labelled active sample."""
        ...

    def shortcut_audits(self) -> list[BatchAudit]:
        """What the last audit found of every batch, by subject and source; a batch that is gone stays, with nothing."""
        ...

    def save_shortcut_audits(self, changes: Sequence[tuple[BatchAudit, Event | None]]) -> None:
        """Write audits over the stored ones, each with the event that tells of it, in one transaction."""
        ...

    def raw_left_out(self, fingerprint: str) -> list[LeftOut]:
        """Batches of which that encoder's statistics hold samples in their laundered form only, and why."""
        ...
