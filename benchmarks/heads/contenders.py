"""One learner takes in 256 new rows and has a new head, in a process of its own; prints what it cost as JSON.

    python -m benchmarks.heads.contenders NAME FOLDER FAMILIES SIZE

Every learner begins with what it keeps on the disk. `read` is the time until that is in memory in the form that the
learner wants; `update` is the time from the 256 rows to the new head after that.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads import state
from benchmarks.heads.world import DIMENSION, NEW_ROWS, World
from daemon.evaluate.average_precision import average_precision
from daemon.heads import GroupStatistics, HeadSettings
from daemon.heads.gradient import GradientSettings, Split, train_gradient
from daemon.heads.linear_head import LinearHead
from daemon.heads.pooling import pool_statistics
from daemon.heads.settings import ReadOut
from daemon.heads.solve import solve_pooled
from daemon.heads.standardise import Standardisation
from daemon.settings import load
from daemon.shipped import shipped

_REPEATS: Final = 3  # of a closed-form update within one process

Scores = Callable[[NDArray[np.float16]], NDArray[np.float64]]


class Clock:
    """Wall and processor seconds of the steps of one run."""

    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[float, float]]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block as the step `name`; a step may be timed several times."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        took = (time.perf_counter() - wall, time.process_time() - cpu)
        self.steps.setdefault(name, []).append(took)

    def medians(self) -> dict[str, dict[str, float]]:
        """Step -> median wall and CPU seconds."""
        return {
            name: {"wall": median(wall for wall, _ in took), "cpu": median(cpu for _, cpu in took)}
            for name, took in self.steps.items()
        }


def head_settings(read_out: ReadOut) -> HeadSettings:
    """The head as the service ships it, with that read-out; its 128 units are more than there are groups."""
    shipped_head = load(Path(str(shipped("config.yaml")))).head.model_dump()
    return HeadSettings(**shipped_head | {"read_out": read_out})


def closed_form(read_out: ReadOut, folder: Path, world: World, size: int, clock: Clock) -> tuple[Scores, Any]:
    """What the service does: add the rows to the group that grew, write its file, pool all groups, solve."""
    settings, grown = head_settings(read_out), world.keys[0]
    named = state.digests(folder, world, size)
    with clock.step("read"):
        known = {key: GroupStatistics.from_bytes(file) for key, file in state.read(folder, named).items()}
    for run in range(_REPEATS):
        vectors, _, folds = world.new(run)
        with clock.step("update"):
            with clock.step("add"):
                after = known[grown].add(vectors, folds)
                digest = state.write(folder, after.to_bytes())
            with clock.step("pool"):
                pooled = pool_statistics({**known, grown: after}, settings.min_group)
            with clock.step("solve"):
                head = solve_pooled(pooled, settings)
        state.remove(folder, digest)
    packed = sum(group.is_packed for group in known.values())
    about = {
        "state_bytes": state.state_bytes(folder, named),
        "packed_groups": packed,
        "groups": len(known),
        "units": head.units.shape[1],
    }
    return head.scores, about


def logistic(warm: bool, folder: Path, world: World, size: int, clock: Clock) -> tuple[Scores, Any]:
    """scikit-learn's logistic regression on all rows; warm: from the weights of the fit without the new ones.

    float32, which scikit-learn takes as it is: half the memory of the float64 that it makes of float16.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with clock.step("read"):
        x, labels, scale = _standardised(folder, world, size)
    model = LogisticRegression(C=0.2, class_weight="balanced", max_iter=1000, warm_start=warm)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        if warm:
            model.fit(x[:size], labels[:size])
        with clock.step("update"):
            model.fit(x, labels)
    head = scale.unfold(LinearHead.probe(model.coef_[0].astype(np.float64), float(model.intercept_[0])))
    return head.scores, {"iterations": int(model.n_iter_[0]), "rows_bytes": x.nbytes}


