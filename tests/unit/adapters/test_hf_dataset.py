"""What the hf_dataset adapter delivers, refuses and remembers, on Parquet files that the library wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import datasets
import pytest
from pydantic import ValidationError

from adapters.checks import assert_conforms
from adapters.hf_dataset import HfDatasetAdapter, HfDatasetOptions
from adapters.presets import PRESETS
from daemon.errors import BadInputError
from daemon.intake.polling import poll_in_child
from daemon.model import Candidate
from daemon.slug import is_slug

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMIT = "0" * 40
MADE_BY = ("clic2020", "FLUX.1-dev", "FLUX.1-schnell", "SD3-medium", "imagen3")


def row(number: int, **said: Any) -> dict[str, Any]:
    content = f"picture {number}".encode()
    return {"image": {"bytes": content, "path": f"{number}.jpg"}, "prompt": f"a cat {number}", "seed": number, **said}


def write(folder: Path, rows: list[dict[str, Any]], shard: int = 0, **features: Any) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    made = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image(decode=False))
    for column, feature in features.items():
        made = made.cast_column(column, feature)
    made.to_parquet(str(folder / f"data/train-{shard:05d}.parquet"), batch_size=50)


def adapter(folder: Path, **options: Any) -> HfDatasetAdapter:
    given = {
        "path": str(folder),
        "columns": {"caption": "prompt"},
        "defaults": {"label": "synthetic", "family": "dalle_3"},
        **options,
    }
    return HfDatasetAdapter("h", HfDatasetOptions.model_validate(given))


def poll(made: HfDatasetAdapter, cursor: str | None = None, budget: int = 1000) -> tuple[list[Candidate], str | None]:
    found: list[Candidate] = []
    for batch in made.poll(cursor, budget, NOW):
        found += batch.candidates
        cursor = batch.cursor
    return found, cursor


def test_pictures_come_undecoded_with_caption_and_seed(tmp_path: Path) -> None:
    write(tmp_path, [row(i) for i in range(2)])
    (first, second), _ = poll(adapter(tmp_path))
    assert (first.uri, first.content, first.caption) == ("train-000001/0.jpg", b"picture 0", "a cat 0")
    assert (first.label, first.family) == ("synthetic", "dalle_3")
    assert second.generation == {"seed": 1}


def test_the_adapter_keeps_the_contract_over_shards_bad_rows_included(tmp_path: Path) -> None:
    rows = [row(i) for i in range(130)]
    rows[7]["image"] = None
    rows[70]["image"] = {"bytes": b"x" * 2000, "path": None}
    rows[90]["image"] = {"bytes": None, "path": "/etc/passwd"}
    rows[91]["image"] = {"bytes": None, "path": "../../secret.jpg"}
    write(tmp_path, rows)
    write(tmp_path, [row(i) for i in range(130, 180)], shard=1)
    made = lambda: adapter(tmp_path, max_bytes=1000)  # noqa: E731
    assert_conforms(made, NOW, bad=4)
    found, _ = poll(made())
    assert len(found) == 180
    assert [found[i].problem for i in (7, 70, 90, 91)] == ["bad_record", "too_many_bytes", "bad_record", "bad_record"]


def test_pictures_that_are_files_of_the_dataset_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a file")
    write(tmp_path, [row(0, image={"bytes": None, "path": "a.jpg"})])
    assert poll(adapter(tmp_path))[0][0].content == b"a file"


def test_another_version_of_the_library_reads_the_rows_again_and_goes_on(tmp_path: Path) -> None:
    write(tmp_path, [row(i) for i in range(100)])
    _, cursor = poll(adapter(tmp_path), budget=73)
    assert cursor is not None
    other = json.dumps({**json.loads(cursor), "library": "4.0.0", "mark": {"strange": 1}})
    found, _ = poll(adapter(tmp_path), other)
    assert [one.content for one in found] == [f"picture {i}".encode() for i in range(73, 100)]


def test_a_folder_that_changed_and_other_options_start_over(tmp_path: Path) -> None:
    write(tmp_path, [row(i) for i in range(5)])
    _, cursor = poll(adapter(tmp_path))
    assert poll(adapter(tmp_path), cursor)[0] == []
    assert len(poll(adapter(tmp_path, defaults={"label": "real"}), cursor)[0]) == 5
    assert len(poll(adapter(tmp_path), "of another kind")[0]) == 5
    write(tmp_path, [row(i) for i in range(5, 8)], shard=1)
    assert len(poll(adapter(tmp_path), cursor)[0]) == 8


def test_names_of_a_class_label_stand_for_its_numbers(tmp_path: Path) -> None:
    write(
        tmp_path,
        [row(i, label=i % 2) for i in range(2)],
        label=datasets.ClassLabel(names=["real", "synthetic"]),
    )
    found, _ = poll(adapter(tmp_path))
    assert [(one.label, one.family) for one in found] == [("real", None), ("synthetic", "dalle_3")]


def test_synthclic_groups_a_photograph_with_its_four_fakes(tmp_path: Path) -> None:
    rows = [row(i, image_id=f"id{i // 5}", source=MADE_BY[i % 5], label=int(i % 5 > 0)) for i in range(10)]
    write(tmp_path, rows)
    found, _ = poll(
        HfDatasetAdapter("h", HfDatasetOptions.model_validate({"preset": "synthclic", "path": str(tmp_path)}))
    )
    assert [one.problem for one in found] == [None] * 10
    assert [one.group for one in found] == ["id0"] * 5 + ["id1"] * 5
    assert [one.family for one in found[:5]] == [None, "flux_1_dev", "flux_1_schnell", "sd_3_medium", "imagen_3"]
    assert [one.label for one in found[:5]] == ["real"] + ["synthetic"] * 4
    assert (found[0].released, found[1].released) == (None, "2024-08")


def test_a_family_that_is_not_released_waits(tmp_path: Path) -> None:
    write(tmp_path, [row(0, released=""), row(1, released="2026-03-01")])
    made = adapter(tmp_path)
    found, cursor = poll(made)
    assert len(found) == 1
    later = [one for batch in made.poll(cursor, 10, datetime(2026, 3, 1, tzinfo=UTC)) for one in batch.candidates]
    assert [one.content for one in later] == [b"picture 1"]


def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    write(tmp_path, [row(0)])
    for options, says in (
        ({"path": str(tmp_path / "absent")}, "cannot be opened"),
        ({"split": "test"}, "cannot be opened"),
        ({"columns": {"caption": "promt"}}, "has no column 'promt'; it has image, prompt, seed"),
        ({"token_variable": "SIDWATCH_NO_SUCH_TOKEN"}, "is not set"),
    ):
        with pytest.raises(BadInputError, match=says):
            poll(adapter(tmp_path, **options))
    (tmp_path / "data/train-00000.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(BadInputError, match=r"cannot be opened|breaks off"):
        poll(adapter(tmp_path))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "a/b"}, "give the commit"),
        ({"path": "a/b", "revision": "main"}, "give the commit"),
        ({"path": "parquet", "revision": COMMIT}, "neither a folder nor"),
        ({"path": "https://x/y", "revision": COMMIT}, "neither a folder nor"),
        ({"path": "/a", "revision": COMMIT}, "a folder has none"),
        ({"preset": "nonsense"}, "there are cnnspot_small, synthbuster_plus, synthclic"),
        ({"preset": "synthclic"}, "give the commit"),
    ],
)
def test_a_dataset_of_the_hub_is_pinned_to_a_commit(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        HfDatasetOptions.model_validate(options)


def test_a_poll_that_is_broken_off_ends_its_process_in_good_order(tmp_path: Path) -> None:
    write(tmp_path, [row(i) for i in range(300)])
    options = {"path": str(tmp_path), "defaults": {"label": "synthetic"}}
    batches = poll_in_child("h", "hf_dataset", options, None, 20, NOW, deadline=120, memory_limit=2 * 2**30, secrets={})
    assert sum(len(batch.candidates) for batch in batches) == 20


@pytest.mark.parametrize(
    ("preset", "rows", "expected"),
    [
        (
            "synthbuster_plus",
            [(0, "raise1k"), (1, "midjourney-v5"), (1, "imagen3")],
            [
                ("real", None, None, "raise1k"),
                ("synthetic", "midjourney_v5", "2023-03", "midjourney-v5"),
                ("synthetic", "imagen_3", "2024-08", "imagen3"),
            ],
        ),
        (
            "cnnspot_small",
            [(0, "progan"), (1, "progan"), (0, "laion"), (1, "ldm_200_cfg")],
            [
                ("real", None, None, "cnnspot_lsun"),
                ("synthetic", "progan", None, "cnnspot_lsun"),
                ("real", None, None, "cnnspot_laion"),
                ("synthetic", "latent_diffusion", None, "cnnspot_ldm"),
            ],
        ),
    ],
)
def test_the_other_presets_read_their_datasets_words(
    tmp_path: Path, preset: str, rows: list[tuple[int, str]], expected: list[tuple[Any, ...]]
) -> None:
    write(
        tmp_path,
        [
            {
                "image": {"bytes": b"x", "path": None},
                "image_id": f"i{number}",
                "label": label,
                "ds_name": preset,
                "source": source,
            }
            for number, (label, source) in enumerate(rows)
        ],
    )
    options = HfDatasetOptions.model_validate({"preset": preset, "path": str(tmp_path)})
    found, _ = poll(HfDatasetAdapter("h", options))
    assert [(one.label, one.family, one.released, one.source) for one in found] == expected
    assert [one.group for one in found] == [f"i{number}" for number in range(len(rows))]


def test_every_preset_names_families_as_they_must_be_named() -> None:
    for preset in PRESETS.values():
        for family in preset["words"]["family"].values():
            assert family == "" or is_slug(family)
