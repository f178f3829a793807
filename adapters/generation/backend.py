"""What a back-end does for the adapter `generate`, and the five ways in which it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from adapters.generation.orders import Order

Parameters = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a back-end made."""

    content: bytes  # encoded; as the service delivered it wherever that can be had
    parameters: Parameters = field(default_factory=dict)  # what the picture was made with, beside the order's own


class Backend(Protocol):
    """One way of making pictures."""

    def make(self, order: Order) -> Picture:
        """Make one picture. Raises Busy, Lost, Refused, Unusable, Closed."""
        ...

    def close(self) -> None:
        """Let go of connections and models."""
        ...


class Busy(Exception):
    """Nothing was made and nothing has to be paid; another attempt may help."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait  # seconds that the service asked for


class Lost(Exception):
    """No picture came, yet it may have been made and may have to be paid."""


class Refused(Exception):
    """The service does not make this prompt; it may have to be paid all the same."""


class Unusable(Exception):
    """Nothing can be made with this model, whatever the prompt; nothing has to be paid."""


class Closed(Exception):
    """The service takes no orders from us, such as with a wrong token; nothing has to be paid."""
