"""How many pictures the `forensic` encoder takes per second and core: CPU time, median over pictures.

    python benchmarks/encode.py [--pictures FOLDER] [--json FILE]

Without a folder it makes 512 px pictures itself. Prints a table and writes JSON. CPU time of one thread, so that
what else the machine does counts for little; still, compare within one run only. `make bench` keeps the numeric
libraries to one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from daemon.encoders.forensic import ForensicEncoder
from daemon.encoders.launder import launder


def pictures(folder: Path | None, count: int) -> list[NDArray[np.uint8]]:
    """Pictures of 512 x 512: the first of a folder that have this size, or smooth noise."""
    if folder is not None:
        found = []
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"):
                picture = np.asarray(Image.open(path).convert("RGB"))
                if picture.shape[:2] == (512, 512):
                    found.append(picture)
            if len(found) == count:
                return found
        return found
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(one).resize((512, 512), Image.Resampling.BICUBIC)) for one in coarse]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/encode.json"))
    arguments = parser.parse_args()
    samples = pictures(arguments.pictures, arguments.count)
    if not samples:
        sys.stderr.write(f"no 512 x 512 pictures in {arguments.pictures}\n")
        return 65
    encoder = ForensicEncoder()
    encoder.encode(samples[0])  # first use pays for tables
    seconds: dict[str, list[float]] = {"encode": [], "launder": [], "launder + encode": []}
    for picture in samples:
        for name, work in (
            ("encode", lambda p: encoder.encode(p)),
            ("launder", launder),
            ("launder + encode", lambda p: encoder.encode(launder(p))),
        ):
            began = time.thread_time()
            work(picture)
            seconds[name].append(time.thread_time() - began)
    result = {
        name: {"median_ms": 1000 * statistics.median(times), "per_second": 1 / statistics.median(times)}
        for name, times in seconds.items()
    }
    print(f"{'512 px, one core':20s} {'median ms':>10s} {'per second':>11s}")
    for name, figures in result.items():
        print(f"{name:20s} {figures['median_ms']:10.1f} {figures['per_second']:11.1f}")
    arguments.json.write_text(json.dumps({"pictures": len(samples), **result}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
