"""Where samples come from, and what looks at them first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol

from daemon.model import Batch, Inspected, Material


class Adapter(Protocol):
    """A kind of source. The class is found through the entry point group `sidwatch.adapters`."""

    kind: ClassVar[str]
    Options: ClassVar[type]  # a pydantic model with extra="forbid"

    def __init__(self, name: str, options: Any) -> None: ...

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` candidates released by `now`, in batches, from `cursor` on.

        Ends when nothing more is there at the moment. Raises BadInputError when the source itself is unreadable.
        """
        ...


class MakingAdapter(Adapter, Protocol):
    """An adapter whose pictures cost something: each poll asks for what a person has to pay for.

    When `poll` is resumed behind a batch, that batch is stored, its cursor with it: what the cursor says was spent is
    never forgotten, whatever dies next.

    So that metrics can tell what a day has cost, the cursor is a JSON object that holds it under `spent`, as
    {"2030-01-01": {"images": 3, "money": "0.12"}} by UTC day, and the options name `images_per_day` and, where pictures
    cost something, `money_per_day`.
    """

    confirmed: ClassVar[bool]  # True: the poll waits until each batch is stored

    def preview(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield what `poll` would make first, without making it: candidates without pictures."""
        ...

    def give(self, material: Material) -> None:
        """Called before `poll` or `preview`, with what the service has for this adapter."""
        ...


class Poller(Protocol):
    """Runs one poll of an adapter in a child process."""

    def __call__(
        self,
        name: str,
        kind: str,
        options: Mapping[str, Any],
        cursor: str | None,
        budget: int,
        now: datetime,
        *,
        material: Material | None = None,
    ) -> Iterator[Batch]:
        """Yield the batches; when the next one is asked for, those before are stored."""
        ...


class Inspector(Protocol):
    """Decodes untrusted bytes in a child process."""

    def inspect(self, content: bytes) -> Inspected:
        """Raises ImageRejected with a reason of REASONS."""
        ...
