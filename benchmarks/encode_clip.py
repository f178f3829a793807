"""Pictures per second of the `open_clip` encoder: precisions and backends side by side, and the whole pipeline.

    python benchmarks/encode_clip.py [--model ViT-B-16-quickgelu] [--threads 2] [--rounds 5] [--json FILE]

Random weights: speed does not depend on them. Every round measures each way once, one after the other and every second
time backwards, so that what else the machine does meets all of them; medians over the rounds are printed, and written
as JSON. Speeds are compared round by round with the forward pass of torch fp32. `end to end` is the service's own
client: 512 px JPEG bytes to a child process, decoded, resized and encoded there, measured right beside the forward pass
alone on pictures that are prepared already. `CPU` is processor seconds per picture, which other load on the machine
changes less. Exit status 1: end to end is under .9 of the speed of the forward pass alone.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from daemon.encoders.client import EncoderClient
from daemon.encoders.exported import require_openvino
from daemon.encoders.forward import computes_bfloat16
from daemon.encoders.open_clip import OpenClipEncoder
from daemon.errors import ConfigurationError
from daemon.settings import EncoderSettings, IntakeSettings

_SIDE = 512  # pixels of the pictures
_LEAST = 0.9  # of the forward pass's speed that is left end to end
_FORWARD, _PIPELINE = "torch fp32", "end to end, torch fp32"


def jpegs(count: int) -> list[bytes]:
    """Pictures with some detail, quality 90."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        coarse = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.int16)
        picture = np.clip(smooth + random.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=90)
        found.append(stream.getvalue())
    return found


def ways(settings: EncoderSettings) -> dict[str, Callable[[list[NDArray[np.float32]]], Any]]:
    """Each way to run the forward pass, built."""
    clip = settings.open_clip

    def encoder(**changes: Any) -> OpenClipEncoder:
        return OpenClipEncoder(clip.model_copy(update=changes), threads=settings.threads, announce=print)

    exact = encoder()
    found: dict[str, Callable[[list[NDArray[np.float32]]], Any]] = {_FORWARD: exact.encode_prepared}

    def autocast(prepared: list[NDArray[np.float32]]) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return exact.encode_prepared(prepared)

    if computes_bfloat16():
        found["torch bf16 by autocast (not offered)"] = autocast
        found["torch bf16"] = encoder(precision="bf16").encode_prepared
    else:
        print("without bf16: this CPU has no instructions for it, and software would take many times as long as fp32")
    try:
        require_openvino()
        found["openvino fp32"] = encoder(backend="openvino").encode_prepared
        found["openvino bf16"] = encoder(backend="openvino", precision="bf16").encode_prepared
    except ConfigurationError as error:
        print(f"without OpenVINO: {error}")
    return found


def timed(work: Callable[[], Any], process: psutil.Process) -> tuple[float, float]:
    """(wall, CPU) seconds of one call; CPU of the process that does the work."""
    before, began = process.cpu_times(), time.perf_counter()
    work()
    wall, after = time.perf_counter() - began, process.cpu_times()
    return wall, after.user + after.system - before.user - before.system


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-16-quickgelu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/encode_clip.json"))
    arguments = parser.parse_args()
    contents = jpegs(arguments.count)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        save_file(open_clip.create_model(arguments.model, load_weights=False).state_dict(), weights)
        clip = {"model": arguments.model, "weights_path": weights, "device": "cpu", "compiled_dir": folder}
        settings = EncoderSettings.model_validate(
            {"name": "open_clip", "threads": arguments.threads, "deadline": "1h", "open_clip": clip}
        )
        result = measure(settings, contents, arguments.rounds)
    result = {"model": arguments.model, "threads": arguments.threads, "pictures": len(contents), **result}
    print(f"{arguments.model}, {arguments.threads} threads, {len(contents)} pictures of {_SIDE} px")
    print(f"{'':38s} {'pictures/s':>11s} {'x ' + _FORWARD:>13s} {'by CPU':>7s} {'CPU s/picture':>14s}")
    for name, own in result["ways"].items():
        print(
            f"{name:38s} {own['per_second']:11.2f} {own['speed']:13.3f} {own['cpu_speed']:7.3f} "
            f"{own['cpu_seconds']:14.3f}"
        )
    kept = result["ways"][_PIPELINE]["speed"] >= _LEAST
    print(f"{'kept' if kept else 'MISSED'}: end to end at least {_LEAST} of the speed of the forward pass alone")
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if kept else 1


def measure(settings: EncoderSettings, contents: list[bytes], rounds: int) -> dict[str, Any]:
    """Medians over the rounds of every way and of the pipeline."""
    from daemon.intake.decode import Limits, decode

    count = len(contents)
    own = psutil.Process()
    every = ways(settings)
    prepare = OpenClipEncoder(settings.open_clip).prepare
    torch.set_num_threads(settings.threads)
    prepared = [prepare(decode(content, Limits())) for content in contents]
    client = EncoderClient(settings, IntakeSettings())
    assert client._child is not None
    child = psutil.Process(client._child.pid)
    works: dict[str, tuple[Callable[[], Any], psutil.Process]] = {
        name: (partial(way, prepared), own) for name, way in every.items()
    }
    pipeline = partial(client.encode_many, contents, ["raw"])
    order = [_FORWARD, _PIPELINE, *(name for name in works if name != _FORWARD)]
    works[_PIPELINE] = (pipeline, child)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in order}
    try:
        pipeline()  # the first pass pays for threads and for the size of requests
        for way in every.values():
            way(prepared[:8])
        for number in range(rounds):
            for name in order if number % 2 == 0 else reversed(order):
                seconds[name].append(timed(*works[name]))
            print(f"round {number + 1}: " + ", ".join(f"{n} {t[-1][0]:.1f} s" for n, t in seconds.items()), flush=True)
    finally:
        client.close()
    forward = seconds[_FORWARD]
    return {
        "rounds": rounds,
        "ways": {
            name: {
                "per_second": count / statistics.median(wall for wall, _ in times),
                "cpu_seconds": statistics.median(cpu for _, cpu in times) / count,
                "speed": statistics.median(one[0] / two[0] for one, two in zip(forward, times, strict=True)),
                "cpu_speed": statistics.median(one[1] / two[1] for one, two in zip(forward, times, strict=True)),
                "seconds": [round(wall, 3) for wall, _ in times],
            }
            for name, times in seconds.items()
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())
