"""What the manifest adapter delivers, refuses and remembers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from adapters.manifest import ManifestAdapter, ManifestOptions
from daemon.errors import BadInputError
from daemon.intake.wire import as_sent
from daemon.model import Candidate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHA = "ab" * 32


def write_csv(file: Path, rows: Iterable[dict[str, Any]], columns: str = "uri,label,family,released") -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns.split(","), restval="")
        writer.writeheader()
        writer.writerows(rows)


def pictures(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"bytes of {name}".encode())


def poll(
    path: Path | str, cursor: str | None = None, budget: int = 1000, now: datetime = NOW, **options: Any
) -> tuple[list[Candidate], str | None]:
    adapter = ManifestAdapter("m", ManifestOptions.model_validate({"path": str(path), **options}))
    found: list[Candidate] = []
    for batch in adapter.poll(cursor, budget, now):
        found += batch.candidates
        cursor = batch.cursor
    return found, cursor


def test_seed_parameters_licence_and_consent_travel_along(tmp_path: Path) -> None:
    columns = "uri,label,family,seed,generation,licence,consent"
    made = json.dumps({"model": "m", "guidance": 7.5, "unused": None})
    found = only(tmp_path, columns, family="f", seed="18", generation=made, licence="CC0-1.0", consent="asked")
    assert found.generation == {"model": "m", "guidance": 7.5, "seed": 18}
    assert (found.licence, found.consent) == ("CC0-1.0", "asked")


@pytest.mark.parametrize("cell", ["[1]", "{", '{"sigmas": [1]}', '{"a": NaN}'])
def test_parameters_that_are_no_flat_object_are_a_bad_record(tmp_path: Path, cell: str) -> None:
    found = only(tmp_path, "uri,label,generation", generation=cell)
    assert found.problem == "bad_record"
    assert "generation" in found.problem_detail


def uris(candidates: Iterable[Candidate]) -> list[str]:
    return [candidate.uri for candidate in candidates]


def only(tmp_path: Path, columns: str = "uri,label,family,released", **row: Any) -> Candidate:
    """The one candidate of a manifest of one row about an existing picture."""
    pictures(tmp_path, "a.jpg")
    write_csv(tmp_path / "m.csv", [{"uri": "a.jpg", "label": "synthetic", **row}], columns)
    (candidate,), _ = poll(tmp_path / "m.csv")
    return candidate


# --- reading --------------------------------------------------------------------------------------------------


def test_every_column_reaches_the_candidate_and_extras_are_ignored(tmp_path: Path) -> None:
    columns = "uri,label,family,kind,released,group,source,caption,sha256,width"
    candidate = only(
        tmp_path,
        columns,
        family="dalle_3",
        kind="diffusion",
        released="2023-10",
        group="prompt:7",
        source="a/b",
        caption="two\nlines, and a comma",
        sha256=SHA.upper(),
        width=9,
    )
    assert candidate == Candidate(
        uri="a.jpg",
        content=b"bytes of a.jpg",
        label="synthetic",
        family="dalle_3",
        kind="diffusion",
        released="2023-10",
        group="prompt:7",
        source="a/b",
        caption="two\nlines, and a comma",
        sha256=SHA,
    )


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_three_formats_say_the_same(tmp_path: Path, suffix: str) -> None:
    pictures(tmp_path, "a.jpg", "b.png")
    rows = [
        {"uri": "a.jpg", "label": "synthetic", "family": "dalle_3", "released": "2023-10-05", "group": "1"},
        {"uri": "b.png", "label": "Real", "family": "", "released": "", "group": ""},
    ]
    file = tmp_path / f"m{suffix}"
    if suffix == ".csv":
        write_csv(file, rows, "uri,label,family,released,group")
    elif suffix == ".jsonl":
        file.write_text("".join(json.dumps({**row, "group": int(row["group"] or 1)}) + "\n" for row in rows[:1]))
        with file.open("a") as stream:
            stream.write('\n{"uri": "b.png", "label": "Real", "family": null}\n')
    else:
        pq.write_table(
            pa.table(
                {
                    "uri": ["a.jpg", "b.png"],
                    "label": ["synthetic", "Real"],
                    "family": ["dalle_3", None],
                    "released": [date(2023, 10, 5), None],
                    "group": [1, None],
                }
            ),
            file,
        )
    found, _ = poll(file)
    assert found == [
        Candidate("a.jpg", b"bytes of a.jpg", "synthetic", "dalle_3", group="1", released="2023-10-05"),
        Candidate("b.png", b"bytes of b.png", "real"),
    ]


def test_a_manifest_and_its_pictures_may_live_at_a_url() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/set/list.csv", b"uri,label\nx/a.jpg,real\nmemory://set/b.jpg,real\nmemory://other/c.jpg,real\n")
    for name in ("/set/x/a.jpg", "/set/b.jpg", "/other/c.jpg"):
        memory.pipe(name, name.encode())
    found, _ = poll("memory://set/list.csv")
    assert [(c.content, c.problem) for c in found] == [
        (b"/set/x/a.jpg", None),
        (b"/set/b.jpg", None),
        (None, "bad_record"),
    ]


def test_a_root_elsewhere_is_where_the_pictures_are(tmp_path: Path) -> None:
    pictures(tmp_path / "elsewhere", "a.jpg")
    write_csv(tmp_path / "m.csv", [{"uri": "a.jpg", "label": "real"}])
    (candidate,), _ = poll(tmp_path / "m.csv", root=str(tmp_path / "elsewhere"))
    assert candidate.content == b"bytes of a.jpg"


def test_a_byte_order_mark_and_a_named_format_are_understood(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg")
    (tmp_path / "list.txt").write_bytes("\ufeffuri,label\r\na.jpg,real\r\n".encode())
    (candidate,), _ = poll(tmp_path / "list.txt", format="csv")
    assert candidate.label == "real"


@pytest.mark.parametrize("content", [b"", b"uri,label\n"])
def test_an_empty_manifest_gives_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.csv").write_bytes(content)
    assert poll(tmp_path / "m.csv") == ([], None)


# --- what the whole manifest may do wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", b"uri,Label,family\n", "the column 'label' is missing; there are: uri, Label, family"),
        ("m.csv", b"label\nreal\n", "the column 'uri' is missing; there are: label"),
        ("m.csv", b"uri,label,uri\n", "the column 'uri' is there 2 times"),
        ("m.csv", b"uri,label\n\xff.jpg,real\n", "line 2 is not UTF-8 text"),
        ("m.csv", b'uri,label\n"a.jpg,real\n', "not readable as CSV"),
        ("m.jsonl", b'{"uri": "a.jpg", "lable": "real"}\n', "the column 'label' is missing; there are: uri, lable"),
        ("m.parquet", b"this is not parquet", "not readable as Parquet"),
        ("m.xlsx", b"PK", "not .csv, .jsonl or .parquet"),
    ],
)
def test_a_wrong_manifest_is_one_clear_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError) as caught:
        poll(tmp_path / name)
    assert message in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_column_in_parquet_names_what_is_there(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uri": ["a.jpg"], "class": ["real"]}), tmp_path / "m.parquet")
    with pytest.raises(BadInputError, match="'label' is missing; there are: uri, class"):
        poll(tmp_path / "m.parquet")


def test_an_absent_manifest_and_a_folder_in_its_place_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no such manifest"):
        poll(tmp_path / "none.csv")
    (tmp_path / "m.csv").mkdir()
    with pytest.raises(BadInputError, match="cannot be opened"):
        poll(tmp_path / "m.csv")
    with pytest.raises(BadInputError, match="nosuch"):
        poll("nosuch://bucket/m.csv")


# --- what one row may do wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"label": "fake"}, "label 'fake' is not one of real, synthetic"),
        ({"label": "ai"}, "label 'ai'"),
        ({"label": "0"}, "label '0'"),
        ({"family": "DALL-E 3"}, "family 'DALL-E 3' must be lower snake case, such as 'dall_e_3'"),
        ({"family": "a" * 65}, "has 65 characters: at most 64, lower snake case"),
        ({"family": "real"}, "family 'real' is reserved"),
        ({"label": "real", "family": "dalle_3"}, "label real with family 'dalle_3'"),
        ({"released": "10/2023"}, "released '10/2023' is not YYYY"),
        ({"released": "2023-13"}, "released '2023-13' is no date"),
        ({"uri": ""}, "uri is empty"),
    ],
)
def test_a_bad_row_is_a_bad_record_that_names_row_and_cell(tmp_path: Path, row: dict[str, str], says: str) -> None:
    candidate = only(tmp_path, **row)
    assert candidate.problem == "bad_record"
    assert candidate.problem_detail.startswith("row 1 of ")
    assert says in candidate.problem_detail
    assert (candidate.content, candidate.label, candidate.family) == (None, None, None)


def test_a_bad_row_does_not_stop_the_next(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg")
    (tmp_path / "m.csv").write_text("uri,label\na.jpg\na.jpg,fake\na.jpg,real,extra\na.jpg,real\n")
    found, _ = poll(tmp_path / "m.csv")
    assert [c.problem for c in found] == ["bad_record"] * 3 + [None]
    assert "row 1 " in found[0].problem_detail and "has 1 cells, the header 2" in found[0].problem_detail
    assert found[0].uri == "row-1"


def test_bad_lines_of_jsonl_are_bad_records(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg")
    (tmp_path / "m.jsonl").write_text(
        '{"uri": "a.jpg", "label": "real"}\n{"uri": \n[1]\n{"uri": "a.jpg"}\n{"uri": "a.jpg", "label": 0}\n'
    )
    found, _ = poll(tmp_path / "m.jsonl")
    assert [c.problem for c in found] == [None] + ["bad_record"] * 4
    assert [c.problem_detail.split(": ", 1)[1] for c in found[1:4]] == [
        "is not a JSON object",
        "is not a JSON object",
        "has no 'label'",
    ]


@pytest.mark.parametrize("label", ["", "unknown", "Unknown"])
def test_an_empty_or_unknown_label_is_unknown(tmp_path: Path, label: str) -> None:
    candidate = only(tmp_path, label=label)
    assert (candidate.label, candidate.problem, candidate.content) == (None, None, b"bytes of a.jpg")


def test_a_picture_that_cannot_be_had_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    write_csv(tmp_path / "m.csv", [{"uri": "none.jpg", "label": "real"}, {"uri": "folder.jpg", "label": "real"}])
    found, _ = poll(tmp_path / "m.csv")
    assert [c.problem for c in found] == ["unreadable", "unreadable"]
    assert "No such file" in found[0].problem_detail
    assert found[0].label == "real"


def test_a_picture_over_the_cap_or_of_another_format_is_not_read(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg", "a.gif")
    write_csv(tmp_path / "m.csv", [{"uri": "a.jpg", "label": "real"}, {"uri": "a.gif", "label": "real"}])
    found, _ = poll(tmp_path / "m.csv", max_bytes=5)
    assert [(c.problem, c.content) for c in found] == [("too_many_bytes", None), ("format_not_allowed", None)]


@pytest.mark.parametrize(
    "uri",
    [
        "../secret.jpg",
        "x/../../secret.jpg",
        "{outside}/secret.jpg",
        "file://{outside}/secret.jpg",
        "%2e%2e/secret.jpg",
        "https://example.org/secret.jpg",
        "zip://a.jpg::{outside}/a.zip",
        "link.jpg",
        "linked/secret.jpg",
        "nul\\0.jpg",
    ],
)
def test_a_manifest_cannot_name_a_file_outside_of_its_root(tmp_path: Path, uri: str) -> None:
    pictures(tmp_path, "secret.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "linked").symlink_to(tmp_path)
    text = uri.format(outside=tmp_path).replace("\\0", "\0")
    (root / "m.jsonl").write_text(json.dumps({"uri": text, "label": "real"}))
    (candidate,), _ = poll(root / "m.jsonl")
    assert (candidate.problem, candidate.content) == ("bad_record", None)


def test_paths_and_links_that_stay_inside_the_root_are_fine(tmp_path: Path) -> None:
    pictures(tmp_path, "x/a.jpg")
    (tmp_path / "link.jpg").symlink_to("x/a.jpg")
    inside = ["x/../x/a.jpg", str(tmp_path / "x/a.jpg"), "link.jpg"]
    write_csv(tmp_path / "m.csv", [{"uri": uri, "label": "real"} for uri in inside])
    found, _ = poll(tmp_path / "m.csv")
    assert [c.content for c in found] == [b"bytes of x/a.jpg"] * 3


# --- vectors and scores ---------------------------------------------------------------------------------------


def test_vectors_come_instead_of_pictures_from_json_and_from_parquet(tmp_path: Path) -> None:
    row = {"uri": "gone.jpg", "label": "real", "sha256": SHA, "vector_fingerprint": "f1"}
    write_csv(tmp_path / "m.csv", [{**row, "vector": "[1, -0.5]"}], "uri,label,sha256,vector,vector_fingerprint")
    table = {name: [value] for name, value in row.items()} | {"vector": pa.array([[1.0, -0.5]], pa.list_(pa.float32()))}
    pq.write_table(pa.table(table), tmp_path / "m.parquet")
    for name in ("m.csv", "m.parquet"):
        (candidate,), _ = poll(tmp_path / name)
        assert candidate.vector is not None
        assert candidate.vector.dtype == np.float16
        assert candidate.vector.tolist() == [1.0, -0.5]
        assert (candidate.vector_fingerprint, candidate.sha256, candidate.content) == ("f1", SHA, None)


def test_an_outside_score_comes_instead_of_a_picture(tmp_path: Path) -> None:
    columns = "uri,label,sha256,score,detector"
    candidate = only(tmp_path, columns, uri="gone.jpg", sha256=SHA, score="0.75", detector="other")
    assert candidate.outside_scores == (("other", 0.75),)
    assert candidate.problem is None and candidate.content is None


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"vector": "[1]", "vector_fingerprint": "f"}, "needs the picture's sha256"),
        ({"vector": "[1]", "sha256": SHA}, "without a vector_fingerprint"),
        ({"vector": "", "vector_fingerprint": "f"}, "without a vector"),
        ({"vector": "[1, 70000]", "sha256": SHA, "vector_fingerprint": "f"}, "range of float16"),
        ({"vector": "[NaN]", "sha256": SHA, "vector_fingerprint": "f"}, "finite"),
        ({"vector": "[[1]]", "sha256": SHA, "vector_fingerprint": "f"}, "list of numbers"),
        ({"vector": "[]", "sha256": SHA, "vector_fingerprint": "f"}, "flat list"),
        ({"vector": "1;2", "sha256": SHA, "vector_fingerprint": "f"}, "JSON list"),
        ({"score": "0.5", "sha256": SHA}, "without a detector"),
        ({"detector": "d", "sha256": SHA}, "without a score"),
        ({"score": "high", "detector": "d", "sha256": SHA}, "not a number"),
        ({"score": "nan", "detector": "d", "sha256": SHA}, "not finite"),
        ({"sha256": "abc"}, "64 hex digits"),
    ],
)
def test_a_bad_vector_or_score_is_a_bad_record(tmp_path: Path, row: dict[str, str], says: str) -> None:
    candidate = only(tmp_path, "uri,label,sha256,vector,vector_fingerprint,score,detector", **row)
    assert candidate.problem == "bad_record"
    assert says in candidate.problem_detail


# --- filters --------------------------------------------------------------------------------------------------


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """Three families, one without a date, one picture of unknown origin, two reals."""
    rows = [
        {"uri": "gan.jpg", "label": "synthetic", "family": "stylegan2", "released": "2019-12"},
        {"uri": "dalle.jpg", "label": "synthetic", "family": "dalle_2", "released": "2022-04"},
        {"uri": "some.jpg", "label": "synthetic", "family": "undated", "released": ""},
        {"uri": "what.jpg", "label": "", "family": "", "released": ""},
        {"uri": "r1.jpg", "label": "real", "family": "", "released": ""},
        {"uri": "r2.jpg", "label": "real", "family": "", "released": ""},
    ]
    pictures(tmp_path, *(row["uri"] for row in rows))
    write_csv(tmp_path / "m.csv", rows)
    return tmp_path / "m.csv"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["gan", "dalle", "some", "what", "r1", "r2"]),
        ({"labels": ["real"]}, ["r1", "r2"]),
        ({"labels": ["unknown"]}, ["what"]),
        ({"families": {"include": ["dalle_2"]}}, ["dalle", "r1", "r2"]),
        ({"families": {"exclude": ["dalle_2"]}, "labels": ["synthetic"]}, ["gan", "some"]),
        ({"released": {"before": 2021}}, ["gan", "r1", "r2"]),
        ({"released": {"from": date(2022, 4, 1)}, "labels": ["synthetic"]}, ["dalle"]),
        ({"released": {"from": "2022-04-02"}, "labels": ["synthetic"]}, []),
        ({"released": {"before": "2021", "undated": "include"}}, ["gan", "some", "what", "r1", "r2"]),
        ({"limit": 2}, ["gan", "dalle"]),
    ],
)
def test_filters(field: Path, options: dict[str, Any], expected: list[str]) -> None:
    found, _ = poll(field, **options)
    assert uris(found) == [f"{name}.jpg" for name in expected]


@pytest.mark.parametrize(
    "options",
    [
        {"familys": {}},
        {"families": {"include": ["DALL-E 2"]}},
        {"released": {"before": "soon"}},
        {"labels": ["fake"]},
        {"limit": 0},
    ],
)
def test_wrong_options_are_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ManifestOptions.model_validate({"path": "m.csv", **options})


# --- the cursor -----------------------------------------------------------------------------------------------


def numbered(tmp_path: Path, count: int, first: str = "real") -> Path:
    names = [f"{i:03}.jpg" for i in range(count)]
    pictures(tmp_path, *names)
    write_csv(
        tmp_path / "m.csv",
        [{"uri": name, "label": "real" if i else first} for i, name in enumerate(names)],
        "uri,label",
    )
    return tmp_path / "m.csv"


def test_a_grown_manifest_continues_behind_what_was_delivered(tmp_path: Path) -> None:
    found, cursor = poll(numbered(tmp_path, 3))
    assert len(found) == 3
    assert poll(tmp_path / "m.csv", cursor) == ([], cursor)
    found, _ = poll(numbered(tmp_path, 5), cursor)
    assert uris(found) == ["003.jpg", "004.jpg"]


def test_a_manifest_whose_earlier_rows_changed_starts_over(tmp_path: Path) -> None:
    _, cursor = poll(numbered(tmp_path, 3))
    found, _ = poll(numbered(tmp_path, 3, first="unknown"), cursor)
    assert len(found) == 3
    found, _ = poll(numbered(tmp_path, 2), cursor)
    assert len(found) == 2


def test_other_filters_and_a_foreign_cursor_start_over(tmp_path: Path) -> None:
    found, cursor = poll(numbered(tmp_path, 3))
    assert len(poll(tmp_path / "m.csv", cursor, labels=["real"])[0]) == 3
    assert len(poll(tmp_path / "m.csv", '{"marks": {}}')[0]) == 3
    assert len(poll(tmp_path / "m.csv", "no json")[0]) == 3
    assert len(found) == 3


def test_a_manifest_that_changes_while_it_is_read_loses_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = numbered(tmp_path, 3)
    _, cursor = poll(file)
    real, passes = ManifestAdapter.rows, [0]

    def rows(self: ManifestAdapter, stream: Any) -> Any:
        passes[0] += 1
        if passes[0] == 2:  # the rows were compared with the cursor and found unchanged
            numbered(tmp_path, 5, first="unknown")
        return real(self, stream)

    monkeypatch.setattr(ManifestAdapter, "rows", rows)
    with pytest.raises(BadInputError, match="changed while it was read"):
        poll(file, cursor)
    monkeypatch.undo()
    assert len(poll(file, cursor)[0]) == 5


def test_batches_hold_64_candidates_and_the_budget_is_kept(tmp_path: Path) -> None:
    adapter = ManifestAdapter("m", ManifestOptions(path=str(numbered(tmp_path, 130))))
    assert [len(batch.candidates) for batch in adapter.poll(None, 1000, NOW)] == [64, 64, 2]
    assert [len(batch.candidates) for batch in adapter.poll(None, 70, NOW)] == [64, 6]
    assert list(adapter.poll(None, 0, NOW)) == []


def test_batches_are_closed_once_they_are_heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.batching.BATCH_BYTES", 30)  # every picture here has 16 bytes
    adapter = ManifestAdapter("m", ManifestOptions(path=str(numbered(tmp_path, 5))))
    assert [len(batch.candidates) for batch in adapter.poll(None, 1000, NOW)] == [2, 2, 1]


def test_a_family_is_held_back_until_its_release_and_then_delivered_once(tmp_path: Path) -> None:
    rows = [
        {"uri": "new1.jpg", "label": "synthetic", "family": "new", "released": "2023-07"},
        {"uri": "old.jpg", "label": "synthetic", "family": "old", "released": "2019"},
        {"uri": "new2.jpg", "label": "synthetic", "family": "new", "released": "2023-07"},
        {"uri": "newest.jpg", "label": "synthetic", "family": "newest", "released": "2024-01-15"},
        {"uri": "real.jpg", "label": "real"},
    ]
    pictures(tmp_path, *(row["uri"] for row in rows))
    write_csv(tmp_path / "m.csv", rows)
    file = tmp_path / "m.csv"
    found, cursor = poll(file, now=datetime(2023, 6, 30, tzinfo=UTC))
    assert uris(found) == ["old.jpg", "real.jpg"]
    july = datetime(2023, 7, 1, tzinfo=UTC)
    assert uris(poll(file, cursor, now=july)[0]) == ["new1.jpg", "new2.jpg"]
    # in the middle of what was held back, the time moves on
    found, cursor = poll(file, cursor, budget=1, now=july)
    assert uris(found) == ["new1.jpg"]
    found, cursor = poll(file, cursor, now=NOW)
    assert uris(found) == ["new2.jpg", "newest.jpg"]
    assert poll(file, cursor, now=NOW) == ([], cursor)
    # a clock put back never delivers from the future, and loses nothing when it is right again
    early, back = poll(file, cursor, now=july)
    assert early == []
    assert uris(poll(file, back, now=NOW)[0]) == []


def test_a_clock_put_back_while_rows_are_held_back_loses_none(tmp_path: Path) -> None:
    pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    row = {"label": "synthetic", "family": "new", "released": "2024"}
    write_csv(tmp_path / "m.csv", [{"uri": "a.jpg", **row}])
    _, cursor = poll(tmp_path / "m.csv")
    write_csv(tmp_path / "m.csv", [{"uri": "a.jpg", **row}, {"uri": "b.jpg", **row}, {"uri": "c.jpg", "label": "real"}])
    found, cursor = poll(tmp_path / "m.csv", cursor, now=datetime(2023, 1, 1, tzinfo=UTC))
    assert uris(found) == ["c.jpg"]
    assert "b.jpg" in uris(poll(tmp_path / "m.csv", cursor)[0])


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_a_row_of_megabytes_does_not_stop_the_next(tmp_path: Path, name: str) -> None:
    pictures(tmp_path, "a.jpg", "b.jpg")
    long, short = "c" * 5_000_000, "c"
    text = f"uri,label,caption\na.jpg,real,{long}\nb.jpg,real,{short}\n"
    if name.endswith("jsonl"):
        rows = [{"uri": "a.jpg", "label": "real", "caption": long}, {"uri": "b.jpg", "label": "real", "caption": short}]
        text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / name).write_text(text, encoding="utf-8")
    found, _ = poll(tmp_path / name)
    assert [as_sent(one, 1000).problem for one in found] == ["bad_record", None]
