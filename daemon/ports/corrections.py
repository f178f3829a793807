"""What people decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from daemon.corrections.model import Correction, FamilyFacts, FamilyPart, Relabel, SampleFacts


class Corrections(Protocol):
    """What people decided. Each write is one audited transaction; deliveries stay as they came.

    Figures and alarms of what is touched are dropped or marked to be counted anew in the same transaction; statistics
    follow in the next cycle, or at once when the command holds the state.
    """

    def relabel(
        self, sha256s: Sequence[str], relabel: Relabel | None, reason: str, actor: str, at: datetime
    ) -> Correction | None:
        """Note what a person says of samples; it wins over every delivery, later ones too. None: take it back.

        Takes them out of the quarantine for contradicting labels. None is returned, and nothing written, when all of
        it was said before. Raises BadInputError: an unknown or forgotten sample, a family that their deliveries
        dispute and the person left open.
        """
        ...

    def rename_family(self, old: str, new: str, reason: str, actor: str, at: datetime) -> Correction | None:
        """`old` is called `new` from now on, also where later deliveries say `old`; None: it is so already.

        Raises BadInputError: no such family, or the new name is taken. So do the others.
        """
        ...

    def merge_families(self, name: str, into: str, reason: str, actor: str, at: datetime) -> Correction | None:
        """What was `name` is `into`, what deliveries call `name` later too. Its open episode goes on with `into`."""
        ...

    def split_family(
        self, name: str, new: str, part: FamilyPart, sha256s: Sequence[str], reason: str, actor: str, at: datetime
    ) -> Correction | None:
        """A part of `name` is the family `new`: what meets the conditions, later deliveries too, or these samples."""
        ...

    def retire_family(self, name: str, undo: bool, reason: str, actor: str, at: datetime) -> Correction | None:
        """Measure, test and gate the family no longer (undo: again); what was learned of it stays learned."""
        ...

    def anchor_family(self, name: str, undo: bool, reason: str, actor: str, at: datetime) -> Correction | None:
        """Let no head learn from the family, so that it shows what a new version breaks (undo: they may again)."""
        ...

    def families(self) -> list[FamilyFacts]:
        """Every family that has a sample or is retired or an anchor, by name."""
        ...

    def anchored(self) -> set[int]:
        """Ids of the samples of anchors: no head, threshold or calibration may come from them."""
        ...

    def named_families(self) -> list[tuple[str, datetime]]:
        """Families that a person named, by saying so of samples or by splitting them off, and when that was last."""
        ...

    def pending_corrections(self) -> list[int]:
        """Numbers of the corrections that statistics, figures and alarms have not followed yet."""
        ...

    def finish_corrections(self, numbers: Sequence[int], at: datetime) -> None: ...
    def label_revision(self) -> int:
        """Number of the last correction or forgetting: whoever read labels before it has read others."""
        ...

    def samples_named(self, prefixes: Sequence[str]) -> list[str]:
        """The sha256 of each sample, by its beginning. Raises BadInputError when one fits none, or several."""
        ...

    def sample_facts(self, prefix: str) -> SampleFacts:
        """The sample whose sha256 begins so. Raises BadInputError when none does, or several do."""
        ...
