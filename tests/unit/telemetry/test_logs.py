from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from daemon.commands.common import settings_of
from daemon.telemetry import configure_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_library_lines_and_own_lines_are_json_with_context_and_without_secrets(stream: io.StringIO) -> None:
    configure_logs("info", "auto", stream)
    with structlog.contextvars.bound_contextvars(run=7, adapter="inbox"):
        structlog.get_logger("daemon").info("polled", token="abc", url="https://me:pw@host/?api_key=zz")
        logging.getLogger("uvicorn.error").warning("closing %s", "now")
    structlog.get_logger("daemon").debug("too fine")
    own, library = map(json.loads, stream.getvalue().splitlines())
    assert (own["event"], own["run"], own["adapter"], own["level"]) == ("polled", 7, "inbox", "info")
    assert (library["event"], library["run"]) == ("closing now", 7)
    assert "abc" not in stream.getvalue()
    assert "pw" not in own["url"]
    assert "zz" not in own["url"]
    assert own["token"] == "**********"


def test_malformed_uploads_write_no_log(stream: io.StringIO) -> None:
    configure_logs("info", "json", stream)
    logging.getLogger("python_multipart.multipart").warning("Expected boundary character %d", 98)
    assert stream.getvalue() == ""


def test_the_console_form_is_a_line_for_people(stream: io.StringIO) -> None:
    configure_logs("info", "console", stream)
    structlog.get_logger("daemon").info("started", version="v1")
    assert "started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(("level", "told"), [("info", ["notice"]), ("debug", ["chatter", "notice"]), ("error", [])])
def test_what_a_command_logs_never_mixes_with_its_answer(
    level: str, told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"log: {{level: {level}}}\n")
    settings_of(config)
    structlog.get_logger("daemon").info("chatter")
    structlog.get_logger("daemon").warning("notice")
    found = capsys.readouterr()
    assert found.out == ""
    assert [json.loads(line)["event"] for line in found.err.splitlines()] == told
