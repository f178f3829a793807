"""The way of an alert through the real programs: daemon, Prometheus, Alertmanager, webhook; and its end.

The daemon runs a short demo on ready-made vectors by the machine's own clock: known families, then one that evades;
beside them an adapter that pays for pictures, and one whose source is gone.
Rules and Alertmanager's configuration are those that are shipped; addresses and scrape interval are the test's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.acceptance.command import Running, free_port
from tests.acceptance.conftest import Report
from tests.acceptance.vectors import FINGERPRINT, LENGTH, NEW, newcomers, opening

pytestmark = [
    pytest.mark.long,
    pytest.mark.accept,
    pytest.mark.skipif(
        not all(map(shutil.which, ("prometheus", "prometheus-alertmanager"))),
        reason="the packages prometheus and prometheus-alertmanager are not installed",
    ),
]

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "dashboards/prometheus"
WITHIN = float(os.environ.get("SIDWATCH_ALERT_SECONDS", "15"))  # from the alarm to the webhook; more: a busy machine
ALERT = "GeneratorFamilyEvadesDetection"
SECRET = "a secret of the test's own"
OF_FILES = {"sidwatch_shortcut_auroc_ratio"}  # queries about the files of pictures; ready-made vectors have none


@dataclass
class Hook:
    """A local webhook that keeps what Alertmanager posts, with the time of its arrival."""

    received: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def listening(self) -> Iterator[Hook]:
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((time.time(), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def of(self, alert: str, status: str) -> list[tuple[float, dict[str, Any]]]:
        """When an alert arrived in a status, and what it said."""
        return [
            (at, one)
            for at, group in self.received
            for one in group.get("alerts", [])
            if one["labels"]["alertname"] == alert and one["status"] == status
        ]


@contextmanager
def program(*command: str | Path, folder: Path, name: str) -> Iterator[None]:
    """A program that goes on while the block runs; its output is in `folder`/NAME.log."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([*map(str, command)], cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(what: str, found: Callable[[], Any], seconds: float, folder: Path) -> Any:
    """What `found` finds, looked for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    said = "\n".join(
        f"--- {log.name}\n{log.read_text()[-1500:]}" for log in [*sorted(folder.glob("*.log")), folder / "stderr"]
    )
    raise AssertionError(f"{what}: not within {seconds:g} s\n{said}")


def write_configuration(folder: Path, service: int, alertmanager: int, hook: int) -> None:
    """config.yaml, prometheus.yml and alertmanager.yml: the shipped ones at the test's addresses."""
    adapters = [
        {"name": name, "kind": "manifest", "trust": "trusted", "every": every, "options": {"path": f"{name}.jsonl"}}
        for name, every in (("opening", "1d"), ("releases", "10s"))
    ]
    # One that pays for pictures and gets none, and one whose source is not there: what they show is shown, too.
    painter = {
        "backend": "openai", "models": [{"model": "painter-1", "family": "painter_1"}], "path": "prompts.txt",
        "per_model": 1, "images_per_day": 4, "money_per_day": 1, "price": 0.1, "attempts": 1, "token_variable": "KEY",
        "openai": {"base_url": f"http://127.0.0.1:{hook}/v1", "allowed_hosts": [f"127.0.0.1:{hook}"]},
    }  # fmt: skip
    adapters += [
        {"name": "painter", "kind": "generate", "every": "1d", "secrets": {"KEY": SECRET}, "options": painter},
        {"name": "gone", "kind": "manifest", "every": "2s", "options": {"path": "nowhere.jsonl"}},
    ]
    (folder / "prompts.txt").write_text("a lighthouse at dusk\n")
    direct = {"name": "direct", "kind": "webhook", "url": f"http://127.0.0.1:{hook}/direct", "secret": SECRET}
    config = {
        "encoder": {"name": "external", "external": {"fingerprint": FINGERPRINT, "dimension": LENGTH}},
        "http": {"port": service},
        "schedule": {"cycle_every": "2s"},
        "adapters": adapters,
        "notify": {"channels": [direct]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    prometheus = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    prometheus["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    prometheus["rule_files"] = [str(SHIPPED / "rules/*.yml")]
    prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{alertmanager}"]
    prometheus["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{service}"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(prometheus))
    shipped = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    for receiver in shipped["receivers"]:
        receiver["webhook_configs"] = [{"url": f"http://127.0.0.1:{hook}/{receiver['name']}", "send_resolved": True}]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(shipped))


def queries() -> list[tuple[str, str]]:
    """Every query of every dashboard and its annotations, as Grafana would send it for the family that evaded."""
    found = []
    for board in sorted((ROOT / "dashboards/grafana").glob("*.json")):
        read = json.loads(board.read_text())
        for panel in read["panels"]:
            found += [(f"{board.stem}: {panel['title']}", target["expr"]) for target in panel["targets"]]
        found += [(f"{board.stem}: {mark['name']}", mark["target"]["expr"]) for mark in read["annotations"]["list"]]
    return [(where, e.replace("$family", NEW).replace("$__rate_interval", "1m")) for where, e in found]


def silent(query: Callable[[str], list[dict[str, Any]]]) -> list[str]:
    """Those that gave no series at any moment of the demo."""
    assert len(queries()) > 50
    asked = [(where, e) for where, e in queries() if e not in OF_FILES]
    return [f"{where}: {e}" for where, e in asked if not query(f"last_over_time(({e})[20m:1s])")]


@pytest.mark.timeout(900)
def test_an_alarm_reaches_the_webhook_within_15_seconds_and_is_resolved_after_the_promotion(
    tmp_path: Path, report: Report
) -> None:
    hook, service, prometheus, alertmanager = Hook(), free_port(), free_port(), free_port()
    asked = httpx.Client(base_url=f"http://127.0.0.1:{service}", trust_env=False, timeout=20)

    def status() -> dict[str, Any]:
        return dict(asked.get("/v1/status").json())

    def query(expression: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"http://127.0.0.1:{prometheus}/api/v1/query", params={"query": expression}, trust_env=False, timeout=20
        )
        return list(answer.json()["data"]["result"])

    with ExitStack() as stack:
        stack.enter_context(hook.listening())
        write_configuration(tmp_path, service, alertmanager, hook.port)
        (tmp_path / "opening.jsonl").write_text(opening())
        (tmp_path / "releases.jsonl").write_text("")
        daemon = stack.enter_context(Running("run", folder=tmp_path, port=service))
        until("the service", lambda: daemon.get("/-/ready")[0], 180, tmp_path)
        stack.enter_context(
            program(
                "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alertmanager",
                f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=",
                folder=tmp_path, name="alertmanager",
            )
        )  # fmt: skip
        stack.enter_context(
            program(
                "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus",
                f"--web.listen-address=127.0.0.1:{prometheus}",
                folder=tmp_path, name="prometheus",
            )
        )  # fmt: skip
        until("a first champion", lambda: status().get("champion"), 180, tmp_path)
        first = status()["champion"]["id"]
        until(
            "figures of the known families",
            lambda: len(query("sidwatch_family_average_precision_ratio")) >= 6,
            120,
            tmp_path,
        )
        until("the watchdog's call", lambda: hook.of("Watchdog", "firing"), 90, tmp_path)
        assert hook.of(ALERT, "firing") == []

        fresh = tmp_path / "releases.tmp"
        fresh.write_text(newcomers())
        fresh.replace(tmp_path / "releases.jsonl")
        at, fired = until("the alert at the webhook", lambda: hook.of(ALERT, "firing"), 240, tmp_path)[0]
        episode = status()["episodes"][0]
        assert episode["family"] == fired["labels"]["family"] == NEW
        late = at - datetime.fromisoformat(episode["alarmed_at"]).timestamp()
        assert late <= WITHIN, f"{late:.1f} s from the alarm to the webhook"
        assert "AP 0." in fired["annotations"]["description"]

        until("a version that has learned it", lambda: status()["champion"]["id"] != first, 180, tmp_path)
        promoted_at = datetime.fromisoformat(status()["champion"]["promoted_at"]).timestamp()
        resolved_at, resolved = until("the end of the alert", lambda: hook.of(ALERT, "resolved"), 400, tmp_path)[-1]
        assert resolved["labels"]["family"] == NEW
        assert resolved_at > promoted_at
        assert status()["champion"]["id"] in [
            r["metric"]["version"] for r in query('sidwatch_model_info{role="champion"}')
        ]
        told = [one for _, one in hook.received if one.get("family") == NEW and one["type"] == "family_state_changed"]
        assert [one["after"] for one in told] == ["evading", "detected"]  # the direct way says the same, once each
        assert silent(query) == []
        report(
            f"alarm to webhook {late:.1f} s (bound {WITHIN:g}); promoted {promoted_at - at:+.1f} s after the webhook, "
            f"resolved {resolved_at - promoted_at:.0f} s after the promotion"
        )
