"""The explanation as one HTML file that needs nothing else. Names come from outside, so all text is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from daemon.explain.views import EffectView, ExplainedScoreView, FamilyExplanationView

SHOWN: Final = 12  # contributions of a picture on each side, and characteristics of a family


@dataclass(frozen=True, slots=True)
class PictureOnPage:
    """One picture with its explanation."""

    name: str
    thumbnail: bytes  # JPEG
    view: ExplainedScoreView

    @property
    def data(self) -> str:
        """The thumbnail as a data URL."""
        return "data:image/jpeg;base64," + base64.b64encode(self.thumbnail).decode("ascii")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar on a scale whose 0 lies at `zero`; all in percent of its width."""

    zero: float
    left: float
    width: float
    at: float | None = None  # the figure itself, within an interval
    positive: bool = True


def render_pictures(pictures: Sequence[PictureOnPage], *, simulated: bool) -> str:
    """The page of explained pictures. simulated: say that pictures or time are simulated."""
    return _environment().get_template("pictures.html").render(pictures=pictures, simulated=simulated, shown=SHOWN)


def render_family(found: FamilyExplanationView, *, simulated: bool) -> str:
    """The page of an explained family."""
    return _environment().get_template("family.html").render(found=found, simulated=simulated, shown=SHOWN)


def sides(values: Sequence[float]) -> float:
    """The largest magnitude, by which bars of contributions are scaled; 1 when there is none."""
    return max((abs(value) for value in values), default=0.0) or 1.0


def signed_bar(value: float, most: float) -> Bar:
    """From the middle to the right (towards synthetic) or to the left; `most` fills a side."""
    width = 50.0 * min(abs(value) / most, 1.0)
    return Bar(50.0, 50.0 if value >= 0 else 50.0 - width, width, positive=value >= 0)


def interval_bar(effect: EffectView, effects: Sequence[EffectView]) -> Bar:
    """The interval and the figure, all effects of one table on one scale that holds 0."""
    low = min(0.0, *(one.lower for one in effects))
    high = max(0.0, *(one.upper for one in effects)) or 1.0
    scale = 100.0 / (high - low)
    return Bar(
        -low * scale,
        (effect.lower - low) * scale,
        (effect.upper - effect.lower) * scale,
        (effect.effect - low) * scale,
        effect.effect >= 0,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("daemon.explain"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals.update(sides=sides, signed_bar=signed_bar, interval_bar=interval_bar)
    return environment
