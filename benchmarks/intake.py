"""How fast pictures are taken in without encoding, and whether memory stays flat while they are.

    python benchmarks/intake.py [--pictures 2000] [--flat 50000] [--json FILE]

The folder adapter polls in its child, the decoder works in its own, the store writes and syncs its files: all as the
service does it, on pictures of this machine's disk. First pictures of 512 pixels against the clock, then many small
ones with an eye on resident memory: of this process, and of it with everything below it. Prints a table, writes JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from daemon.app import opened
from daemon.intake.taking_in import intake
from daemon.settings import AdapterSettings, Settings, StoreSettings

RATE = 60.0  # pictures of 512 pixels per second that are promised, on 2 cores
GROWTH = 50.0  # MB that resident memory may grow by between a fifth of the samples and all of them
_SHARED = 256  # pictures in one folder: listing stays quick
_EVERY = 100  # samples between two looks at the memory


@dataclass(frozen=True)
class Speed:
    """What the clock said."""

    pictures: int
    side: int  # pixels
    kilobytes: float  # mean size of a file
    seconds: float
    rate: float  # pictures per second
    cpu_seconds: float  # of this process and its children


@dataclass(frozen=True)
class Look:
    """Resident memory at one moment, in MB."""

    samples: int  # taken in so far
    seconds: float  # since the first one
    service: float  # this process
    decoders: float  # the decoding children together
    poll: float  # the polling child; 0 between two polls
    descriptors: int  # that this process holds open

    @property
    def tree(self) -> float:
        """All of them."""
        return self.service + self.decoders + self.poll


@dataclass(frozen=True)
class Memory:
    """What resident memory did."""

    samples: int
    side: int
    seconds: float
    cpu_seconds: float  # of this process and its children
    tenths: tuple[Look, ...]  # each the highest of its tenth of the samples, every column for itself

    @property
    def growth(self) -> float:
        """MB by which it grew from the second tenth to the last: of the service, or of all, whichever is worse."""
        early, late = self.tenths[1], self.tenths[-1]
        return max(late.service - early.service, late.tree - early.tree)


def photograph(seed: int, side: int) -> bytes:
    """A JPEG of about the size and detail of a photograph: coarse shapes, fine shapes and grain. Seeded."""
    random = np.random.default_rng(seed)
    layers = np.zeros((side, side, 3), dtype=np.float32)
    for cells, weight in ((4, 60.0), (16, 30.0), (64, 14.0)):
        coarse = random.normal(0.0, weight, (min(cells, side), min(cells, side), 3)).astype(np.float32)
        for channel in range(3):
            shape = Image.fromarray(coarse[:, :, channel]).resize((side, side), Image.Resampling.BICUBIC)
            layers[:, :, channel] += np.asarray(shape)
    layers += random.normal(0.0, 4.0, layers.shape).astype(np.float32) + 128.0
    stream = io.BytesIO()
    Image.fromarray(layers.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _fill(folder: Path, side: int, number: int) -> int:
    content = photograph(number, side)
    (folder / f"part_{number // _SHARED}" / f"{number}.jpg").write_bytes(content)
    return len(content)


def make_inbox(folder: Path, count: int, side: int) -> int:
    """Write an inbox of real pictures; returns their bytes."""
    for part in range((count - 1) // _SHARED + 1):
        (folder / "real" / f"part_{part}").mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        return sum(pool.map(partial(_fill, folder / "real", side), range(count), chunksize=64))


def take_in(work: Path, inbox: Path, count: int, look: Callable[[int], None]) -> float:
    """Take the inbox in through a new store; `look` is told how many are done. Returns seconds."""
    settings = Settings(store=StoreSettings(directory=work / "state"), adapters=())
    adapter = AdapterSettings(
        name="inbox", kind="folder", trust="trusted", options={"path": str(inbox), "settle": 0}, budget=1000
    )
    with opened(settings, encoder=False, progress=lambda _what, done, _total: look(done)) as state:
        began = time.perf_counter()
        offered = intake(state.context, adapter)
        seconds = time.perf_counter() - began
        stored = state.context.samples.sample_counts()["active"]
    if (offered, stored) != (count, count):
        raise RuntimeError(f"{count} pictures were written, {offered} offered and {stored} stored")
    return seconds


def measure_speed(work: Path, count: int, side: int = 512) -> Speed:
    """Pictures against the clock."""
    size = make_inbox(work / "inbox", count, side)
    before = os.times()
    seconds = take_in(work, work / "inbox", count, lambda _done: None)
    after = os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    return Speed(count, side, size / count / 1000, seconds, count / seconds, cpu)


def measure_memory(work: Path, count: int, side: int = 64) -> Memory:
    """Resident memory while many samples come; it is looked at after every hundredth one."""
    make_inbox(work / "inbox", count, side)
    looks: list[Look] = []
    this = psutil.Process()
    before, began, seen = os.times(), time.perf_counter(), 0

    def look(_done: int) -> None:
        nonlocal seen
        seen += 1
        if seen % max(1, min(_EVERY, count // 20)) == 0:
            looks.append(_look(this, seen, time.perf_counter() - began))
            if len(looks) % max(1, count // _EVERY // 10) == 0:
                sys.stderr.write(f"{_row(looks[-1])}\n")

    seconds = take_in(work, work / "inbox", count, look)
    cpu = sum(os.times()[:4]) - sum(before[:4])
    return Memory(count, side, seconds, cpu, _tenths(looks))


def _look(this: psutil.Process, samples: int, seconds: float) -> Look:
    resident = {"inspect": 0.0, "poll": 0.0}
    for child in this.children(recursive=True):
        try:
            role = child.cmdline()[-1]
            resident[role] = resident.get(role, 0.0) + child.memory_info().rss / 1e6
        except (psutil.Error, IndexError):
            continue  # a poll's child that ended between two looks
    own = this.memory_info().rss / 1e6
    return Look(samples, seconds, own, resident["inspect"], resident["poll"], this.num_fds())


def _row(one: Look) -> str:
    return (
        f"| {one.samples} | {one.seconds:.0f} | {one.service:.0f} | {one.decoders:.0f} | {one.poll:.0f} "
        f"| {one.descriptors} |"
    )


def _tenths(looks: Sequence[Look]) -> tuple[Look, ...]:
    size = max(1, len(looks) // 10)
    parts = [looks[start : start + size] for start in range(0, size * 10, size)]
    parts[-1] = looks[size * 9 :]
    return tuple(Look(*(max(values) for values in zip(*map(astuple, part), strict=True))) for part in parts)


def broken(speed: Speed | None, memory: Memory | None) -> list[str]:
    """The promises that were not kept."""
    found = []
    if speed is not None and speed.rate < RATE:
        found.append(f"{speed.rate:.1f} pictures per second, promised are {RATE:g}")
    if memory is not None and memory.growth > GROWTH:
        found.append(f"resident memory grew by {memory.growth:.0f} MB, promised are at most {GROWTH:g}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000, help="pictures of 512 pixels; 0: leave out")
    parser.add_argument("--flat", type=int, default=50_000, help="small pictures for the memory; 0: leave out")
    parser.add_argument("--work", type=Path, default=None, help="a folder on the disk to be measured")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/intake.json"))
    given = parser.parse_args(arguments)
    speed = memory = None
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        if given.pictures:
            speed = measure_speed(Path(work, "speed"), given.pictures)
            print(
                f"{speed.pictures} pictures of {speed.side} px ({speed.kilobytes:.0f} kB): {speed.seconds:.1f} s, "
                f"{speed.rate:.1f} per second, {1000 * speed.cpu_seconds / speed.pictures:.1f} ms of CPU each"
            )
        if given.flat:
            memory = measure_memory(Path(work, "flat"), given.flat)
            print(
                f"{memory.samples} pictures of {memory.side} px: {memory.seconds:.0f} s, "
                f"{1000 * memory.cpu_seconds / memory.samples:.1f} ms of CPU each; MB, the most of each tenth"
            )
            print("| samples | seconds | service | decoders | poll | descriptors |\n|---|---|---|---|---|---|")
            for one in memory.tenths:
                print(_row(one))
    results = {"speed": speed and asdict(speed), "memory": memory and asdict(memory)}
    given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for line in broken(speed, memory):
        sys.stderr.write(line + "\n")
    return 1 if broken(speed, memory) else 0


if __name__ == "__main__":
    sys.exit(main())
