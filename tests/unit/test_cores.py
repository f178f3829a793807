"""Side by side: the same results as one after the other, whatever the cores."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from daemon import cores as module
from daemon.cores import meanwhile, side_by_side


@pytest.fixture(params=[1, 2, 4])
def cores(request, monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: request.param)
    module._threads.cache_clear()
    yield request.param
    module._threads.cache_clear()


def test_results_come_in_the_order_of_the_items(cores):
    first = threading.Event()

    def work(item):
        if item == 0 and cores > 1:
            assert first.wait(30)  # the first ends last
        first.set()
        return item * item

    assert side_by_side(work, range(20)) == [item * item for item in range(20)]


def test_work_that_asks_for_work_side_by_side_gets_it_done(cores):
    def work(item):
        return sum(side_by_side(lambda k: k + item, range(10)))

    assert side_by_side(work, range(10)) == [45 + 10 * item for item in range(10)]


def test_what_one_raises_the_caller_gets(cores):
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda item: 1 / item, [1, 0, 2])
    assert side_by_side(lambda item: item, [1, 2]) == [1, 2]


def test_meanwhile_is_over_when_the_block_is():
    done, going = [], threading.Event()
    with meanwhile(lambda: going.wait(30) and done.append(1)):
        assert done == []
        going.set()
    assert done == [1]
    with pytest.raises(ZeroDivisionError), meanwhile(lambda: 1 / 0):
        pass
    with pytest.raises(KeyError), meanwhile(lambda: 1 / 0):
        raise KeyError  # what the block raises comes first


def _forked(queue):
    queue.put(side_by_side(lambda item: item + 1, range(4)))


def test_a_forked_process_has_threads_of_its_own(cores):
    side_by_side(lambda item: item, range(4))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_forked, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == [1, 2, 3, 4]
    child.join(60)
    assert child.exitcode == 0
