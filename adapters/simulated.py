"""The adapter `simulated`: a small world of cameras and generator families, for demonstrations and tests.

Nothing that it delivers is a photograph or the output of a real image generator: uris, captions, names and the files
themselves say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from adapters.base import BadInputError, Batch, Candidate
from adapters.simulation.calendar import RELEASE_DAYS, Item, Plan, calendar, scene_key
from adapters.simulation.cameras import CAMERAS
from adapters.simulation.picture import picture

BATCH = 24  # pictures, about one second of work: what a kill can cost
RENDERERS = 2  # threads; most of the work is numpy's and scipy's, which let others run


class SimulatedOptions(BaseModel):
    """Options of the adapter `simulated`; the defaults tell the story of the demo."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=0, description="decides every scene, camera and family of the simulated world")
    start: AwareDatetime = Field(default=datetime(2030, 1, 1, tzinfo=UTC), description="day 0 of the release calendar")
    side: int = Field(default=256, ge=64, le=1024, multiple_of=8, description="pixels per side of every picture")
    days: int = Field(default=11, ge=0, le=3650, description="last day on which something is released")
    photographs_at_start: int = Field(default=60, ge=0, description="per camera, on day 0")
    generated_at_start: int = Field(default=60, ge=0, description="per known family, on day 0")
    photographs_per_day: int = Field(default=1, ge=0, description="per camera, from day 1")
    known_per_day: int = Field(default=1, ge=0, description="per known family, from day 1")
    new_per_day: int = Field(default=12, ge=0, description="per family released later, from its release day")


class SimulatedAdapter:
    """Releases the pictures of a simulated world by a calendar of simulated days."""

    kind: ClassVar[str] = "simulated"
    Options: ClassVar[type[SimulatedOptions]] = SimulatedOptions

    def __init__(self, name: str, options: SimulatedOptions) -> None:
        self.name = name
        self._options = options
        self._items = calendar(Plan(**{field.name: getattr(options, field.name) for field in fields(Plan)}))
        self._world = hashlib.sha256(options.model_dump_json().encode()).hexdigest()[:12]

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield what the calendar has released by `now` and the cursor has not passed.

        Parameters: cursor of the last stored batch, None at the beginning; budget, most candidates; now, aware.
        Returns: batches of at most BATCH candidates; a pure function of (options, cursor, budget, now).
        Raises: BadInputError when the cursor is not one of this simulated world.
        """
        at = self._position(cursor)
        released = sum(1 for item in self._items if self._options.start + item.offset <= now)
        last = min(released, at + budget)
        with ThreadPoolExecutor(RENDERERS, "render") as threads:
            while at < last:
                until = min(at + BATCH, last)
                yield Batch(tuple(threads.map(self._candidate, self._items[at:until])), f"{self._world}:{until}")
                at = until

    def _position(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        world, _, position = cursor.partition(":")
        if world != self._world or not position.isdecimal() or int(position) > len(self._items):
            raise BadInputError(
                f"adapter {self.name}: the stored cursor {cursor!r} belongs to a simulation with other options; "
                "restore the options or give the adapter another name"
            )
        return int(position)

    def _candidate(self, item: Item) -> Candidate:
        seed, name = self._options.seed, item.name
        content, caption = picture(seed, name, item.index, self._options.side)
        real = name in CAMERAS
        return Candidate(
            uri=f"simulated://{seed}/{name}/{item.index:04d}.jpg",
            content=content,
            label="real" if real else "synthetic",
            family=None if real else name,
            source=name if real else None,
            group=f"sim:{seed}:{scene_key(name, item.index)}",
            caption=caption,
            generation={} if real else {"model": name, "seed": item.index},
            licence="CC0-1.0",
            released=None if real else self._released(name),
            kind="simulated",
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def _released(self, family: str) -> str:
        return (self._options.start + timedelta(days=RELEASE_DAYS[family])).date().isoformat()
