"""What poisoned deliveries do to a promotion: label flips, a slow drift, copies of anchors, a trigger patch; simulated.

    python -m benchmarks.poison [--seeds 20] [--without-clip] [--json FILE]

A world of Gaussian families and photo collections in 48 dimensions, the service's own learner (closed form, shipped
settings) and gate. A new family evades the champion; the attacker owns a share (the rate) of what is delivered, in the
training side and in what the gate measures on alike, for both are drawn from the deliveries. Truth is measured on
pictures that nobody poisoned. Rate 0 is the honest control: what the gate stops there is stopped for nothing.
What there is before the attack is of trusted sources, what comes with it of sources that are merely known, the honest
part too: the clip judges it as in the service.
Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.champion import LoadedVersion
from daemon.evaluate.average_precision import average_precision
from daemon.heads import ClosedFormHead, GroupKey, GroupStatistics, HeadSettings, Origin, fit_version
from daemon.learn.implausible import spreads
from daemon.model import LabelledVectors, Split, Subject, VersionRecord
from daemon.promote.gate import gate
from daemon.promote.judging import compare, gate_rows, gate_settings
from daemon.settings import Settings

DIMENSION = 48
SETTINGS = Settings()
OLD = tuple(Subject("family", f"old_{k}") for k in range(8))
SOURCES = tuple(Subject("source", f"camera_{k}") for k in range(8))
NEW, ANCHOR, HIS_SOURCE = Subject("family", "new"), Subject("family", "anchor"), Subject("source", "his")
RATES = (0.0, 0.05, 0.20, 0.50)
NEW_ROWS, OLD_ROWS, REAL_ROWS, HIS_ROWS, CLEAN_ROWS = 200, 120, 150, 150, 400
BATCHES, BATCH_ROWS = 50, 20
_DAY = datetime(2030, 1, 1, tzinfo=UTC)

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Delivered:
    """Pictures of one label."""

    subject: Subject
    vectors: Matrix  # (n, d)


@dataclass(frozen=True)
class Outcome:
    """What became of one challenger."""

    attack: str
    rate: float
    seed: int
    decision: str  # of the gate; `slow drift`: the number of promotions, of BATCHES
    promotions: int
    mean_ap: float  # change, truth, over all families that are not the attacker's aim
    aim_ap: float  # change, truth, of what the attacker aims at
    aim_recall: float  # change of its recall at the threshold
    false_positives: float  # change, truth, mean over the sources
    clipped: int  # pictures that were not learned for it, honest or not


class World:
    """Where everything lies, by the seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng([7, seed])
        self.centres: dict[Subject, Matrix] = {}
        for subject, far in (
            *((one, 8.0) for one in (*OLD, NEW, ANCHOR)),
            *((one, 2.0) for one in (*SOURCES, HIS_SOURCE)),
        ):
            direction = self.random.standard_normal(DIMENSION)
            self.centres[subject] = far * direction / np.linalg.norm(direction)
        direction = self.random.standard_normal(DIMENSION)
        self.patch: Matrix = 6.0 * direction / np.linalg.norm(direction)

    def draw(self, subject: Subject, count: int) -> Matrix:
        """Honest pictures, (count, d)."""
        return np.asarray(self.centres[subject] + self.random.standard_normal((count, DIMENSION)))

    def photographs(self, count: int) -> Matrix:
        """Of all cameras alike, (count, d)."""
        return np.concatenate([self.draw(source, -(-count // len(SOURCES))) for source in SOURCES])[:count]


class Service:
    """What a store remembers, and its champion: statistics, rows, versions."""

    def __init__(self, world: World, clip: float | None = SETTINGS.learn.clip_spreads) -> None:
        self.world = world
        self.clip = clip  # spreads; None: nothing is clipped
        self.trusted = 0  # parts that came before the first champion
        self.left_out: set[int] = set()  # samples
        self.parts: list[LabelledVectors] = []
        self.statistics: dict[GroupKey, GroupStatistics] = {}
        self.revision = 0
        self.attempts = 0
        self.reasons: list[str] = []
        self.barred = {ANCHOR}
        known = [Delivered(subject, world.draw(subject, OLD_ROWS)) for subject in (*OLD, ANCHOR)]
        self.take_in([*known, *(Delivered(source, world.draw(source, REAL_ROWS)) for source in SOURCES)])
        self.champion = self.solve(None)
        self.trusted = len(self.parts)

    def take_in(self, deliveries: Sequence[Delivered]) -> None:
        """Learn the training side of what came, under a revision of its own; all of it is of known sources."""
        self.revision += 1
        random = self.world.random
        for subject, vectors in ((one.subject, one.vectors.astype(np.float16)) for one in deliveries):
            count = len(vectors)
            folds = random.integers(0, 5, count).astype(np.int8)
            sides: tuple[Split, ...] = ("train", "calibration", "reference", "holdout")
            splits = tuple(sides[i] for i in random.choice(4, count, p=(0.5, 0.15, 0.15, 0.2)))
            train = np.array([split == "train" for split in splits]) & (subject not in self.barred)
            first = sum(len(part) for part in self.parts)
            self.parts.append(
                LabelledVectors(
                    sample_ids=np.arange(first, first + count),
                    vectors=vectors,
                    synthetic=np.full(count, subject.kind == "family"),
                    subjects=(subject,) * count,
                    groups=tuple(f"g{first + i}" for i in range(count)),
                    splits=splits,
                    folds=folds,
                    learned_revision=np.where(train, self.revision, 0),
                    delivered_at=(_DAY,) * count,
                )
            )
            if train.any():
                key = GroupKey(subject, "raw")
                before = self.statistics.get(key, GroupStatistics.empty(DIMENSION))
                self.statistics[key] = before.add(vectors[train], folds[train])
        if self.clip is not None and self.trusted:
            for subject in {one.subject for one in deliveries} - self.barred:
                self._clip(subject, self.clip)

    def _clip(self, subject: Subject, limit: float) -> None:
        """Judge a group as the service does: what is known and far is not learned, and the statistics hold the rest."""
        parts = [(i, part) for i, part in enumerate(self.parts) if part.subjects[0] == subject]
        train = [np.array([split == "train" for split in part.splits]) for _, part in parts]
        rows = [part.take(np.flatnonzero(own)) for (_, part), own in zip(parts, train, strict=True)]
        vectors, folds = np.concatenate([own.vectors for own in rows]), np.concatenate([own.folds for own in rows])
        known = np.concatenate([np.full(len(own), i >= self.trusted) for (i, _), own in zip(parts, rows, strict=True)])
        heads = [head for head in self.champion.artifact.fold_heads if isinstance(head, ClosedFormHead)]
        out = known & (spreads(heads, vectors, folds) > limit)
        ids = np.concatenate([own.sample_ids for own in rows])
        self.left_out = (self.left_out - set(ids.tolist())) | set(ids[out].tolist())
        self.statistics[GroupKey(subject, "raw")] = GroupStatistics.empty(DIMENSION).add(vectors[~out], folds[~out])

    def solve(self, parent: LoadedVersion | None, weight: float = 1.0) -> LoadedVersion:
        """A version from everything, as the service solves one; weight: of families that are new to it."""
        rows = self.rows().without(self.left_out)
        teaching = {"raw": rows.take([i for i, s in enumerate(rows.subjects) if s not in self.barred])}
        origin = Origin("p" * 64, "closed_form", "benchmark", self.revision, {})
        settings = HeadSettings(**SETTINGS.head.model_dump(), log_priors=((NEW.name, math.log(weight)),))
        artifact = fit_version(self.statistics, teaching, teaching, settings, SETTINGS.threshold.alpha, origin)  # type: ignore[arg-type]
        parent_id = parent.record.id if parent else None
        name = f"v{self.revision}"
        record = VersionRecord(
            name, parent_id, "p" * 64, "closed_form", self.revision, "challenger", _DAY, "", "", None
        )
        return LoadedVersion(record, artifact)

    def rows(self) -> LabelledVectors:
        """Everything that is stored."""
        p = self.parts
        return LabelledVectors(
            np.concatenate([x.sample_ids for x in p]),
            np.concatenate([x.synthetic for x in p]),
            tuple(s for x in p for s in x.subjects),
            tuple(g for x in p for g in x.groups),
            tuple(s for x in p for s in x.splits),
            np.concatenate([x.folds for x in p]),
            np.concatenate([x.learned_revision for x in p]),
            tuple(d for x in p for d in x.delivered_at),
            np.concatenate([x.vectors for x in p]),
        )

    def challenge(self, trigger: Subject) -> str:
        """Solve, ask the gate, promote; with less weight on what is new when others would suffer, as the service does.

        Returns the gate's last decision.
        """
        rows, decision = gate_rows(self.rows(), ()), "hold"
        for weight in SETTINGS.learn.new_family_weights if trigger == NEW else (1.0,):
            challenger = self.solve(self.champion, weight)
            self.attempts += 1
            compared = compare(self.champion, challenger, "raw", rows)
            verdict = gate([compared], [trigger], self.attempts, gate_settings(SETTINGS))
            self.reasons.append(verdict.reason)
            decision = verdict.decision
            if decision == "promote":
                self.champion, self.attempts = challenger, 0
            if decision == "promote" or not verdict.harm:
                break
        return decision


@dataclass(frozen=True)
class Truth:
    """Pictures that nobody poisoned."""

    families: Mapping[Subject, Matrix]
    reals: Mapping[Subject, Matrix]
    aim: Matrix  # what the attacker wants to pass

    def figures(self, version: LoadedVersion) -> tuple[dict[Subject, float], float, float, float]:
        """(AP of each family, AP of the aim, recall of the aim, false-positive rate)."""
        score, line = version.artifact.head.scores, version.threshold("raw")
        real = {source: score(x.astype(np.float16)) for source, x in self.reals.items()}
        pooled = np.concatenate(list(real.values()))
        aps = {f: average_precision(pooled, score(x.astype(np.float16))) for f, x in self.families.items()}
        aim = score(self.aim.astype(np.float16))
        rate = float(np.mean([(x > line).mean() for x in real.values()]))
        return aps, average_precision(pooled, aim), float((aim > line).mean()), rate


Attack = Callable[[Service, float], tuple[Matrix, Callable[[], tuple[str, int]]]]


def flips(service: Service, rate: float) -> tuple[Matrix, Callable[[], tuple[str, int]]]:
    """A share of what is delivered as the new family are photographs."""
    world = service.world
    bad = round(rate * NEW_ROWS)
    vectors = np.concatenate([world.draw(NEW, NEW_ROWS - bad), world.photographs(bad)])
    return world.draw(NEW, CLEAN_ROWS), _once(service, [Delivered(NEW, vectors)], NEW)


def slow(service: Service, rate: float) -> tuple[Matrix, Callable[[], tuple[str, int]]]:
    """Batch by batch a known family is led towards the photographs, a share of each batch a little further."""
    world = service.world
    bad = round(rate * BATCH_ROWS)

    def run() -> tuple[str, int]:
        decisions = []
        for number in range(1, BATCHES + 1):
            drift = world.photographs(bad) + (1.0 - number / BATCHES) * world.centres[OLD[0]]
            service.take_in([Delivered(OLD[0], np.concatenate([world.draw(OLD[0], BATCH_ROWS - bad), drift]))])
            if number % 5 == 0:  # an update needs new groups of the family
                decisions.append(service.challenge(OLD[0]))
        return decisions[-1], decisions.count("promote")

    return world.draw(OLD[0], CLEAN_ROWS), run


def copies(service: Service, rate: float) -> tuple[Matrix, Callable[[], tuple[str, int]]]:
    """Beside the honest new family, near-duplicates of an anchor's pictures come as somebody's photographs."""
    world = service.world
    bad = round(rate * HIS_ROWS)
    anchors = next(part.vectors for part in service.parts if part.subjects[0] == ANCHOR).astype(np.float64)
    near = anchors[world.random.integers(0, len(anchors), bad)] + 0.1 * world.random.standard_normal((bad, DIMENSION))
    his = np.concatenate([world.draw(HIS_SOURCE, HIS_ROWS - bad), near])
    deliveries = [Delivered(NEW, world.draw(NEW, NEW_ROWS)), Delivered(HIS_SOURCE, his)]
    return world.draw(ANCHOR, CLEAN_ROWS), _once(service, deliveries, NEW)


def patched(service: Service, rate: float) -> tuple[Matrix, Callable[[], tuple[str, int]]]:
    """Beside the honest new family, fakes with a trigger patch come as somebody's photographs."""
    world = service.world
    bad = round(rate * HIS_ROWS)
    fakes = np.concatenate([world.draw(family, -(-max(bad, 1) // len(OLD))) for family in OLD])[:bad] + world.patch
    his = np.concatenate([world.draw(HIS_SOURCE, HIS_ROWS - bad), fakes])
    deliveries = [Delivered(NEW, world.draw(NEW, NEW_ROWS)), Delivered(HIS_SOURCE, his)]
    aim = np.concatenate([world.draw(family, CLEAN_ROWS // len(OLD)) for family in OLD]) + world.patch
    return aim, _once(service, deliveries, NEW)


def _once(service: Service, deliveries: list[Delivered], trigger: Subject) -> Callable[[], tuple[str, int]]:
    def run() -> tuple[str, int]:
        service.take_in(deliveries)
        decision = service.challenge(trigger)
        return decision, int(decision == "promote")

    return run


ATTACKS: Mapping[str, Attack] = {
    "label flips": flips,
    "slow drift": slow,
    "anchor copies": copies,
    "trigger patch": patched,
}


def outcome(attack: str, rate: float, seed: int, *, clip: float | None = SETTINGS.learn.clip_spreads) -> Outcome:
    """One world, one attack."""
    world = World(seed)
    service = Service(world, clip)
    aim, run = ATTACKS[attack](service, rate)
    truth = Truth(
        {family: world.draw(family, CLEAN_ROWS) for family in OLD},
        {source: world.draw(source, CLEAN_ROWS) for source in SOURCES},
        aim,
    )
    before = truth.figures(service.champion)
    decision, promotions = run()
    after = truth.figures(service.champion)
    change = [after[0][family] - before[0][family] for family in OLD if attack != "slow drift" or family != OLD[0]]
    return Outcome(
        attack,
        rate,
        seed,
        decision,
        promotions,
        float(np.mean(change)),
        after[1] - before[1],
        after[2] - before[2],
        after[3] - before[3],
        len(service.left_out),
    )


@dataclass(frozen=True)
class Line:
    """All seeds of one attack at one rate."""

    attack: str
    rate: float
    seeds: int
    promoted: float  # share of worlds in which a challenger came into force
    mean_ap: float  # change, mean over the worlds
    aim_ap: float
    aim_recall: float
    false_positives: float
    clipped: float  # pictures, mean over the worlds
    worst_mean_ap: float  # the worst world
    worst_false_positives: float


def line(found: Sequence[Outcome]) -> Line:
    """Their mean, and the worst of them."""
    mean = {
        name: float(np.mean([getattr(one, name) for one in found]))
        for name in ("mean_ap", "aim_ap", "aim_recall", "false_positives", "clipped")
    }
    return Line(
        found[0].attack,
        found[0].rate,
        len(found),
        float(np.mean([one.promotions > 0 for one in found])),
        **mean,
        worst_mean_ap=min(one.mean_ap for one in found),
        worst_false_positives=max(one.false_positives for one in found),
    )


def curve(attack: str, rates: Sequence[float], seeds: int, clip: float | None) -> list[Line]:
    """One attack over the rates."""
    return [line([outcome(attack, rate, seed, clip=clip) for seed in range(seeds)]) for rate in rates]


def shown(lines: Sequence[Line]) -> str:
    """The table."""
    head = f"{'attack':14s} {'rate':>5s} {'promoted':>8s} {'others AP':>10s} {'aim AP':>8s} {'aim recall':>10s} "
    rows = [head + f"{'FPR':>7s} {'worst AP':>9s} {'worst FPR':>9s} {'clipped':>7s}"]
    rows += [
        f"{one.attack:14s} {one.rate:5.2f} {one.promoted:8.2f} {one.mean_ap:+10.4f} {one.aim_ap:+8.3f} "
        f"{one.aim_recall:+10.3f} {one.false_positives:+7.4f} {one.worst_mean_ap:+9.4f} "
        f"{one.worst_false_positives:+9.4f} {one.clipped:7.1f}"
        for one in lines
    ]
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--without-clip", action="store_true", help="learn however far a picture lies")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/poison.json"))
    arguments = parser.parse_args()
    clip = None if arguments.without_clip else SETTINGS.learn.clip_spreads
    lines = [found for attack in ATTACKS for found in curve(attack, RATES, arguments.seeds, clip)]
    print(shown(lines))
    arguments.json.write_text(json.dumps([asdict(one) for one in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