def gradient(folder: Path, world: World, size: int, clock: Clock) -> tuple[Scores, Any]:
    """The recipe of arXiv 2602.12381 on standardised features; .15 of the rows decide when it stops."""
    with clock.step("read"):
        x = np.empty((size + NEW_ROWS, DIMENSION), np.float16)
        x[:NEW_ROWS] = world.new(0)[0]
        for rows, block in state.blocks(folder, size):
            x[NEW_ROWS + rows.start : NEW_ROWS + rows.stop] = block
        labels = np.concatenate([np.ones(NEW_ROWS, np.bool_), state.synthetic(folder, world, size)])
    learned, settings = round(0.85 * len(x)), GradientSettings(standardise=True)
    with clock.step("update"):
        split = Split(np.arange(learned), np.arange(learned, len(x)))
        (trained,) = train_gradient(x, labels, [split], settings)
    return trained.head.scores, {"epochs": trained.epochs, "converged": trained.converged, "rows_bytes": x.nbytes}


def river(folder: Path, world: World, size: int, clock: Clock) -> tuple[Scores, Any]:
    """river's logistic regression as it comes, which learns the 256 rows one by one on top of what it learned before.

    It keeps no rows; those that it learned before are read and fed to it untimed.
    """
    from river.linear_model import LogisticRegression

    scale = _scale(folder, size)
    labels = state.synthetic(folder, world, size)
    model = LogisticRegression()
    for rows, block in state.blocks(folder, size):
        learn_one_by_one(model, scale.apply(block), labels[rows])
    new = scale.apply(world.new(0)[0])
    with clock.step("update"):
        learn_one_by_one(model, new, np.ones(NEW_ROWS, np.bool_))
    return scale.unfold(river_head(model, DIMENSION)).scores, {"state_bytes": 8 * DIMENSION}


def learn_one_by_one(model: Any, x: NDArray[Any], labels: NDArray[np.bool_]) -> None:
    """Feed the rows to one of river's models in their order."""
    names = range(x.shape[1])
    for row, label in zip(x, labels.tolist(), strict=True):
        model.learn_one(dict(zip(names, row.tolist(), strict=True)), label)


def river_head(model: Any, dimension: int) -> LinearHead:
    """river's linear model as a head."""
    return LinearHead.probe(np.array([model.weights[i] for i in range(dimension)], np.float64), float(model.intercept))


def _standardised(
    folder: Path, world: World, size: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Standardisation]:
    """Known rows, then the new ones, standardised in place; their labels; and by what."""
    scale = _scale(folder, size)
    x = np.empty((size + NEW_ROWS, DIMENSION), np.float32)
    for rows, block in state.blocks(folder, size):
        x[rows] = block
    x[size:] = world.new(0)[0]
    x -= scale.centre.astype(np.float32)
    x *= scale.inverse_scale.astype(np.float32)
    return x, np.concatenate([state.synthetic(folder, world, size), np.ones(NEW_ROWS, np.bool_)]), scale


def _scale(folder: Path, size: int) -> Standardisation:
    """What brings the known rows to mean 0 and variance 1, without all of them in memory."""
    total, squares = np.zeros((2, DIMENSION))
    for _, block in state.blocks(folder, size):
        wide = block.astype(np.float64)
        total += wide.sum(axis=0)
        squares += np.einsum("ij,ij->j", wide, wide)
    centre = total / size
    return Standardisation(centre, 1.0 / np.sqrt(squares / size - centre**2))


CONTENDERS: Final[Mapping[str, Callable[[Path, World, int, Clock], tuple[Scores, Any]]]] = {
    "mixture": partial(closed_form, "mixture"),
    "linear": partial(closed_form, "linear"),
    "logistic": partial(logistic, False),
    "logistic_warm": partial(logistic, True),
    "gradient": gradient,
    "river": river,
}


def mean_ap(world: World, scores: Scores) -> float:
    """mAP on rows that nobody learned: each family against all reals, at a prevalence of one half."""
    vectors, groups, _ = world.held_out()
    logits = scores(vectors)
    real = logits[~world.is_synthetic(groups)]
    return fmean(average_precision(real, logits[groups == family]) for family in range(world.families))


def peak_bytes() -> int:
    """Most memory that this process ever held; ru_maxrss would begin with that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def main(name: str, folder: str, families: str, size: str) -> None:
    """Run one contender once."""
    world, clock = World(int(families)), Clock()
    began = time.perf_counter()
    scores, about = CONTENDERS[name](Path(folder), world, int(size), clock)
    peak, took = peak_bytes(), time.perf_counter() - began
    print(
        json.dumps(
            {"seconds": clock.medians(), "all": took, "peak_bytes": peak, "map": mean_ap(world, scores), "about": about}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
