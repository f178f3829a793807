"""`sidwatch explain` on a state directory, beside the process that holds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import daemon.cli
from tests.integration.world import DIMENSION, FINGERPRINT, KNOWN, NEW, SOURCES, World, beginning, candidate


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watch")
    world = World(folder / "state")
    world.inbox.put(beginning(40))
    world.until_idle()
    learn = world.context.settings.learn.model_copy(update={"automatic": False})
    object.__setattr__(world.context, "settings", world.context.settings.model_copy(update={"learn": learn}))
    world.inbox.put([candidate(NEW, i) for i in range(30)] + [candidate("few", i) for i in range(3)])
    world.until_idle()
    path = folder / "config.yaml"
    path.write_text(
        f"encoder: {{name: external, external: {{fingerprint: {FINGERPRINT}, dimension: {DIMENSION}}}}}\n",
        encoding="utf-8",
    )
    return path


def test_a_family_is_explained_as_json_and_as_a_page(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "why.html"
    arguments = ["explain", "--family", NEW, "--config", str(config), "--json", "--html", str(page)]
    assert daemon.cli.run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["family"], found["pictures"], found["known"]) == (NEW, 30, False)
    reals, families = found["profiles"]["raw"]["comparisons"]
    assert sorted(reals["subjects"]) == sorted(SOURCES)
    assert sorted(families["subjects"]) == sorted(KNOWN)
    assert reals["effects"][0]["proved"]
    assert found["profiles"]["raw"]["seen"]["recall"] < 0.5
    text = page.read_text(encoding="utf-8")
    assert f"<h1>{NEW}</h1>" in text
    assert found["profiles"]["raw"]["summary"][0] in text


def test_for_people_it_says_the_same_in_words(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert daemon.cli.run(["explain", "--family", NEW, "--config", str(config)]) == 0
    told = capsys.readouterr().out
    assert "30 pictures of 30 groups, not learned by the champion" in told
    assert f"{NEW} differs most from the reals in vector" in told
    assert daemon.cli.run(["explain", "--family", "few", "--config", str(config)]) == 0
    assert "too few to say what sets it apart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "give pictures, or --family NAME"),
        (["a.jpg", "--family", NEW], 2, "give pictures, or --family NAME"),
        (["--family", "nobody"], 65, "no vectors of a family 'nobody'"),
        (["no_such_file.jpg"], 65, "cannot read no_such_file.jpg"),
        (["--family", NEW, "--html", "/no/such/folder/why.html"], 65, "cannot write /no/such/folder/why.html"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    config: Path, arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert daemon.cli.run(["explain", *arguments, "--config", str(config)]) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_page_never_replaces_a_picture(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"picture")
    same = tmp_path / "." / "a.jpg"
    assert daemon.cli.run(["explain", str(picture), "--html", str(same), "--config", str(config)]) == 65
    assert "would write over the picture" in capsys.readouterr().err
    assert picture.read_bytes() == b"picture"


def test_vectors_from_elsewhere_are_made_of_no_picture(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"picture")
    assert daemon.cli.run(["explain", str(picture), "--config", str(config)]) == 78
    assert "pictures are not encoded" in capsys.readouterr().err
