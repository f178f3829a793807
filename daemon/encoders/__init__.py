"""Encoders: picture -> feature vector, in one long-lived child process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from daemon.ports import Encoder
    from daemon.settings import EncoderSettings


def build(name: str, settings: EncoderSettings, *, announce: Callable[[str], None] | None = None) -> Encoder:
    """Make an encoder by its name; only what is asked for is imported.

    name: `forensic`, `open_clip`, `fused` or `external`. announce: told before a download or another long start.
    Raises WeightsMissing or ConfigurationError.
    """
    if name == "forensic":
        from daemon.encoders.forensic import ForensicEncoder

        return ForensicEncoder()
    if name == "open_clip":
        from daemon.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(settings.open_clip, threads=settings.threads, announce=announce)
    if name == "fused":
        from daemon.encoders.fused import FusedEncoder

        return FusedEncoder([(part, build(part, settings, announce=announce)) for part in settings.fused.encoders])
    if name == "external":
        from daemon.encoders.external import ExternalEncoder

        return ExternalEncoder(settings.external)
    raise ConfigurationError(
        f"encoder.name: there is no encoder {name!r}; there are forensic, open_clip, fused, external"
    )
