"""A promise is kept, missed or not judged by the figures of the run, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.heads.promises import Promise, Row, growth, promises

SIZES = (10_000, 100_000, 1_000_000)
PICTURES = {
    "linear": {"raw": {"map": 0.980}, "laundered": {"map": 0.91}},
    "mixture": {"raw": {"map": 0.995}, "laundered": {"map": 0.93}},
    "logistic": {"raw": {"map": 0.982}, "laundered": {"map": 0.91}},
}


def row(name: str, size: int, seconds: float, mean_ap: float, **about: int) -> Row:
    update, read = {"wall": 2 * seconds, "cpu": seconds}, {"wall": 1.0, "cpu": 0.1}
    return Row(20, size, name, read, update, 10**9, mean_ap, 3, about)


def run() -> list[Row]:
    """Figures that keep every promise."""
    rows = []
    for size in SIZES:
        kept = {"state_bytes": 20_000_000 if size == 10_000 else 640_000_000 + size // 100, "groups": 30}
        packed = 0 if size == 10_000 else 30
        rows += [
            row("mixture", size, 0.30, 0.88, packed_groups=packed, **kept),
            row("linear", size, 0.28, 0.83, packed_groups=packed, **kept),
            row("logistic", size, size / 20_000, 0.828),
        ]
    return rows


def verdicts(rows: list[Row], pictures=PICTURES) -> list[bool | None]:
    return [promise.kept for promise in promises(rows, pictures)]


def changed(name: str, size: int, **values) -> list[Row]:
    return [replace(one, **values) if (one.name, one.size) == (name, size) else one for one in run()]


def test_good_figures_keep_every_promise():
    assert verdicts(run()) == [True] * 7


@pytest.mark.parametrize(
    ("rows", "missed"),
    [
        (changed("linear", 1_000_000, update={"wall": 0.3, "cpu": 0.35}), 0),
        (changed("logistic", 1_000_000, update={"wall": 99.0, "cpu": 29.0}), 1),
        (changed("mixture", 1_000_000, about={"state_bytes": 700_000_000, "groups": 30, "packed_groups": 30}), 2),
        (changed("linear", 100_000, map=0.822), 3),
        (changed("mixture", 10_000, map=0.827), 4),
    ],
)
def test_each_promise_is_missed_by_its_own_figure_alone(rows: list[Row], missed: int):
    assert [number for number, kept in enumerate(verdicts(rows)) if kept is False] == [missed]


def test_a_single_worse_profile_of_the_pictures_breaks_their_promises():
    worse = PICTURES | {"logistic": {"raw": {"map": 0.982}, "laundered": {"map": 0.94}}}
    assert verdicts(run(), worse)[5:] == [False, False]


def test_what_the_run_cannot_tell_is_said_and_not_called_kept():
    small = [one for one in run() if one.size == 10_000]
    assert verdicts(small, None) == [None, None, None, True, True, None, None]
    assert str(promises(small, None)[1]).startswith("not judged")


def test_the_mixture_need_not_be_ahead_with_few_families():
    few = [replace(one, families=5, map=0.8 if one.name == "mixture" else one.map) for one in run()]
    assert verdicts(run() + few) == [True] * 7
    assert verdicts(few)[4] is None


def test_growth_compares_processor_time_with_and_without_reading():
    rows = changed("mixture", 1_000_000, update={"wall": 9.0, "cpu": 0.33}, read={"wall": 1.0, "cpu": 0.45})
    assert growth(rows, "mixture", reading=False) == pytest.approx(1.1)
    assert growth(rows, "mixture", reading=True) == pytest.approx(0.78 / 0.40)
    assert growth(rows, "river", reading=False) is None


def test_a_promise_tells_its_figure_and_its_limit():
    assert str(Promise("speed", 250.0, 100.0, at_least=True)) == "kept       speed: 250, at least 100"
    assert str(Promise("growth", 1.3, 1.2, at_least=False)) == "MISSED     growth: 1.3, at most 1.2"
