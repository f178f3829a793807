"""What was answered on just the same evidence already, so that an idle cycle does not read it again."""

from __future__ import annotations

from collections.abc import Hashable


class LastAnswered:
    """The evidence that each question was last answered on.

    It goes with its process, and nothing depends on it: what is asked again is answered the same, from the store.
    """

    def __init__(self) -> None:
        self._last: dict[Hashable, Hashable] = {}

    def knows(self, question: Hashable, evidence: Hashable) -> bool:
        """Whether the question was last answered on this evidence."""
        return question in self._last and self._last[question] == evidence

    def keep(self, question: Hashable, evidence: Hashable) -> None:
        """It was answered on this evidence, and whatever came of it is stored."""
        self._last[question] = evidence
