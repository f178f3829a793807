"""An exported folder becomes a challenger of another store: checked, gated, never in another version's place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cli import run
from daemon.errors import BadInputError
from daemon.learn.importing_export import add_exported, read_exported
from daemon.promote.deciding import roll_back
from daemon.registry.exporting import exported_files, write_folder
from daemon.registry.facts import facts_of
from daemon.supervisor import gate_imports
from tests.integration.test_story import assert_whole
from tests.integration.world import DIMENSION, FINGERPRINT, KNOWN, NEW, SOURCES, World, beginning, candidate


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a store that knows the newcomer gave away."""
    root = tmp_path_factory.mktemp("elsewhere")
    world = World(root / "state")
    world.inbox.put([*beginning(), *(candidate(NEW, i) for i in range(60))])
    world.until_idle()
    champion = world.store.registry.champion()
    assert champion is not None
    write_folder(root / "given", exported_files(facts_of(world.store.registry, world.store.samples, champion)))
    world.store.close()
    return root / "given"


@pytest.fixture(scope="module")
def evaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose champion the newcomer evades, and which may not learn it: its own source is not trusted alone."""
    world = World(tmp_path_factory.mktemp("evaded") / "state")
    world.inbox.put(candidate(name, 5000 + i) for i in range(60) for name in (*SOURCES, *KNOWN))
    world.until_idle()
    learn = world.settings.learn.model_copy(update={"automatic": False})
    world.settings = world.settings.model_copy(update={"learn": learn})
    world.store.close()
    world.open()
    world.inbox.put(candidate(NEW, 5000 + i) for i in range(60))
    world.until_idle()
    world.store.close()
    return world.root


@pytest.fixture
def world(evaded: Path, tmp_path: Path) -> World:
    shutil.copytree(evaded, tmp_path / "state")
    return World(tmp_path / "state")


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def test_it_passes_through_the_gate_and_comes_into_force(world: World, elsewhere: Path) -> None:
    before = world.store.registry.champion()
    record = add_exported(read_exported(elsewhere), world.context)
    assert (record.state, record.learner, record.parent) == ("challenger", "import", before.id if before else None)
    outcome = gate_imports(world.context)
    assert (outcome.version, outcome.decision) == (record.id, "promote")
    champion = world.store.registry.champion()
    assert champion is not None and champion.id == record.id and champion.verdict is not None
    assert [row.actor for row in world.store.registry.audit()] == ["gate", "gate"]
    assert_whole(world)
    assert gate_imports(world.context).version is None
    assert roll_back(world.context, "ada", "only a test").version == (before.id if before else None)


def test_the_same_folder_again_adds_nothing(world: World, elsewhere: Path) -> None:
    exported = read_exported(elsewhere)
    first = add_exported(exported, world.context)
    gate_imports(world.context)
    versions = world.store.registry.versions()
    assert add_exported(exported, world.context).id == first.id
    assert world.store.registry.versions() == versions


def test_one_that_gains_nothing_stays_out(world: World, tmp_path: Path) -> None:
    champion = world.store.registry.champion()
    assert champion is not None
    files = exported_files(facts_of(world.store.registry, world.store.samples, champion))
    again = add_exported(read_exported(written(tmp_path / "own", files)), world.context)
    assert again.id == champion.id, "its own version is known to it"
    assert gate_imports(world.context).version is None


def written(folder: Path, files: dict[str, bytes]) -> Path:
    write_folder(folder, files)
    return folder


def test_a_command_imports_and_judges(evaded: Path, elsewhere: Path, tmp_path: Path, capsys: Any) -> None:
    shutil.copytree(evaded, tmp_path / "state")
    config = tmp_path / "config.yaml"
    external = {"name": "external", "external": {"fingerprint": FINGERPRINT, "dimension": DIMENSION}}
    config.write_text(yaml.safe_dump({"store": {"directory": "state"}, "encoder": external}), encoding="utf-8")
    assert run(["models", "import", str(elsewhere), "--json", "--config", str(config)]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["decision"], done["state"], done["kind"]) == ("promote", "promoted", "closed_form")
    assert run(["models", "import", str(elsewhere), "--config", str(config)]) == 0
    assert "judged before" in capsys.readouterr().out
    assert run(["models", "import", str(tmp_path), "--config", str(config)]) == 65
    complaint = capsys.readouterr().err.strip()
    assert "\n" not in complaint and "models export" in complaint


def resealed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest, and every digest that says so."""
    body = json.loads((folder / "manifest.json").read_bytes())
    body.pop("manifest_sha256")
    change(body)
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    body["manifest_sha256"] = sha256(plain).hexdigest()
    (folder / "manifest.json").write_bytes(
        json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def test_a_version_of_another_encoder_is_refused(world: World, elsewhere: Path, tmp_path: Path) -> None:
    folder = copied(elsewhere, tmp_path / "other")
    resealed(folder, lambda body: body["about"].update(encoder_fingerprint="0" * 64))
    with pytest.raises(BadInputError, match="vectors of two encoders never meet"):
        add_exported(read_exported(folder), world.context)
    assert len(world.store.registry.versions()) == 1


def test_what_a_folder_does_not_say_is_not_asked_for(elsewhere: Path, tmp_path: Path) -> None:
    folder = copied(elsewhere, tmp_path / "older")

    def shortened(body: dict[str, Any]) -> None:
        kept = {"encoder_fingerprint": body["about"]["encoder_fingerprint"], "from_a_later_release": {"a": [1]}}
        body["about"] = kept

    resealed(folder, shortened)
    assert read_exported(folder).fingerprint == FINGERPRINT


def test_one_that_cannot_be_judged_is_rejected_and_the_next_has_its_turn(
    world: World, elsewhere: Path, tmp_path: Path
) -> None:
    folder = copied(elsewhere, tmp_path / "raw only")
    resealed(folder, lambda body: body["thresholds"].pop("laundered"))
    champion = world.store.registry.champion()
    assert champion is not None
    damaged = world.store.registry.add_version(  # as an earlier release would have taken it in
        parent=champion.id,
        fingerprint=champion.fingerprint,
        learner="import",
        statistics_revision=0,
        manifest=(folder / "manifest.json").read_bytes(),
        tensors=(folder / "tensors.safetensors").read_bytes(),
        at=world.clock.now(),
    )
    sound = add_exported(read_exported(elsewhere), world.context)
    assert gate_imports(world.context).version == sound.id
    turned_down = world.store.registry.version(damaged.id)
    assert turned_down.state == "rejected" and turned_down.verdict is not None
    assert "thresholds.laundered" in str(turned_down.verdict["reason"])
    assert world.store.registry.version(sound.id).state == "promoted"
    assert_whole(world)


def test_a_store_without_a_champion_has_nothing_to_compare_it_with(elsewhere: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no champion yet"):
        add_exported(read_exported(elsewhere), World(tmp_path / "empty").context)


def _flip(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))


def _nested(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"[" * 200_000)
    digests = {n: sha256((folder / n).read_bytes()).hexdigest() for n in ("manifest.json", "tensors.safetensors")}
    (folder / "SHA256SUMS").write_text("".join(f"{d}  {n}\n" for n, d in digests.items()), encoding="ascii")


def _swapped_tensors(folder: Path) -> None:
    (folder / "tensors.safetensors").write_bytes(b"\0" * 64)
    resealed(folder, lambda body: None)


def _deep(levels: int) -> list[Any]:
    return [_deep(levels - 1)] if levels else []


def _replaced(folder: Path, before: bytes, after: bytes) -> None:
    """What `json` reads and would not write as it is."""
    manifest = (folder / "manifest.json").read_bytes()
    assert before in manifest
    (folder / "manifest.json").write_bytes(manifest.replace(before, after))
    digests = {n: sha256((folder / n).read_bytes()).hexdigest() for n in ("manifest.json", "tensors.safetensors")}
    (folder / "SHA256SUMS").write_text("".join(f"{d}  {n}\n" for n, d in digests.items()), encoding="ascii")


def _fifo(folder: Path) -> None:
    import os

    (folder / "tensors.safetensors").unlink()
    os.mkfifo(folder / "tensors.safetensors")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: _flip(folder, "tensors.safetensors"),
        lambda folder: _flip(folder, "manifest.json"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "SHA256SUMS").unlink(),
        lambda folder: (folder / "SHA256SUMS").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "SHA256SUMS").write_text("../../etc/passwd\n"),
        _swapped_tensors,
        _nested,
        _fifo,
        lambda folder: resealed(folder, lambda body: body["about"].pop("encoder_fingerprint")),
        lambda folder: resealed(folder, lambda body: body["heads"]["head"].update(kind="unknown")),
        lambda folder: resealed(folder, lambda body: body["thresholds"].clear()),
        lambda folder: resealed(folder, lambda body: body["thresholds"].pop("laundered")),
        lambda folder: resealed(folder, lambda body: body["thresholds"]["raw"].update(left_out="zz")),
        lambda folder: resealed(folder, lambda body: body["thresholds"]["raw"].update(method=["split_conformal"])),
        lambda folder: resealed(folder, lambda body: body["thresholds"]["raw"].update(value=10**400)),
        lambda folder: resealed(folder, lambda body: body["heads"]["head"].update(limits=[1])),
        lambda folder: resealed(folder, lambda body: body["about"].update(statistics="x")),
        lambda folder: resealed(folder, lambda body: body["about"]["statistics"].update(groups=[{"kind": "family"}])),
        lambda folder: resealed(folder, lambda body: body["about"].update(exclusions=[1])),
        lambda folder: resealed(folder, lambda body: body["about"].update(exclusions="xx")),
        lambda folder: resealed(folder, lambda body: body["about"].update(dataset=[1])),
        lambda folder: resealed(folder, lambda body: body["about"].update(settings=7)),
        lambda folder: resealed(folder, lambda body: body["about"].update(code_version=["0.1.0"])),
        lambda folder: resealed(folder, lambda body: body["about"].update(note=_deep(500))),
        lambda folder: _replaced(folder, b'"learner":"closed_form"', b'"learner":NaN'),
        lambda folder: _replaced(folder, b'"learner":"closed_form"', b'"learner":"\\ud800"'),
    ],
)
def test_a_spoilt_folder_is_refused_in_one_line(spoil: Callable[[Path], None], elsewhere: Path, tmp_path: Path) -> None:
    folder = copied(elsewhere, tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(BadInputError) as refused:
        read_exported(folder)
    assert str(refused.value).startswith(f"{folder}: ") and "\n" not in str(refused.value)
