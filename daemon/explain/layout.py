"""What the columns of a stored vector are: groups of features with names, and where CLIP's pooled feature lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError
from daemon.settings import EncoderSettings

if TYPE_CHECKING:
    from daemon.encoders.forensic import ForensicEncoder

# For people; a group that is not here is shown under its own name.
_WORDS = {
    "residual_moments": "noise strength and shape",
    "residual_correlations": "noise correlation between pixels and colours",
    "cooccurrences": "co-occurring residual values",
    "coarse_cooccurrences": "co-occurring residual values, coarse",
    "grids": "traces of upsampling grids",
    "spectra": "frequency spectrum",
    "coarse_spectra": "frequency spectrum, coarse",
    "blocks": "compression blocks (8 x 8)",
    "colours": "colour statistics",
    "gradients": "edges and gradients",
    "naturalness": "natural-scene statistics",
    "textures": "fine texture",
    "scales": "change across scales",
}


@dataclass(frozen=True, slots=True)
class FeatureGroup:
    """Columns that belong together."""

    name: str
    columns: slice

    @property
    def label(self) -> str:
        """In words."""
        return _WORDS.get(self.name, self.name.replace("_", " "))


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one encoder's vectors; every column is in one group or in `pooled`."""

    groups: tuple[FeatureGroup, ...]
    pooled: slice | None  # CLIP's pooled feature: its single columns mean nothing, concepts explain it


def layout_of(encoder: EncoderSettings, dimension: int) -> Layout:
    """The layout of the configured encoder's vectors.

    dimension: of the vectors at hand. Raises ConfigurationError when the configured encoder does not make such.
    """
    groups: list[FeatureGroup] = []
    pooled = None
    widths = {"forensic": _forensic().dimension} if "forensic" in encoder.parts else {}
    rest = dimension - sum(widths.values())  # CLIP's width is not known before its weights are read
    start = 0
    for part in encoder.parts:
        width = widths.get(part, rest)
        if part == "forensic":
            groups += [_moved(name, columns, start) for name, columns in _forensic().feature_groups]
        elif part == "open_clip":
            pooled = slice(start, start + width)
        else:
            groups.append(FeatureGroup("vector", slice(start, start + width)))
        start += width
    if start != dimension or (rest < 1 and len(encoder.parts) > len(widths)):
        raise ConfigurationError(
            f"encoder.name: {encoder.name} does not make the {dimension} features that the stored vectors have; "
            "configure the encoder that they were made with"
        )
    return Layout(tuple(groups), pooled)


def _forensic() -> ForensicEncoder:
    from daemon.encoders.forensic import ForensicEncoder

    return ForensicEncoder()


def _moved(name: str, columns: slice, start: int) -> FeatureGroup:
    return FeatureGroup(name, slice(start + columns.start, start + columns.stop))
