"""The edge of the command line: what goes to the terminal."""

from __future__ import annotations

import io
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

import daemon.cli
from daemon.commands.by_name import MODULES, commands_of
from daemon.commands.common import print_json, print_table
from daemon.errors import BadInputError
from daemon.writing import write_for_person

NO_TEXT = b"\xff.jpg".decode("utf-8", "surrogateescape")  # as Python names such a file


def test_an_error_is_one_line_and_nothing_in_it_steers_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BadInputError("key a\nb\x1b[2J\u202e, photo é… " + NO_TEXT)

    monkeypatch.setattr(daemon.cli, "app", fail)
    assert daemon.cli.run([]) == 65
    assert capsys.readouterr().err == "sidwatch: key a b\\x1b[2J\\x202e, photo é… \\xdcff.jpg\n"


def test_nothing_in_a_table_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        "names", ["uri"], [["e\x1b[2J\x1b]0;evil\x07.jpg"], ["\u202egpj.exe"], ["[red]é[/red]"], ["a\nb"]], "none"
    )
    shown = capsys.readouterr().out
    assert all(sign.isprintable() or sign == "\n" for sign in shown)
    assert "e\\x1b[2J\\x1b]0;evil\\x07.jpg" in shown
    assert "\\x202egpj.exe" in shown
    assert "[red]é[/red]" in shown


def test_json_knows_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    print_json({"threshold": float("inf"), "rows": [(float("nan"), 0.5)], "at": Path("a")})
    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found == {"threshold": None, "rows": [[None, 0.5]], "at": "a"}


def test_the_name_of_a_file_need_not_be_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="utf-8"))
    monkeypatch.setattr(daemon.cli, "run", lambda arguments: print_json({"path": NO_TEXT}))
    with pytest.raises(SystemExit):
        daemon.cli.main()
    sys.stdout.flush()
    assert json.loads(out.getvalue()) == {"path": NO_TEXT}
    write_for_person(tmp_path / "page.html", NO_TEXT)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "\\udcff.jpg"


@pytest.mark.parametrize("module", sorted(set(MODULES.values())))
def test_every_command_of_a_module_is_found_under_its_name(module: str) -> None:
    """A command that the table does not know could not be called: its module is imported for those it knows."""
    name = next(name for name, of in MODULES.items() if of == module)
    made = commands_of(name, import_module(f"daemon.commands.{module}"))
    assert list(made) == [name for name, of in MODULES.items() if of == module]
