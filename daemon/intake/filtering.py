"""Filters: the user's own word on which pictures are taken in. They run in the decoding child; none is built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol

from PIL import Image

from daemon.errors import ConfigurationError, ImageRejected

GROUP = "sidwatch.filters"


class Filter(Protocol):
    """Made once in each decoding child, as `YourClass(options)`; asked about every picture that could be decoded."""

    def __call__(self, picture: Image.Image) -> str | None:
        """Why an upright RGB picture is refused, in a few words; None: it is taken in."""
        ...


def load_filters(configured: Sequence[Mapping[str, Any]]) -> dict[str, Filter]:
    """The filters of `intake.filters` ({"name": …, "options": {…}}) by name, in their order.

    Raises ConfigurationError when one is not installed or does not start: no picture is taken in without it.
    """
    return {str(one["name"]): _load(str(one["name"]), one["options"]) for one in configured}


def refuse_filtered(picture: Image.Image, filters: Mapping[str, Filter]) -> None:
    """Ask each filter. Raises ImageRejected (`filtered`) when one refuses the picture, or cannot judge it."""
    for name, refuses in filters.items():
        try:
            why = refuses(picture)
        except Exception as error:
            raise ImageRejected(
                "filtered", f"{name} could not judge it: {type(error).__name__}: {error}"[:200]
            ) from error
        if why is not None:
            raise ImageRejected("filtered", f"{name}: {why}"[:200])


def _load(name: str, options: Mapping[str, Any]) -> Filter:
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted({one.name for one in entry_points(group=GROUP)})) or "none"
        raise ConfigurationError(f"intake.filters: no filter {name!r} is installed; installed are: {known}")
    try:
        made: Filter = next(iter(found)).load()(options)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"intake.filters: {name!r} does not start ({why}); nothing is taken in until it does"
        ) from error
    return made
