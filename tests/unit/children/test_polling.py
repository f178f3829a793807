"""A poll costs its own run and nothing else, whatever the adapter does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from daemon.errors import BadInputError, ChildFailed, ConfigurationError
from daemon.intake.polling import poll_in_child
from daemon.model import Batch

NOW = datetime(2026, 1, 2, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("fake_adapter")


def poll(how: str, *, deadline: float = 20.0, memory_limit: int = 2**30, **more: Any) -> Iterator[Batch]:
    options = {"how": how, **more.pop("options", {})}
    arguments: dict[str, Any] = {"secrets": {}, **more}
    return poll_in_child(
        "mine", "fake", options, "c0", 50, NOW, deadline=deadline, memory_limit=memory_limit, **arguments
    )


def gone(pid: int, seconds: float = 3.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_batches_arrive_as_the_adapter_made_them() -> None:
    first, second = poll("good")
    assert (first.candidates[0].uri, first.candidates[0].content, first.cursor) == ("a", b"bytes", "1")
    assert (first.candidates[0].label, first.candidates[0].group, first.candidates[0].family) == ("real", "g", None)
    offered = second.candidates[0]
    assert offered.uri == "c0/50/2026-01-02T00:00:00+00:00"
    assert offered.vector is not None
    assert offered.vector.dtype == np.float16
    assert offered.vector.tolist() == [1.5, -2.0]
    assert (offered.vector_fingerprint, offered.outside_scores) == ("f", (("other", 0.25),))


def test_an_adapter_sees_its_own_secrets_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of another")
    monkeypatch.setenv("HF_TOKEN", "of another")
    *_, last = poll("secret", secrets={"TOKEN": "mine"})
    assert last.candidates[0].uri == "TOKEN=mine AWS_SECRET_ACCESS_KEY=None HF_TOKEN=None"


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("segfault", ChildFailed, "adapter mine: .* died with signal 11 .SIGSEGV"),
        ("raises", ChildFailed, "adapter mine: .* ended with status 1: KeyError: 'column'"),
        ("garbage", ChildFailed, "adapter mine: .* malformed frame"),
        ("huge_frame", ChildFailed, "adapter mine: .* malformed frame: announces a header of 4294967295 bytes"),
        ("bad_input", BadInputError, "^the folder is not readable$"),
        ("no_batch", BadInputError, "adapter mine: .* gave list where a Batch"),
        ("million", BadInputError, "adapter mine: delivered 51 candidates, more than its budget of 50"),
    ],
)
def test_what_came_before_a_failure_stays_and_the_failure_is_named(
    how: str, error: type[Exception], message: str
) -> None:
    polled = poll(how)
    assert next(polled).cursor == "1"
    with pytest.raises(error, match=message):
        list(polled)


def test_a_hanging_adapter_is_stopped_at_its_deadline_with_everything_below_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    began = time.monotonic()
    with pytest.raises(ChildFailed, match=r"adapter mine: the poll ran over its deadline of 8 s"):
        list(poll("hang_in_grandchild", deadline=8.0, options={"file": str(file)}))  # a busy machine starts slowly
    assert 7.5 < time.monotonic() - began < 12.0
    assert gone(int(file.read_text()))


def test_the_time_that_the_caller_takes_is_not_the_adapters() -> None:
    batches = []
    for batch in poll("good", deadline=6.0):
        time.sleep(3.1)
        batches.append(batch)
    assert len(batches) == 2


def test_an_adapter_that_takes_too_much_memory_is_stopped() -> None:
    with pytest.raises(ChildFailed, match=r"used \d+ MiB, over its memory limit of 300MiB"):
        list(poll("hog", memory_limit=300 * 2**20))


def test_a_process_that_an_adapter_left_behind_is_gone_when_the_poll_is_over(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert len(list(poll("leave_orphan", options={"file": str(file)}))) == 1
    assert gone(int(file.read_text()))


def test_what_an_adapter_prints_does_not_break_its_frames() -> None:
    assert [batch.cursor for batch in poll("prints")] == ["1", "2"]


def test_candidates_of_wrong_types_are_bad_records_and_the_others_are_not_harmed() -> None:
    *_, last = poll("wrong_types", max_bytes=1000)
    problems = {one.uri: (one.problem, one.problem_detail) for one in last.candidates}
    assert [one.problem for one in last.candidates] == ["bad_record"] * 8 + ["too_many_bytes"]
    assert problems["label"][1] == "label 'fake' is neither real nor synthetic"
    assert problems["content"][1] == "content is str, not bytes"
    assert problems["nan"][1] == "the vector is not finite"
    assert problems["big"] == ("too_many_bytes", "2000 bytes, more than 1000")


def test_a_poll_that_is_given_up_leaves_no_process() -> None:
    before = {child.pid for child in psutil.Process().children()}
    polled = poll("hang")
    next(polled)
    started = {child.pid for child in psutil.Process().children()} - before
    assert len(started) == 1
    polled.close()
    assert all(gone(pid) for pid in started)


def test_an_unknown_kind_and_an_unknown_option_name_their_keys() -> None:
    with pytest.raises(ConfigurationError, match=r"adapters\.mine\.kind: no adapter 'nothing' .* fake"):
        list(poll_in_child("mine", "nothing", {}, None, 1, NOW, deadline=20, memory_limit=2**30, secrets={}))
    with pytest.raises(ConfigurationError, match=r"adapters\.mine\.options\.colour: unknown key; there are file, how$"):
        list(poll("good", options={"colour": "red"}))


def test_polls_that_end_well_or_badly_leave_no_descriptor_and_no_thread_behind() -> None:
    list(poll("good"))
    descriptors, threads = psutil.Process().num_fds(), threading.active_count()
    for _ in range(2):  # whatever is lost, every poll loses
        list(poll("good"))
        with pytest.raises(ChildFailed):
            list(poll("segfault"))
    assert psutil.Process().num_fds() <= descriptors
    assert threading.active_count() <= threads
