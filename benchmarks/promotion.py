"""From the alarm to a promoted version: what the whole path costs on a store of 100,000 samples of 1,024 features.

    python -m benchmarks.promotion [--rows 100000] [--state FOLDER] [--json FILE]

Fifty families and ten real sources, vectors delivered ready-made (each stored under both profiles), a champion that
knows all families but one. The last one's pictures arrive and it evades; from the alarm on it is timed: `learn` (the
statistics take the new rows in, the closed form is solved), `gate` and `promote`, on the real store, twice: in the
service that made the champion, scored the pictures and raised the alarm, and in one that was started after the alarm
and has nothing in memory. One thread of BLAS, as the service has.
Prints a table and writes JSON; exit status 1 when the running service takes longer than promised, or nothing is
promoted. What is known is kept with --state and copied for each run.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy comes; the service's own default

import argparse
import hashlib
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.heads.world import CHUNK, DIMENSION, World
from daemon.app import opened
from daemon.context import Context
from daemon.evaluate.measuring import evaluate
from daemon.evaluate.scoring import score
from daemon.learn.automatic import learn
from daemon.learn.learning import update
from daemon.model import Admission, Candidate, Episode
from daemon.promote.judging import judge
from daemon.promote.promoting import promote
from daemon.settings import (
    ClockSettings,
    EncoderSettings,
    ExternalEncoderSettings,
    HttpSettings,
    Settings,
    StoreSettings,
)

SECONDS = 10.0  # the promise
FINGERPRINT = "b" * 64
START = datetime(2030, 1, 1, tzinfo=UTC)
WORLD = World(families=50)
NEW = WORLD.families - 1  # the family that arrives last
NEW_ROWS = 120


def settings_of(state: Path, start: datetime) -> Settings:
    """The shipped settings on vectors that are delivered ready-made."""
    external = ExternalEncoderSettings(fingerprint=FINGERPRINT, dimension=DIMENSION)
    return Settings(
        store=StoreSettings(directory=state),
        clock=ClockSettings(kind="simulated", start=start, step=timedelta(days=1)),
        encoder=EncoderSettings(name="external", external=external),
        http=HttpSettings(enabled=False),
    )


def deliveries(rows: int) -> Iterator[tuple[list[Admission], bool]]:
    """Batches of samples with whether they are of the new family, which comes last."""
    late: list[Admission] = []
    for number, (vectors, groups, _) in enumerate(WORLD.known(0, rows)):
        batch = []
        for row, (vector, group) in enumerate(zip(vectors, groups.tolist(), strict=True)):
            name = f"{number * CHUNK + row}"
            subject = WORLD.keys[group].subject
            real = subject.kind == "source"
            digest = hashlib.sha256(name.encode()).hexdigest()
            candidate = Candidate(
                uri=name,
                label="real" if real else "synthetic",
                family=None if real else subject.name,
                source=subject.name if real else None,
                group=name,
                sha256=digest,
                vector=vector,
                vector_fingerprint=FINGERPRINT,
            )
            (late if group == NEW else batch).append(Admission(candidate, digest, 0, None))
        yield batch, False
    yield late[:NEW_ROWS], True


def prepare(state: Path, rows: int) -> None:
    """A store of everything that is known before the new family comes."""
    for part, (batch, new) in enumerate(deliveries(rows)):
        if not new:
            with opened(settings_of(state, START + timedelta(days=part)), encoder=False) as open_state:
                admit(open_state.context, batch, str(part))


def evade(context: Context, rows: int) -> None:
    """The champion is solved, and the new family proved to evade it."""
    first_champion(context)
    for batch, new in deliveries(rows):
        if new:
            admit(context, batch, "new")
    score(context)
    evaluate(context)
    raise_alarm(context)


def admit(context: Context, batch: list[Admission], cursor: str) -> None:
    """Take a delivery in."""
    context.samples.admit("world", "trusted", batch, cursor, context.clock.now())


def first_champion(context: Context) -> None:
    """Everything that is known is learned, scored and tested."""
    challenge = update(context)
    assert challenge is not None
    verdict = judge(context, challenge)
    assert promote(context, challenge, verdict) == "promote", verdict.reason
    score(context)


def raise_alarm(context: Context) -> None:
    """What the alarm writes when it is sure; a store that is filled at one stroke is no stream that could be tested."""
    champion = context.champion.get()
    assert champion is not None
    now = context.clock.now()
    episode = Episode(
        id=None,
        family=WORLD.keys[NEW].subject.name,
        state="alarmed",
        champion=champion.record.id,
        opened_at=now,
        alarmed_at=now,
        samples_to_alarm=NEW_ROWS,
        ap_before=None,
        auroc_before=None,
        note="written by the benchmark",
    )
    context.samples.save_tests([], [episode])


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Wall time of a block."""
    began = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - began


def measure(state: Path, rows: int, *, started_anew: bool) -> dict[str, object]:
    """The timed path; the version that came of it."""
    settings = settings_of(state, START + timedelta(days=rows // CHUNK + 1))
    with opened(settings, encoder=False) as open_state:
        evade(open_state.context, rows)
        if not started_anew:
            return path(open_state.context)
    with opened(settings, encoder=False) as open_state:
        return path(open_state.context)


def path(context: Context) -> dict[str, object]:
    """From the alarm to the promoted version, timed."""
    seconds: dict[str, float] = {}
    cpu = time.process_time()
    with timed(seconds, "learn"):
        challenge = learn(context)
    assert challenge is not None, "nothing asked for a challenger"
    with timed(seconds, "gate"):
        verdict = judge(context, challenge)
    with timed(seconds, "promote"):
        decision = promote(context, challenge, verdict)
    cpu = time.process_time() - cpu
    return {
        "samples": context.samples.sample_counts()["total"],
        "dimension": DIMENSION,
        "families": WORLD.families,
        "seconds": seconds,
        "total_seconds": sum(seconds.values()),
        "cpu_seconds": cpu,
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "decision": decision,
        "reason": verdict.reason,
        "load": os.getloadavg()[0],
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help=f"samples, a multiple of {CHUNK}")
    parser.add_argument("--state", type=Path, help="keep the prepared state here; used again when it is there")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/promotion.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        prepared = arguments.state or Path(scratch) / "prepared"
        if not prepared.exists():
            prepare(prepared, arguments.rows)
        found = {}
        for name in ("running", "started_anew"):
            copy = Path(scratch) / name
            shutil.copytree(prepared, copy)
            found[name] = measure(copy, arguments.rows, started_anew=name == "started_anew")
    for name, figures in found.items():
        stages = figures["seconds"]
        assert isinstance(stages, dict)
        print(
            f"{name:13s} {figures['total_seconds']:6.2f} s  ("
            + ", ".join(f"{stage} {took:.2f}" for stage, took in stages.items())
            + f"; {figures['cpu_seconds']:.2f} s of CPU, {figures['samples']} samples, d = {DIMENSION}, "
            f"{WORLD.families} families, peak {figures['peak_gigabytes']:.2f} GB, load {figures['load']:.1f}): "
            f"{figures['decision']}, {figures['reason']}"
        )
    arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    running = found["running"]
    kept = running["decision"] == "promote" and float(str(running["total_seconds"])) <= SECONDS
    if not kept:
        sys.stderr.write(f"promised is a promotion within {SECONDS:g} s by the service that raised the alarm\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
