"""What is released on which simulated day: the story of the simulated world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from adapters.simulation.cameras import CAMERAS

# Family -> day of its release. Those before day 0 are known from the beginning; the order is that of the story.
RELEASE_DAYS: dict[str, int] = {
    "sim_transposed": -420,
    "sim_nearest": -300,
    "sim_pixelshuffle": -150,
    "sim_diffusion": 2,
    "sim_pixelshuffle_xl": 7,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How many pictures there are, and how long the story lasts."""

    days: int = 11  # last simulated day on which something is released
    photographs_at_start: int = 60  # per camera, on day 0
    generated_at_start: int = 60  # per known family, on day 0
    photographs_per_day: int = 1  # per camera, from day 1
    known_per_day: int = 1  # per known family, from day 1
    new_per_day: int = 12  # per family released during the story, from its release day


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of the calendar."""

    offset: timedelta  # release, after the beginning of day 0
    name: str  # camera or family
    index: int  # number of the picture among those of its name, from 0


def calendar(plan: Plan) -> tuple[Item, ...]:
    """Every picture of the story in the order of its release.

    Parameters: plan. Returns: items ordered by (offset, index, name), so that any first part of a day holds every
        camera and family alike.
    """
    items: list[Item] = []
    for camera in CAMERAS:
        items += _items(camera, plan.photographs_at_start, plan.photographs_per_day, 1, plan.days)
    for family, day in RELEASE_DAYS.items():
        if day < 0:
            items += _items(family, plan.generated_at_start, plan.known_per_day, 1, plan.days)
        else:
            items += _items(family, 0, plan.new_per_day, day, plan.days)
    return tuple(sorted(items, key=lambda item: (item.offset, item.index, item.name)))


def _items(name: str, at_start: int, per_day: int, first_day: int, last_day: int) -> list[Item]:
    offsets = [timedelta(0)] * at_start
    for day in range(first_day, last_day + 1):
        offsets += [timedelta(days=day) + i * timedelta(days=1) / per_day for i in range(per_day)]
    return [Item(offset, name, index) for index, offset in enumerate(offsets)]


def scene_key(name: str, index: int) -> str:
    """The scene that a picture depicts: a photograph's own, or the one whose caption the family was given.

    A scene is met by at most one camera and at most one family: pictures of the same index are dealt to different
    cameras' scenes.
    Parameters: name of the camera or family; index of the picture. Returns: the key. Raises: KeyError for an
        unknown name.
    """
    cameras = list(CAMERAS)
    if name in CAMERAS:
        return f"{name}-{index:04d}"
    shift = {family: place for place, family in enumerate(RELEASE_DAYS)}[name]
    return f"{cameras[(index + shift) % len(cameras)]}-{index:04d}"
