"""Configuration files, good and bad: what is wrong is one line that names it, never a traceback."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from daemon.errors import ConfigurationError
from daemon.settings import load, shown
from daemon.shipped import shipped


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_arguments_go_before_the_environment_the_file_and_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(None).http.port == 8600
    path = written(tmp_path, "http: {port: 1, host: 127.0.0.2}\n")
    assert load(path).http.port == 1
    monkeypatch.setenv("SIDWATCH_HTTP__PORT", "2")
    assert (load(path).http.port, load(path).http.host) == (2, "127.0.0.2")
    assert load(path, {"http": {"port": 3}}).http.port == 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("http: {prot: 1}\n", "http.prot: unknown key"),
        ("schedule: {lease: 90}\n", "schedule.lease: expected a duration"),
        (f"schedule: {{lease: {'9' * 30}d}}\n", "schedule.lease"),
        ("intake: {max_bytes: 3 buckets}\n", "intake.max_bytes: expected a size"),
        ("store:\n  directory: [\n", "at line"),
        ("clock: {start: 2026-13-45}\n", "month must be in 1..12"),
        ('store: {directory: "a\\0b"}\n', "a path cannot be used"),
        ("- a list\n", "expected sections"),
        (
            "adapters: [{name: a, kind: folder, options: {path: x, start: 2026-01-02}}]\n",
            'adapters.0.options: start is read as a date by YAML; write it in quotes: "2026-01-02"',
        ),
        (
            "adapters: [{name: a, kind: folder, options: {models: [{released: 2026-01-02}]}}]\n",
            'models[0].released is read as a date by YAML; write it in quotes: "2026-01-02"',
        ),
        ("adapters: [{name: a, kind: folder, options: {start: 2026-01-02T03:04:05Z}}]\n", "start is read as a date"),
        (
            "adapters: [{name: a, kind: folder, options: {parameters: {1: 2}}}]\n",
            "has a key that is no text",
        ),
        ("adapters: [{name: a, kind: folder, options: {price: .nan}}]\n", "price is float nan"),
        ("adapters: [{name: a, kind: folder, options: {key: !!binary aGk=}}]\n", "key is bytes"),
        ("adapters: [{name: a, kind: folder, options: {all: &a [*a]}}]\n", "adapters.0.options: Circular reference"),
        ("intake: {filters: [{name: a, options: {since: 2026-01-02}}]}\n", "intake.filters.0.options: since is read"),
        ('"two\\nlines": 1\n', "two lines: unknown key"),
        ("http: {port: 1}\nhttp: {}\n", "at line 2, column 1: http is there twice"),
        ("http:\n  port: 1\n  port: 2\n", "at line 3, column 3: port is there twice"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(written(tmp_path, text))
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


def test_relative_paths_start_at_the_files_folder_and_secrets_are_masked(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "store: {directory: state}\nhttp: {read_token: hush}\n"))
    assert settings.store.directory == tmp_path / "state"
    assert "hush" not in str(shown(settings))


@pytest.mark.parametrize(
    ("kind", "key", "value", "becomes"),
    [
        ("folder", "path", "inbox", "{folder}/inbox"),
        ("folder", "path", "~/inbox", "{home}/inbox"),
        ("folder", "path", "~nobody_of_this_name/inbox", "{folder}/~nobody_of_this_name/inbox"),
        ("folder", "archive", "../archive", "{parent}/archive"),
        ("manifest", "path", "s3://bucket/m.csv", "s3://bucket/m.csv"),
        ("http_feed", "token_file", "token", "{folder}/token"),
        ("hf_dataset", "path", "owner/name", "owner/name"),
        ("hf_dataset", "path", "./owner/name", "{folder}/owner/name"),
        ("hf_dataset", "path", "../name", "{parent}/name"),
        ("hf_dataset", "path", "~/name", "{home}/name"),
        ("hf_dataset", "path", "/data/name", "/data/name"),
        ("hf_dataset", "token_file", "token", "{folder}/token"),
    ],
)
def test_paths_of_adapters_start_at_the_files_folder_and_names_on_the_hub_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, key: str, value: str, becomes: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = f"adapters: [{{name: one, kind: {kind}, options: {{{key}: {value}}}}}]\n"
    (adapter,) = load(written(tmp_path, text)).adapters
    assert adapter.options[key] == becomes.format(folder=tmp_path, parent=tmp_path.parent, home=tmp_path / "home")


@pytest.mark.parametrize(
    ("model", "becomes"),
    [("./sd", "{folder}/sd"), ("../sd", "{parent}/sd"), ("owner/sd", "owner/sd"), ("/data/sd", "/data/sd")],
)
def test_models_that_are_folders_start_at_the_files_folder(tmp_path: Path, model: str, becomes: str) -> None:
    text = f"adapters: [{{name: one, kind: generate, options: {{models: [{{model: {model}, family: sd}}, 7]}}}}]\n"
    (adapter,) = load(written(tmp_path, text)).adapters
    first, wrong = adapter.options["models"]
    assert first == {"model": becomes.format(folder=tmp_path, parent=tmp_path.parent), "family": "sd"}
    assert wrong == 7  # the adapter says what is wrong with it


def test_mutilated_configurations_give_a_configuration_error_or_load(tmp_path: Path) -> None:
    whole = shipped("config.yaml").read_text(encoding="utf-8")
    chance = random.Random(7)
    for _ in range(100):
        text = list(whole)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(text))
            text[at : at + chance.randint(0, 20)] = chance.choice(
                ["", "\t", ":", "9" * 400, "[", "null", "-", "\x00", "é"]
            )
        try:
            load(written(tmp_path, "".join(text)))
        except ConfigurationError as error:
            assert "\n" not in str(error)


def test_the_vocabulary_lies_beside_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "explain: {vocabulary: pairs.csv}\n")
    assert load(path).explain.vocabulary == tmp_path / "pairs.csv"
    assert load(None).explain.vocabulary is None
