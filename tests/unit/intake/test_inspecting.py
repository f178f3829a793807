"""A picture that brings the decoder down is named, and the next one is inspected as if nothing had been."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

from daemon.errors import ImageRejected
from daemon.intake.inspecting import InspectorClient
from daemon.settings import IntakeSettings

# A hash library that breaks on certain shades of grey (here that of a picture is its width), in place of the real one.
_TREACHEROUS = """
import ctypes, time
def phash(picture):
    shade = picture.getpixel((0, 0))
    if shade == 101:
        ctypes.string_at(0)
    if shade == 102:
        time.sleep(600)
    if shade == 103:
        kept = []
        while True:
            kept.append(bytearray(b"x") * (16 * 2**20))
            time.sleep(0.01)
    if shade == 104:
        return "not a hash of the right length"
    return "0123456789abcdef"
"""


def picture(width: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, 100), (width, width, width)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def treacherous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InspectorClient]:
    (tmp_path / "imagehash.py").write_text(_TREACHEROUS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    client = InspectorClient(IntakeSettings.model_validate({"deadline": "2s", "memory_limit": "400MiB"}))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("width", "detail"),
    [
        (101, r"died with signal 11 \(SIGSEGV\)"),
        (102, "ran over its deadline of 2 s"),
        (103, "over its memory limit of 400MiB"),
        (104, "format or hash are not what they should be"),
    ],
)
def test_a_picture_that_breaks_the_decoder_is_named_and_the_next_is_inspected(
    treacherous: InspectorClient, width: int, detail: str
) -> None:
    assert treacherous.inspect(picture(100)).phash == "0123456789abcdef"
    with pytest.raises(ImageRejected, match=detail) as caught:
        treacherous.inspect(picture(width))
    assert caught.value.reason == "decoder_crashed"
    assert treacherous.inspect(picture(100)).width == 100


def test_a_picture_is_not_blamed_when_somebody_else_killed_the_child() -> None:
    client = InspectorClient(IntakeSettings())
    first = client.inspect(picture(100))
    child = client._decoders[0].child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    assert client.inspect(picture(100)) == first
    client.close()


def test_rejections_keep_their_reason_and_the_child() -> None:
    client = InspectorClient(IntakeSettings())
    client.inspect(picture(100))
    child = client._decoders[0].child
    for content, reason in [(b"", "empty"), (b"GIF89a", "format_not_allowed"), (picture(100)[:150], "corrupt")]:
        with pytest.raises(ImageRejected) as caught:
            client.inspect(content)
        assert caught.value.reason == reason
    client.inspect(picture(100))
    assert client._decoders[0].child is child
    assert client._decoders[1].child is None  # one at a time needs one child
    client.close()


def test_the_hash_is_that_of_imagehash() -> None:
    import imagehash

    client = InspectorClient(IntakeSettings())
    with Image.open(io.BytesIO(picture(100))) as image:
        assert client.inspect(picture(100)).phash == str(imagehash.phash(image))
    client.close()


def test_pictures_that_come_at_the_same_time_are_inspected_side_by_side(treacherous: InspectorClient) -> None:
    def outcome(width: int) -> str:
        try:
            return str(treacherous.inspect(picture(width)).width)
        except ImageRejected as rejected:
            return rejected.reason

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(outcome, [100] * 4))  # one child starts while the other one's turn has come
        assert all(decoder.child is not None for decoder in treacherous._decoders)
        widths = [102, 100, 101, 110, 100, 101, 120, 130]
        outcomes = list(threads.map(outcome, widths))
    assert outcomes == ["decoder_crashed" if width in (101, 102) else str(width) for width in widths]


def test_closing_ends_every_child_and_the_next_picture_starts_one_again() -> None:
    client = InspectorClient(IntakeSettings(decoders=3))
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(client.inspect, [picture(100)] * 30))
    pids = [decoder.child.pid for decoder in client._decoders if decoder.child is not None]
    client.close()
    assert pids and not any(psutil.pid_exists(pid) for pid in pids)
    assert client.inspect(picture(90)).width == 90
    client.close()
