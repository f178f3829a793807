"""How an encoder is made, recorded and made again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.errors import BadInputError, ConfigurationError
from daemon.model import Migration
from daemon.reembed.recorded import called, known, named, record, restore, same
from daemon.settings import EncoderSettings, FusedEncoderSettings, OpenClipSettings, load_encoder

CLIP = EncoderSettings(name="open_clip", open_clip=OpenClipSettings(model="ViT-B-32", weights_path=Path("/w.pt")))
AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_record_is_json_and_makes_the_same_encoder_with_the_machines_own_limits() -> None:
    machine = EncoderSettings(name="forensic", threads=7, memory_limit="3GiB", deadline="9m")
    recorded = json.loads(json.dumps(record(CLIP)))
    assert set(recorded) == {"name", "open_clip"}
    again = restore(recorded, machine)
    assert (again.name, again.open_clip) == (CLIP.name, CLIP.open_clip)
    assert (again.threads, again.memory_limit, again.deadline) == (7, 3 * 2**30, machine.deadline)


def test_a_fused_encoders_record_holds_the_sections_of_its_parts() -> None:
    fused = EncoderSettings(name="fused", fused=FusedEncoderSettings(encoders=("forensic", "open_clip")))
    assert set(record(fused)) == {"name", "fused", "open_clip"}
    assert restore(record(fused), EncoderSettings(name="forensic")).fused == fused.fused


def test_what_only_the_machine_decides_makes_no_other_encoder() -> None:
    slower = CLIP.model_copy(update={"threads": 1, "open_clip": CLIP.open_clip.model_copy(update={"batch_size": 1})})
    other = CLIP.model_copy(update={"open_clip": CLIP.open_clip.model_copy(update={"transform": "clip"})})
    assert same(record(CLIP), record(slower))
    assert not same(record(CLIP), record(other))
    assert not same(record(CLIP), record(EncoderSettings(name="forensic")))


def test_a_record_that_this_program_cannot_read_is_a_clear_error() -> None:
    with pytest.raises(ConfigurationError, match=r"encoder future: what the store recorded of it cannot be read"):
        restore({"name": "future"}, CLIP)


def test_people_read_the_name_and_the_model() -> None:
    assert called(record(CLIP)) == "open_clip (ViT-B-32)"
    assert called(record(EncoderSettings(name="forensic"))) == "forensic"


def test_the_newest_record_of_a_fingerprint_counts() -> None:
    first = Migration(1, "a", "b", None, {"name": "one"}, "switched", AT, AT)
    back = replace(first, id=2, from_fingerprint="b", to_fingerprint="a", from_settings={"name": "two"})
    assert known([first]) == {"b": {"name": "one"}}
    assert known([first, back]) == {"b": {"name": "two"}, "a": {"name": "one"}}


def test_an_encoder_that_is_not_there_or_cannot_embed_is_refused() -> None:
    assert named(CLIP, "forensic").name == "forensic"
    with pytest.raises(BadInputError, match="no encoder 'clop'"):
        named(CLIP, "clop")
    with pytest.raises(BadInputError, match="delivered"):
        named(CLIP, "external")


def test_an_encoder_file_is_read_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDWATCH_ENCODER__NAME", "forensic")
    file = tmp_path / "target.yaml"
    file.write_text("encoder: {name: open_clip, open_clip: {model: ViT-B-32, weights_path: w.pt}}\n")
    found = load_encoder(file)
    assert (found.name, found.open_clip.weights_path) == ("open_clip", tmp_path / "w.pt")
    for text, message in (("store: {}\n", "no section `encoder:`"), ("encoder: {nam: x}\n", "nam: unknown key")):
        file.write_text(text)
        with pytest.raises(ConfigurationError, match=message):
            load_encoder(file)
