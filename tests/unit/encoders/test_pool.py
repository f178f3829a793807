"""Encoders of one process: which is in force, and that none ends while somebody uses it."""

from __future__ import annotations

import pytest

from daemon.encoders.pool import Encoders
from daemon.errors import ConfigurationError, TemporaryError
from daemon.settings import EncoderSettings
from tests.integration.world import Encoder

OLD, NEW = EncoderSettings(name="forensic"), EncoderSettings(name="open_clip")


class Starts:
    """Starts what the test says, and remembers everything."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.started: list[Encoder] = []

    def __call__(self, settings: EncoderSettings) -> Encoder:
        self.started.append(Encoder(name=settings.name, fingerprint=self.fingerprint))
        return self.started[-1]


def test_another_one_is_started_once_put_in_force_and_the_old_one_ended() -> None:
    first, starts = Encoder(fingerprint="a"), Starts("b")
    encoders = Encoders(first, OLD, starts)
    second = encoders.have("b", NEW)
    assert encoders.have("b", NEW) is second
    assert len(starts.started) == 1
    assert encoders.current is first
    encoders.use("b")
    assert encoders.current is second
    encoders.retire({"b"})
    assert first.closed and not starts.started[0].closed
    assert encoders.settings_of("a") == OLD  # what it was started with stays known
    with encoders.lent("a") as gone:
        assert gone is None


def test_one_that_is_lent_or_kept_does_not_end() -> None:
    first, starts = Encoder(fingerprint="a"), Starts("b")
    encoders = Encoders(first, OLD, starts)
    encoders.have("b", NEW)
    encoders.use("b")
    with encoders.lent("a") as held:
        assert held is first
        encoders.retire(())
        assert not first.closed
    encoders.retire({"a"})
    assert not first.closed
    encoders.retire(())
    assert first.closed


def test_an_encoder_that_is_another_one_by_now_is_refused() -> None:
    encoders = Encoders(Encoder(fingerprint="a"), OLD, Starts("c"))
    with pytest.raises(ConfigurationError, match=r"open_clip is now c, not b.*sidwatch reembed"):
        encoders.have("b", NEW)


def test_the_same_encoder_started_twice_leaves_the_first() -> None:
    first, starts = Encoder(fingerprint="a"), Starts("a")
    encoders = Encoders(first, OLD, starts)
    assert encoders.start(NEW) is first
    assert starts.started[0].closed and not first.closed


def test_a_process_that_starts_none_says_so() -> None:
    with pytest.raises(TemporaryError, match="not started in this command"):
        Encoders(Encoder(fingerprint="a")).start(NEW)


def test_all_end_with_the_process() -> None:
    first, starts = Encoder(fingerprint="a"), Starts("b")
    encoders = Encoders(first, OLD, starts)
    encoders.have("b", NEW)
    encoders.close()
    assert first.closed and starts.started[0].closed
