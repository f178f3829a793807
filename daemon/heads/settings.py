"""What a person may set about the closed-form head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from daemon.errors import ConfigurationError

ReadOut = Literal["mixture", "linear"]


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """Settings of the closed-form head (method section 4).

    Raises:
        ConfigurationError: a value is out of range; the message names it.
    """

    read_out: ReadOut = "mixture"
    ridge: float = 0.01  # share of the mean within-group variance added to every feature's variance
    tau: float = 0.25  # sharpness of the mixture: factor on the Gaussian log-affinities
    source_tau: float | None = None  # the same for the real sources; None: as sharp as the families
    profile_shift: float = 0.0  # share of a subject's shift between profiles that counts as variation inside it
    max_units: int = 64  # most activations (units); never more than groups - 1
    min_group: int = 5  # groups with fewer rows are not modelled
    min_form: int = 10  # what of a family comes in one file format is a group of its own from so many rows on
    noise_correction: bool = False  # take the sampling noise out of the squared norms of group means
    # Families that must not outweigh the older ones: (name, natural log of the factor on their mixture weight).
    log_priors: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.read_out not in ("mixture", "linear"):
            raise ConfigurationError(f"read_out: {self.read_out!r} is neither 'mixture' nor 'linear'")
        if not 0.0 < self.ridge < float("inf"):
            raise ConfigurationError(f"ridge: {self.ridge} is not a positive number")
        if not 0.0 < self.tau < float("inf"):
            raise ConfigurationError(f"tau: {self.tau} is not a positive number")
        if self.source_tau is not None and not 0.0 < self.source_tau < float("inf"):
            raise ConfigurationError(f"source_tau: {self.source_tau} is not a positive number")
        if not 0.0 <= self.profile_shift < float("inf"):
            raise ConfigurationError(f"profile_shift: {self.profile_shift} is negative")
        if self.max_units < 1:
            raise ConfigurationError(f"max_units: {self.max_units} is under 1")
        if self.min_group < 2:
            raise ConfigurationError(f"min_group: {self.min_group} is under 2")
        if self.min_form < 2:
            raise ConfigurationError(f"min_form: {self.min_form} is under 2")
        if any(not -50.0 <= prior <= 50.0 for _, prior in self.log_priors):
            raise ConfigurationError("log_priors: a family's prior is not a number between -50 and 50")
