"""Encoders: picture -> feature vector, in one long-lived child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from daemon.ports import Encoder
    from daemon.settings import EncoderSettings


def build(name: str, settings: EncoderSettings) -> Encoder:
    """Make an encoder by its name; only the one asked for is imported.

    name: `forensic`, `open_clip` or `external`. Raises WeightsMissing or ConfigurationError.
    """
    if name == "forensic":
        from daemon.encoders.forensic import ForensicEncoder

        return ForensicEncoder()
    if name == "open_clip":
        from daemon.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(settings.open_clip)
    if name == "external":
        from daemon.encoders.external import ExternalEncoder

        return ExternalEncoder(settings.external)
    raise ConfigurationError(f"encoder.name: there is no encoder {name!r}; there are forensic, open_clip, external")
