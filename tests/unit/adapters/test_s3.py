"""A manifest and its pictures in a bucket, through s3fs against an S3 server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import s3fs
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from adapters.checks import assert_conforms
from adapters.manifest import ManifestAdapter, ManifestOptions
from adapters.webdataset import WebdatasetAdapter, WebdatasetOptions
from daemon.errors import BadInputError
from daemon.model import Candidate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3fs.S3FileSystem]:
    """An S3 file system that is found by the environment, as an adapter's `secrets` hand it over."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.call_s3("create_bucket", Bucket="samples")
    yield files
    files.rm("samples", recursive=True)


def fill(files: s3fs.S3FileSystem, count: int = 40) -> None:
    rows = []
    for i in range(count):
        rows.append({"uri": f"pictures/{i}.jpg", "label": "synthetic", "family": "dalle_3", "seed": i})
        if i % 10 != 7:
            files.pipe_file(f"samples/drop/pictures/{i}.jpg", f"picture {i}".encode())
    files.pipe_file("samples/drop/m.jsonl", "\n".join(json.dumps(row) for row in rows).encode())


def adapter(**options: object) -> ManifestAdapter:
    return ManifestAdapter("m", ManifestOptions.model_validate({"path": "s3://samples/drop/m.jsonl", **options}))


def everything(made: ManifestAdapter, cursor: str | None = None) -> list[Candidate]:
    return [candidate for batch in made.poll(cursor, 1000, NOW) for candidate in batch.candidates]


def test_pictures_come_from_the_bucket_and_missing_ones_are_counted(bucket: s3fs.S3FileSystem) -> None:
    fill(bucket)
    found = everything(adapter())
    assert [candidate.content for candidate in found[:2]] == [b"picture 0", b"picture 1"]
    assert [candidate.uri for candidate in found if candidate.problem == "unreadable"] == [
        f"pictures/{i}.jpg" for i in (7, 17, 27, 37)
    ]
    assert found[3].generation == {"seed": 3}


def test_the_adapter_keeps_the_contract_over_s3(bucket: s3fs.S3FileSystem) -> None:
    fill(bucket)
    assert_conforms(adapter, NOW, bad=4)


def test_full_addresses_and_patterns_work_and_other_buckets_are_out_of_reach(bucket: s3fs.S3FileSystem) -> None:
    bucket.pipe_file("samples/drop/a.jpg", b"a")
    rows = [{"uri": f"s3://{path}.jpg", "label": "real"} for path in ("samples/drop/a", "other/b", "samples/c")]
    bucket.pipe_file("samples/drop/m.jsonl", "\n".join(json.dumps(row) for row in rows).encode())
    assert [(one.content, one.problem) for one in everything(adapter())] == [
        (b"a", None),
        (None, "bad_record"),
        (None, "bad_record"),
    ]
    assert len(everything(adapter(include=["s3://samples/drop/*"]))) == 1


def test_a_bucket_that_is_not_there_and_a_refused_key_are_one_clear_line(bucket: s3fs.S3FileSystem) -> None:
    with pytest.raises(BadInputError, match=r"s3://nowhere/m.csv: there is no such manifest"):
        everything(adapter(path="s3://nowhere/m.csv"))


def test_missing_keys_are_one_clear_line(
    bucket: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    s3fs.S3FileSystem.clear_instance_cache()
    for path, made in (
        ("s3://samples/drop/m.csv", adapter(path="s3://samples/drop/m.csv")),
        ("s3://samples/a.tar", WebdatasetAdapter("w", WebdatasetOptions(path="s3://samples/a.tar"))),
    ):
        with pytest.raises(BadInputError, match=rf"^{path}: cannot be opened: .*credentials \(see `secrets`\)$"):
            list(made.poll(None, 10, NOW))
