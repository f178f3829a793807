"""The encoder's child: one decode for both profiles, urgent before backlog, a crash costs one picture."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.encoders.client import EncoderClient
from daemon.encoders.gathering import Turn
from daemon.encoders.golden import golden_picture
from daemon.errors import ChildFailed, ConfigurationError, ImageRejected, TemporaryError, WeightsMissing
from daemon.model import EncodingFailure
from daemon.settings import EncoderSettings, IntakeSettings

# Takes the place of the forensic encoder in the child: quick, and treacherous on pictures of certain widths.
_STAND_IN = """
import ctypes, os, sys, time, types
import numpy as np

class ForensicEncoder:
    name, dimension, fingerprint = "forensic", 3, "stand-in" + os.environ.get("LANG", "")

    def encode(self, picture):
        width = picture.shape[1]
        if width == 101:
            ctypes.string_at(0)
        if width == 102:
            time.sleep(600)
        if width == 103:
            raise ValueError("flat")
        if width == 104:
            return np.array([np.nan, 0, 0], np.float32)
        if width == 105:
            return np.array([1e6, 0, 0], np.float32)
        if width == 106:
            time.sleep(0.1)
        drift = 0.01 if os.environ.get("TZ") == "drifted" else 0
        return np.array([picture[0, 0, 0], width, picture.mean() * (1 + drift)], np.float32)

