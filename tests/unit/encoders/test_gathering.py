"""Requests that come together are answered together, each by its own answer; an error is everybody's own."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.encoders.gathering import Gathering, Turn
from daemon.errors import ChildFailed, TemporaryError
from daemon.model import Profile


def run(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


@settings(max_examples=30, deadline=None)
@given(
    asked=st.lists(
        st.tuples(st.binary(max_size=6), st.sampled_from(["raw", "laundered"]), st.booleans()), min_size=1, max_size=12
    ),
    most=st.integers(1, 5),
    most_bytes=st.integers(1, 12),
)
def test_everybody_gets_their_own_answer_and_no_call_is_larger_than_it_may(
    asked: list[tuple[bytes, Profile, bool]], most: int, most_bytes: int
) -> None:
    calls: list[tuple[list[bytes], Profile]] = []

    def answer(contents: Sequence[bytes], profile: Profile) -> list[tuple[bytes, Profile]]:
        calls.append((list(contents), profile))
        return [(content, profile) for content in contents]

    gathering = Gathering(Turn(), answer, most=most, most_bytes=most_bytes, moment=0.001)
    got: list[object] = [None] * len(asked)

    def ask(place: int) -> None:
        content, profile, wanted = asked[place]
        try:
            got[place] = gathering.ask(content, profile, lambda: wanted)
        except TemporaryError:
            got[place] = "gone"

    run([threading.Thread(target=ask, args=(place,)) for place in range(len(asked))])
    assert got == [(content, profile) if wanted else "gone" for content, profile, wanted in asked]
    assert sum(len(contents) for contents, _ in calls) == sum(wanted for _, _, wanted in asked)
    for contents, _ in calls:
        assert len(contents) <= most
        assert len(contents) == 1 or sum(map(len, contents)) <= most_bytes


def test_who_came_while_the_encoder_was_at_work_is_answered_by_the_next_call() -> None:
    calls: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def answer(contents: Sequence[bytes], profile: Profile) -> Sequence[bytes]:
        calls.append(len(contents))
        begun.set()
        assert go_on.wait(20)
        return contents

    gathering = Gathering(Turn(), answer, most=8, most_bytes=100, moment=0.0)
    first = threading.Thread(target=gathering.ask, args=(b"1", "raw"))
    first.start()
    assert begun.wait(20)
    others = [threading.Thread(target=gathering.ask, args=(b"2", "raw")) for _ in range(5)]
    for thread in others:
        thread.start()
    while len(gathering._waiting) < 5:
        pass
    go_on.set()
    for thread in [first, *others]:
        thread.join(20)
    assert calls == [1, 5]


def test_what_the_call_raises_reaches_everybody_in_it_and_the_next_one_is_answered() -> None:
    healthy = [False]

    def answer(contents: Sequence[bytes], profile: Profile) -> Sequence[bytes]:
        if not healthy[0]:
            raise ChildFailed("it did not start")
        return contents

    gathering = Gathering(Turn(), answer, most=4, most_bytes=100, moment=5.0)
    failed: list[str] = []

    def ask() -> None:
        with pytest.raises(ChildFailed) as caught:
            gathering.ask(b"x", "raw")
        failed.append(str(caught.value))

    run([threading.Thread(target=ask) for _ in range(4)])
    assert failed == ["it did not start"] * 4
    healthy[0] = True
    gathering._moment = 0.0
    assert gathering.ask(b"y", "raw") == b"y"


def test_an_answer_too_few_is_an_error_of_all_and_nobody_waits_for_ever() -> None:
    gathering = Gathering(Turn(), lambda contents, profile: list(contents)[1:], most=2, most_bytes=100, moment=5.0)
    failed: list[str] = []

    def ask() -> None:
        try:
            gathering.ask(b"x", "raw")
        except ValueError as error:
            failed.append(str(error))

    run([threading.Thread(target=ask) for _ in range(2)])
    assert len(failed) == 2
