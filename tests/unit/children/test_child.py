"""Frames, and what happens to children when their parent stops or dies."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from daemon.children import Child
from daemon.children.environment import minimal
from daemon.children.frames import BadFrame, Frame, Limits, pack, read, vectors_of
from daemon.errors import ChildFailed, ConfigurationError, ImageRejected

LIMITS = {"limits": {"max_bytes": 1000, "max_pixels": 1000, "min_side": 16}, "filters": []}


def taker(data: bytes) -> Callable[[int], bytes | None]:
    stream = BytesIO(data)

    def take(size: int) -> bytes | None:
        found = stream.read(size)
        if not found:
            return None
        if len(found) < size:
            raise BadFrame("ends in the middle")
        return found

    return take


def inspector() -> Child:
    child = Child("inspect", LIMITS, deadline=20.0, memory_limit=2**30)
    assert child.receive().header == {"ready": True}
    return child


def test_a_frame_comes_back_as_it_was_packed() -> None:
    data = b"".join(pack({"a": [1, "é", None]}, [b"", b"xyz"]))
    take = taker(data + data)
    assert read(take, Limits()) == Frame({"a": [1, "é", None]}, (b"", b"xyz"))
    assert read(take, Limits()) == Frame({"a": [1, "é", None]}, (b"", b"xyz"))
    assert read(take, Limits()) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x04\x95" + b"x" * 20, "starts with"),
        (struct.pack("<4sII", b"swf1", 2**31, 0), "announces a header of 2147483648 bytes"),
        (struct.pack("<4sII", b"swf1", 2, 2**31), "2147483648 parts"),
        (struct.pack("<4sIIQ", b"swf1", 2, 1, 2**60), "announces 1152921504606846976 bytes"),
        (struct.pack("<4sII", b"swf1", 2, 0) + b"[]", "not an object"),
        (struct.pack("<4sII", b"swf1", 2, 0) + b"{x", "not JSON"),
        (struct.pack("<4sII", b"swf1", 200_000, 0) + b'{"a":' + b"[" * 199_995, "not JSON"),
        (struct.pack("<4sII", b"swf1", 9, 0) + b"{}", "ends in the middle"),
        (b"swf", "ends in the middle"),
    ],
)
def test_what_is_no_frame_is_refused_before_memory_is_set_aside_for_it(data: bytes, message: str) -> None:
    with pytest.raises(BadFrame, match=message):
        read(taker(data), Limits())


def test_a_header_cannot_name_a_part_that_is_not_there() -> None:
    frame = Frame({}, (b"one",))
    assert frame.part(0) == b"one"
    for index in (1, -1, True, "0", None):
        with pytest.raises(BadFrame):
            frame.part(index)
    with pytest.raises(BadFrame, match="no float32 vectors of length 3"):
        vectors_of(b"x" * 16, 3)


def test_a_child_answers_requests_one_after_the_other_and_ends_when_closed() -> None:
    child = inspector()
    for _ in range(3):
        with pytest.raises(ImageRejected, match="format_not_allowed"):
            child.request({}, [b"GIF89a"])
    assert child.alive
    child.close()
    assert not child.alive
    assert not psutil.pid_exists(child.pid)
    with pytest.raises(ChildFailed, match="was closed"):
        child.request({}, [b"x"])


def test_an_unknown_role_comes_back_as_the_error_that_the_child_raised() -> None:
    child = Child("nothing", {}, deadline=20.0, memory_limit=0)
    with pytest.raises(ConfigurationError, match="there is no child role 'nothing'"):
        child.receive()
    child.close()


def test_a_child_killed_from_outside_is_named_with_its_signal() -> None:
    child = inspector()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ChildFailed, match=r"the inspect child died with signal 9 \(SIGKILL\)"):
        child.request({}, [b"x"])
    assert child.cause == "died"


def test_a_child_is_in_the_parents_process_group_and_leaves_its_signals_to_it() -> None:
    child = inspector()
    assert os.getpgid(child.pid) == os.getpgid(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(child.pid, number)
    with pytest.raises(ImageRejected):
        child.request({}, [b"GIF89a"])
    child.close()


def test_a_child_outlives_the_thread_that_asked_for_it() -> None:
    made: list[Child] = []
    thread = threading.Thread(target=lambda: made.append(inspector()))
    thread.start()
    thread.join()
    time.sleep(0.3)
    with pytest.raises(ImageRejected):
        made[0].request({}, [b"GIF89a"])
    made[0].close()


@pytest.mark.parametrize("busy", [False, True])
def test_a_child_is_gone_when_its_parent_was_killed(
    busy: bool, tmp_path: Path, child_path: Callable[[str, str], Path]
) -> None:
    child_path("imagehash.py", "import time\ndef phash(picture):\n    time.sleep(600)\n")
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import io, sys, threading, time
            from PIL import Image
            from daemon.children import Child
            limits = {"limits": {"max_bytes": 10**6, "max_pixels": 10**6, "min_side": 16}, "filters": []}
            child = Child("inspect", limits, deadline=600.0, memory_limit=2**30)
            child.receive()
            if sys.argv[1] == "True":
                picture = io.BytesIO()
                Image.new("RGB", (64, 64)).save(picture, "PNG")
                threading.Thread(target=lambda: child.request({}, [picture.getvalue()])).start()
                time.sleep(0.5)
            print(child.pid, flush=True)
            time.sleep(600)
            """
        )
    )
    parent = subprocess.Popen([sys.executable, str(script), str(busy)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 3.0
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the child outlived its parent"
        time.sleep(0.02)


def test_the_lines_of_a_childs_stderr_are_passed_on(child_path: Callable[[str, str], Path]) -> None:
    child_path("imagehash.py", "import sys\nprint('first\\nsecond', file=sys.stderr)\nprint('third')\n")
    lines: list[str] = []
    child = Child("inspect", LIMITS, deadline=20.0, memory_limit=0, on_stderr=lines.append)
    child.receive()
    child.close()
    assert lines == ["first", "second", "third"]


def test_a_childs_environment_holds_no_secret_of_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDWATCH_STORE__DATABASE_URL", "postgresql://user:secret@host")
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    given = minimal({"OWN": "mine"})
    assert "secret" not in "".join(given.values())
    assert (given["OWN"], given["HF_HUB_OFFLINE"], given["PATH"]) == ("mine", "1", os.environ["PATH"])
