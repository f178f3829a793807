"""What a scrape costs: `make bench-scrape`. 1,000 families, of which 200 have series of their own.

Each has figures of both roles under both profiles. Prints a table and writes scrape.json beside this file.
Times are of this machine: the median and the worst of 50, and the median of what the processor worked for one, server
and client together, which others on the machine lengthen less.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import httpx

from daemon.telemetry import Telemetry
from daemon.web import WebServer, create_app
from tests.unit.web.service import FakeService
from tests.unit.web.snapshot import family, status

FAMILIES, CAP, TIMES = 1000, 200, 50


def main() -> None:
    """Serve the exposition and fetch it over HTTP."""
    telemetry = Telemetry("bench", family_cap=CAP)
    families = [
        family(f"generator_family_{i}", "evading" if i % 50 == 0 else "detected", age_days=i) for i in range(FAMILIES)
    ]
    families = [one.model_copy(update={"challenger": one.profiles}) for one in families]
    snapshot = status(families=families)
    began = time.perf_counter()
    telemetry.restore(snapshot)
    published = time.perf_counter() - began

    class Service(FakeService):
        def exposition(self) -> tuple[bytes, str]:
            return telemetry.exposition()

    server = WebServer(create_app(Service()), "127.0.0.1", 0)
    server.start()
    seconds, worked, body = [], [], b""
    try:
        with httpx.Client(trust_env=False) as client:
            for _ in range(TIMES):
                began, busy = time.perf_counter(), time.process_time()
                body = client.get(f"{server.url}/metrics").content
                seconds.append(time.perf_counter() - began)
                worked.append(time.process_time() - busy)
    finally:
        server.stop(timeout=2.0)
    found = {
        "families": FAMILIES,
        "exported": CAP,
        "series": sum(not line.startswith(b"#") for line in body.splitlines()),
        "bytes": len(body),
        "publish_seconds": round(published, 4),
        "scrape_median_seconds": round(statistics.median(seconds), 4),
        "scrape_worst_seconds": round(max(seconds), 4),
        "scrape_processor_seconds": round(statistics.median(worked), 4),
    }
    for name, value in found.items():
        print(f"{name:24} {value}")
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
