"""The encoders of this process: the one in force, and others beside it while the service moves between two."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from daemon.errors import ConfigurationError, TemporaryError
from daemon.ports import EncoderService
from daemon.settings import EncoderSettings


def starts_nothing(settings: EncoderSettings) -> EncoderService:
    """For processes that start no encoder."""
    raise TemporaryError(f"encoder {settings.name} is not started in this command")


class Encoders:
    """Started encoders by fingerprint; which of them is in force changes while the service runs.

    first: the one in force at the beginning, as `settings` describes it (None: nobody started it here).
    start: starts another one; it may raise WeightsMissing, ConfigurationError, ChildFailed.
    Safe to use from any thread. Who encodes several pictures takes `current` once and keeps it: two looks may find
    two encoders.
    """

    def __init__(
        self,
        first: EncoderService,
        settings: EncoderSettings | None = None,
        start: Callable[[EncoderSettings], EncoderService] = starts_nothing,
    ) -> None:
        self._start = start
        self._current = first
        self._there: dict[str, EncoderService] = {first.fingerprint: first}
        self._settings: dict[str, EncoderSettings] = {first.fingerprint: settings} if settings else {}
        self._lent: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._starting = threading.RLock()

    @property
    def current(self) -> EncoderService:
        """The encoder in force."""
        return self._current

    def settings_of(self, fingerprint: str) -> EncoderSettings | None:
        """With what settings this process started the encoder; None: it did not."""
        return self._settings.get(fingerprint)

    def have(self, fingerprint: str, settings: EncoderSettings) -> EncoderService:
        """The encoder of that fingerprint, started from the settings when it is not there.

        Raises ConfigurationError when the settings give an encoder of another fingerprint.
        """
        with self._starting:
            there = self._there.get(fingerprint) or self.start(settings)
        if there.fingerprint != fingerprint:
            raise ConfigurationError(
                f"encoder: {settings.name} is now {there.fingerprint[:12]}, not {fingerprint[:12]}: its weights, "
                "libraries or the program changed; `sidwatch reembed` moves the service to what it is now"
            )
        return there

    def start(self, settings: EncoderSettings) -> EncoderService:
        """Start an encoder, whatever its fingerprint; when that is there already, the one that is there stays.

        Raises WeightsMissing, ConfigurationError, ChildFailed.
        """
        with self._starting:
            encoder = self._start(settings)
            with self._lock:
                there = self._there.setdefault(encoder.fingerprint, encoder)
                self._settings.setdefault(encoder.fingerprint, settings)
        if there is not encoder:
            close(encoder)
        return there

    def use(self, fingerprint: str) -> None:
        """Put an encoder that is there in force."""
        with self._lock:
            self._current = self._there[fingerprint]

    @contextmanager
    def lent(self, *fingerprints: str) -> Iterator[EncoderService | None]:
        """The first of these that is there; it is not ended while the block runs. None when none is there."""
        with self._lock:  # in one look: one that comes is there before the one that goes is ended
            encoder = next((self._there[wanted] for wanted in fingerprints if wanted in self._there), None)
            if encoder is not None:
                self._lent[encoder.fingerprint] += 1
        try:
            yield encoder
        finally:
            if encoder is not None:
                with self._lock:
                    self._lent[encoder.fingerprint] -= 1

    def retire(self, keep: Collection[str]) -> None:
        """End the encoders that are neither in force, kept nor lent; one that is lent ends at the next call."""
        with self._lock:
            idle = [
                fingerprint
                for fingerprint, encoder in self._there.items()
                if fingerprint not in keep and encoder is not self._current and not self._lent[fingerprint]
            ]
            ended = [self._there.pop(fingerprint) for fingerprint in idle]
        for encoder in ended:
            close(encoder)

    def close(self) -> None:
        """End all."""
        for encoder in self._there.values():
            close(encoder)


def close(encoder: EncoderService) -> None:
    """End an encoder that has a process."""
    end = getattr(encoder, "close", None)
    if end is not None:
        end()