forensic, launder = types.ModuleType("forensic"), types.ModuleType("launder")
forensic.ForensicEncoder = ForensicEncoder
launder.launder = lambda picture: picture // 2
sys.modules |= {"daemon.encoders.forensic": forensic, "daemon.encoders.launder": launder}
"""
SETTINGS = EncoderSettings.model_validate({"name": "forensic", "deadline": "2s", "memory_limit": "1GiB"})


def picture(width: int = 100, red: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, 100), (red, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EncoderClient]:
    (tmp_path / "sitecustomize.py").write_text(_STAND_IN)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("LANG", "C")
    client = EncoderClient(SETTINGS, IntakeSettings())
    yield client
    client.close()


def test_vectors_come_back_in_order_under_both_profiles(client: EncoderClient) -> None:
    assert (client.name, client.dimension, client.fingerprint) == ("forensic", 3, "stand-inC")
    encoded = client.encode_many([picture(red=value) for value in range(40)])
    for value, outcome in enumerate(encoded):
        assert isinstance(outcome, dict)
        assert outcome["raw"].dtype == np.float32
        assert outcome["raw"][:2].tolist() == [value, 100]
        assert outcome["laundered"][:2].tolist() == [value // 2, 100]
    assert client.encode_many([]) == []


def test_the_child_says_what_it_makes_of_the_golden_picture(client: EncoderClient) -> None:
    golden = golden_picture()
    assert client.parts == {"forensic": slice(0, 3)}
    for profile, form in {"raw": golden, "laundered": golden // 2}.items():
        expected = np.array([form[0, 0, 0], 448, form.mean()], np.float32)
        assert np.array_equal(client.golden[profile], expected)  # type: ignore[index]


def test_one_profile_is_encoded_when_one_is_asked_for(client: EncoderClient) -> None:
    (outcome,) = client.encode_many([picture(red=9)], ["laundered"])
    assert isinstance(outcome, dict)
    assert list(outcome) == ["laundered"]
    assert outcome["laundered"][0] == 4
    assert client.encode_now(picture(red=9))[0] == 9


def test_each_failure_has_its_reason_and_the_other_pictures_their_vectors(client: EncoderClient) -> None:
    client.encode_many([picture()] * 8)  # the chunks have grown to their full size
    good = picture(red=5)
    items = [good, picture(101), good, picture(102), picture(103), picture(104), picture(105), b"GIF89a", b"", good]
    encoded = client.encode_many(items)
    reasons = [one.reason if isinstance(one, EncodingFailure) else None for one in encoded]
    assert reasons == [
        None, "decoder_crashed", None, "decoder_crashed", "encoding_failed", "encoding_failed", "encoding_failed",
        "format_not_allowed", "empty", None,
    ]  # fmt: skip
    details = [one.detail if isinstance(one, EncodingFailure) else "" for one in encoded]
    assert "died with signal 11 (SIGSEGV)" in details[1]
    assert "ran over its deadline of 2 s" in details[3]
    assert details[4] == "ValueError: flat"
    last = encoded[-1]
    assert isinstance(last, dict)
    assert last["raw"][0] == 5


def test_an_urgent_picture_is_refused_with_a_reason(client: EncoderClient) -> None:
    for content, reason in [(b"", "empty"), (b"GIF89a", "format_not_allowed"), (picture(101), "decoder_crashed")]:
        with pytest.raises(ImageRejected) as caught:
            client.encode_now(content)
        assert caught.value.reason == reason
    assert client.encode_now(picture(red=3))[0] == 3


def test_an_urgent_picture_goes_before_the_backlog(client: EncoderClient) -> None:
    backlog = threading.Thread(target=lambda: client.encode_many([picture(106, red) for red in range(24)]))
    backlog.start()
    time.sleep(0.4)
    assert client.encode_now(picture(red=8))[0] == 8
    assert backlog.is_alive()
    backlog.join()


def test_whoever_is_urgent_has_the_next_turn_however_many_wait() -> None:
    turn, order = Turn(), list[str]()

    def wait(kind: str) -> None:
        with turn.first() if kind == "urgent" else turn.later():
            order.append(kind)

    threads = [threading.Thread(target=wait, args=(kind,)) for kind in ("later", "later", "later", "urgent", "urgent")]
    with turn.later():
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == ["urgent", "urgent", "later", "later", "later"]


def test_threads_get_their_own_answers(client: EncoderClient) -> None:
    answers: dict[int, list[float]] = {}

    def ask(value: int) -> None:
        answers[value] = [float(client.encode_now(picture(red=value))[0]) for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(value,)) for value in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {value: [float(value)] * 5 for value in range(6)}


def test_nobody_is_blamed_when_the_child_was_killed_from_outside(client: EncoderClient) -> None:
    child = client._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    assert client.encode_now(picture(red=7))[0] == 7


def test_another_encoder_after_a_restart_is_refused(client: EncoderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    child = client._child
    assert child is not None
    monkeypatch.setenv("LANG", "other")
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ConfigurationError, match="changed while the service ran"):
        client.encode_now(picture())


def test_other_values_under_the_same_fingerprint_after_a_restart_are_refused(
    client: EncoderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = client._child
    assert child is not None
    monkeypatch.setenv("TZ", "drifted")
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ConfigurationError, match="weights or libraries changed while the service ran"):
        client.encode_now(picture())


def test_pictures_that_are_prepared_ahead_cost_only_themselves(client: EncoderClient) -> None:
    client.encode_many([picture(red=value) for value in range(8)])  # the chunks have grown to their full size
    widths = [100] * 16
    widths[9] = 101  # kills the child while the first eight are encoded
    widths[12] = 103
    encoded = client.encode_many([picture(width, red=value) for value, width in enumerate(widths)])
    for value, outcome in enumerate(encoded):
        if value in (9, 12):
            assert isinstance(outcome, EncodingFailure)
            assert outcome.reason == ("decoder_crashed" if value == 9 else "encoding_failed")
        else:
            assert isinstance(outcome, dict)
            assert outcome["raw"][0] == value


def test_a_closed_client_says_so(client: EncoderClient) -> None:
    client.close()
    with pytest.raises(ChildFailed, match="closed"):
        client.encode_now(picture())


def test_missing_weights_come_through_as_what_they_are(tmp_path: Path) -> None:
    clip = {"weights_path": str(tmp_path / "none.safetensors")}
    settings = EncoderSettings.model_validate({"name": "open_clip", "open_clip": clip})
    began = time.monotonic()
    with pytest.raises(WeightsMissing, match=r"none\.safetensors is not there; three ways out") as caught:
        EncoderClient(settings, IntakeSettings())
    assert time.monotonic() - began < 10
    assert caught.value.exit_status == 78
    assert "\n" not in str(caught.value)


def test_the_external_encoder_has_a_fingerprint_and_takes_no_pictures() -> None:
    external = {"name": "external", "external": {"fingerprint": "abc", "dimension": 12}}
    client = EncoderClient(EncoderSettings.model_validate(external), IntakeSettings())
    assert (client.name, client.dimension, client.fingerprint) == ("external", 12, "abc")
    with pytest.raises(ConfigurationError, match=r"encoder\.name is external"):
        client.encode_now(picture())
    client.close()
    with pytest.raises(ConfigurationError, match=r"encoder\.external\.dimension"):
        EncoderClient(
            EncoderSettings.model_validate({"name": "external", "external": {"fingerprint": "a"}}), IntakeSettings()
        )


def asked_at_once(client: EncoderClient, contents: list[bytes]) -> list[Any]:
    """What each of so many threads gets that ask at the same time: a vector's first number or a reason."""
    answers: list[Any] = [None] * len(contents)
    start = threading.Barrier(len(contents))

    def ask(place: int) -> None:
        start.wait()
        try:
            answers[place] = float(client.encode_now(contents[place])[0])
        except ImageRejected as error:
            answers[place] = error.reason

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def count_requests(client: EncoderClient, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures were in each request to the child, from now on."""
    asked: list[int] = []
    ask = client._ask

    def counted(chunk: Any, *more: Any) -> Any:
        asked.append(len(chunk))
        return ask(chunk, *more)

    monkeypatch.setattr(client, "_ask", counted)
    return asked


def test_who_asks_at_the_same_time_is_answered_by_fewer_requests_to_the_child(
    client: EncoderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = count_requests(client, monkeypatch)
    assert asked_at_once(client, [picture(106, red) for red in range(20)]) == [float(red) for red in range(20)]
    assert sum(requests) == 20
    assert len(requests) < 20
    assert max(requests) <= 8


def test_a_bad_picture_harms_none_that_is_encoded_with_it(
    client: EncoderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = count_requests(client, monkeypatch)
    monkeypatch.setattr(client._gathering, "_moment", 10.0)  # so that all eight are in one request
    widths = [100, 101, 100, 103, 104, 100, 100, 100]  # one of them kills the child
    contents = [picture(width, red) for red, width in enumerate(widths)]
    contents[6] = b"GIF89a"
    reasons = {1: "decoder_crashed", 3: "encoding_failed", 4: "encoding_failed", 6: "format_not_allowed"}
    assert asked_at_once(client, contents) == [reasons.get(place, float(place)) for place in range(8)]
    assert requests[0] == 8


def test_who_has_gone_costs_the_encoder_nothing(client: EncoderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = count_requests(client, monkeypatch)
    with pytest.raises(TemporaryError, match="gone"):
        client.encode_now(picture(101), wanted=lambda: False)
    assert requests == []
    assert client.encode_now(picture(red=4))[0] == 4
