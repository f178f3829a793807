"""What is deployed is what is tested: copies for containers differ in addresses alone; the unit stays hardened."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.settings import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SHIPPED = ROOT / "dashboards/prometheus"
MOST_EXPOSED = 2.0  # of systemd-analyze security: 0 none, 10 everything


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_prometheus_differs_in_addresses_alone() -> None:
    text = (DEPLOY / "prometheus.yml").read_text()
    here = text.replace("alertmanager:9093", "127.0.0.1:9093").replace("sidwatch:8600", "127.0.0.1:8600")
    assert yaml.safe_load(here) == read(SHIPPED / "prometheus.yml")
    assert here != text


def test_alertmanager_is_the_same() -> None:
    assert (DEPLOY / "alertmanager.yml").read_bytes() == (SHIPPED / "alertmanager.yml").read_bytes()


def test_grafana_differs_in_its_address_alone() -> None:
    shipped = read(ROOT / "dashboards/grafana/provisioning/datasources/prometheus.yaml")
    shipped["datasources"][0]["url"] = "http://prometheus:9090"
    assert read(DEPLOY / "grafana-datasource.yaml") == shipped


def test_every_file_that_compose_mounts_is_there_and_every_port_is_published_on_this_machine_alone() -> None:
    services = read(DEPLOY / "compose.yaml")["services"]
    assert set(services) == {"sidwatch", "prometheus", "alertmanager", "grafana"}
    volumes = set(read(DEPLOY / "compose.yaml")["volumes"])
    for name, service in services.items():
        assert "latest" not in service.get("image", ""), name
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), mount
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_containers_configuration_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(DEPLOY / "config.yaml")
    assert settings.http.host == "0.0.0.0"
    assert settings.page_address == "http://127.0.0.1:8600"


def test_the_image_runs_without_root_and_asks_the_command_line_whether_it_is_well() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    instructions = [line.split(maxsplit=1) for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]
    last = {line[0]: line[1] for line in instructions}
    assert last["USER"] == "sidwatch"
    order = [word for word, _ in instructions]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert json.loads(last["HEALTHCHECK"].partition("CMD ")[2])[:2] == ["sidwatch", "health"]
    copied = [rest.split()[0] for word, rest in instructions if word == "COPY" and not rest.startswith("--")]
    assert all((ROOT / source).exists() for source in copied)


def test_the_unit_waits_for_readiness_has_a_watchdog_and_is_hardened() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "sidwatch.service")
    assert unit["Service"]["Type"] == "notify"
    assert int(unit["Service"]["WatchdogSec"]) >= 30
    assert unit["Service"]["DynamicUser"] == "yes"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: the score is not looked at")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(DEPLOY / "sidwatch.service")],
        capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/usr/bin:/bin", "SYSTEMD_PAGER": ""},
    )  # fmt: skip
    found = re.search(r"exposure level for sidwatch.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool (package prometheus-alertmanager) is not installed")
def test_alertmanager_takes_its_configuration_and_sends_pages_and_tickets_where_they_belong() -> None:
    config = str(DEPLOY / "alertmanager.yml")
    checked = subprocess.run(
        ["amtool", "check-config", config], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for labels, receiver in {
        ("alertname=GeneratorFamilyEvadesDetection", "severity=page", "family=x"): "pages",
        ("alertname=UpdateRejected", "severity=ticket"): "tickets",
        ("alertname=Watchdog", "severity=ticket"): "watchdog",
    }.items():
        command = ["amtool", "config", "routes", "test", f"--config.file={config}", *labels]
        routed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert routed.stdout.strip() == receiver, routed.stderr
