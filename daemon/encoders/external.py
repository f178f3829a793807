"""The encoder that is elsewhere: vectors are delivered ready-made, pictures are not encoded."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from daemon.errors import ConfigurationError
from daemon.settings import ExternalEncoderSettings


class ExternalEncoder:
    """Knows the fingerprint and the length that delivered vectors must have; encodes nothing."""

    name = "external"

    def __init__(self, settings: ExternalEncoderSettings) -> None:
        if settings.fingerprint is None or settings.dimension is None:
            missing = "fingerprint" if settings.fingerprint is None else "dimension"
            raise ConfigurationError(
                f"encoder.external.{missing}: the external encoder needs it; it is what delivered vectors must carry"
            )
        self.fingerprint: str = settings.fingerprint
        self.dimension: int = settings.dimension

    def encode(self, picture: NDArray[np.uint8]) -> NoReturn:
        """Raises ConfigurationError, always."""
        raise ConfigurationError(
            "encoder.name is external: vectors are delivered ready-made and a picture cannot be encoded; "
            "choose encoder.name: forensic or open_clip to score pictures"
        )
