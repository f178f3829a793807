"""A checkpoint is untrusted: what it may hold, and one clear line about everything else."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from daemon.errors import BadInputError, ChildFailed, WeightsMissing
from daemon.heads import ConceptHead, LinearHead
from daemon.learn import checkpoint_child, importing
from daemon.learn.importing import read_head
from daemon.settings import Settings

D = 16
HEAD = "model.classification_head."


def linear(**changes: Any) -> dict[str, Any]:
    state = OrderedDict({f"{HEAD}fc.weight": torch.arange(D).float()[None], f"{HEAD}fc.bias": torch.tensor([0.5])})
    return {"state_dict": state | changes.pop("state", {}), "model_type": "linear"} | changes


def orthogonal(**state: Any) -> dict[str, Any]:
    own = {
        f"{HEAD}layers.0.weight": torch.ones(8, D),
        f"{HEAD}layers.0.bias": torch.zeros(8),
        f"{HEAD}to_logits.weight": torch.ones(1, 8),
        f"{HEAD}to_logits.bias": torch.zeros(1),
    }
    return {"state_dict": own | state, "model_type": "clip"}


def concept(m: int = 5, e: int = 6) -> dict[str, Any]:
    state = {
        "model.text_embeddings": torch.nn.functional.normalize(torch.ones(m, e), dim=1),
        "model.W_concepts.weight": torch.ones(m, e),
        "model.W_concepts.bias": torch.zeros(m),
        "model.W_classifier.weight": torch.ones(1, m),
        "model.W_classifier.bias": torch.zeros(1),
    }
    return {"state_dict": state, "model_type": "concept"}


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


class Evil:
    """Pickled, it would touch a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "head.ckpt"


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child does, without a child for every file."""
    monkeypatch.setattr(importing, "_open", checkpoint_child.read_checkpoint)


def test_a_linear_and_an_orthogonal_head_are_read(file: Path) -> None:
    imported = read_head(written(file, saved(linear())), Settings())
    assert isinstance(imported.head, LinearHead)
    assert imported.head.scores(np.ones((1, D)))[0] == sum(range(D)) + 0.5
    assert (imported.name, imported.model_type, len(imported.sha256)) == ("head.ckpt", "linear", 64)
    imported = read_head(written(file, saved(orthogonal())), Settings())
    assert imported.head.activations(np.ones((1, D))).tolist() == [[D] * 8]
    assert imported.head.scores(np.ones((1, D)))[0] == 8 * D


@pytest.mark.usefixtures("in_process")
def test_a_concept_model_needs_the_projection_of_the_encoder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(file, saved(concept()))
    clip = Settings().encoder.open_clip.model_copy(update={"weights_path": tmp_path / "missing.safetensors"})
    settings = Settings().model_copy(
        update={"encoder": Settings().encoder.model_copy(update={"open_clip": clip})},
    )
    with pytest.raises(WeightsMissing, match=r"head.ckpt is a concept model, which needs the projection"):
        read_head(file, settings)
    monkeypatch.setattr(importing, "load_projection", lambda found: np.eye(D, 6, dtype=np.float32))
    imported = read_head(file, settings)
    assert isinstance(imported.head, ConceptHead) and imported.head.dimension == D
    monkeypatch.setattr(importing, "load_projection", lambda found: np.eye(D, 7, dtype=np.float32))
    with pytest.raises(BadInputError, match="have 6 numbers, the encoder's embeddings 7"):
        read_head(file, settings)


def test_code_in_a_file_is_not_run(file: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    for content in (saved({**linear(), "model_type": Evil(touched)}), saved(linear(state={"x": Evil(touched)}))):
        with pytest.raises(BadInputError, match=r"head.ckpt: it holds more than tensors, .* can run code"):
            read_head(written(file, content), Settings())
    with pytest.raises(BadInputError, match="no torch checkpoint"):
        read_head(written(file, pickle.dumps(Evil(touched))), Settings())
    assert not touched.exists()


@pytest.mark.usefixtures("in_process")
def test_a_part_of_a_file_is_no_file(file: Path) -> None:
    content = saved(orthogonal())
    for length in (0, 10, len(content) // 2, len(content) - 1):
        with pytest.raises(BadInputError, match=r"head.ckpt: it is (no torch checkpoint, or only a part|damaged)"):
            read_head(written(file, content[:length]), Settings())


@pytest.mark.usefixtures("in_process")
def test_what_unpacks_to_more_than_it_is_is_refused_unread(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = zipfile.ZipFile(io.BytesIO(saved(linear())))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        for entry in source.infolist():
            large = entry.filename.endswith("data/0")
            bomb.writestr(entry.filename, bytes(100 * 2**20) if large else source.read(entry))
    assert len(packed.getvalue()) < 2**18
    with pytest.raises(BadInputError, match="unpack to more than 64 MiB"):
        read_head(written(file, packed.getvalue()), Settings())
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in source.infolist():
            archive.writestr(entry.filename, source.read(entry))
    with pytest.raises(BadInputError, match="compressed"):
        read_head(written(file, small.getvalue()), Settings())


@pytest.mark.usefixtures("in_process")
def test_a_small_file_that_claims_a_huge_tensor_is_refused(file: Path) -> None:
    huge = torch.zeros(1).expand(10**6, 10**6)  # one number, a million million times
    with pytest.raises(BadInputError, match="tensors are larger than 64 MiB"):
        read_head(written(file, saved(linear(state={f"{HEAD}fc.weight": huge}))), Settings())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (linear(state={"extra": torch.zeros(1)}), "a linear model has the key extra"),
        (linear(state={"nested": {"a": torch.zeros(1)}}), "nested in its state_dict is no plain tensor"),
        (linear(state={f"{HEAD}fc.weight": torch.zeros(2, D)}), r"fc.weight has the shape \(2, 16\), not \(1, d"),
        (linear(state={f"{HEAD}fc.weight": torch.zeros(D)}), r"fc.weight has the shape \(16,\)"),
        (linear(state={f"{HEAD}fc.weight": torch.zeros(1, 0)}), r"fc.weight has the shape \(1, 0\)"),
        (linear(state={f"{HEAD}fc.bias": torch.tensor([float("nan")])}), "fc.bias holds a value that is not finite"),
        (linear(state={f"{HEAD}fc.bias": torch.zeros(1).double()}), "fc.bias is float64, not float32"),
        (linear(state={f"{HEAD}fc.bias": torch.zeros(1, dtype=torch.int64)}), "fc.bias is int64, not float32"),
        (linear(state={f"{HEAD}fc.bias": torch.zeros(1).to_sparse()}), "no plain tensor|damaged"),
        (linear(state={f"{HEAD}fc.bias": torch.zeros(1, device="meta")}), "fc.bias in its state_dict is no plain"),
        (linear(state={f"{HEAD}fc.bias": torch._neg_view(torch.ones(1))}), "fc.bias in its state_dict is no plain"),
        (linear(state={f"{HEAD}fc.bias": torch.zeros(1).bfloat16()}), "fc.bias is bfloat16, not float32"),
        (linear(state={"a\nb\x1b[2J": torch.zeros(1)}), r"a linear model has the key a\\nb\\x1b\[2J$"),
        (linear(state={"long" * 1000: torch.zeros(1)}), "has the key (long){20}…$"),
        (linear(model_type="long" * 1000), "its model_type is (long){20}…$"),
        ({"a\nb": 1, **linear()}, r"and no more, not: a\\nb, model_type, state_dict"),
        (linear(model_type="transformer"), "its model_type is 'transformer', not one of clip, linear, concept"),
        (linear(model_type="clip"), "a clip model lacks the key model.classification_head.layers.0.bias"),
        (linear(model_type=3), "its model_type no text"),
        (linear(epoch=3), "must hold state_dict and model_type and no more, not: epoch, model_type, state_dict"),
        ({"state_dict": {}}, "must hold state_dict and model_type"),
        (torch.zeros(3), "must hold state_dict and model_type and no more, not: Tensor"),
        (orthogonal(**{f"{HEAD}to_logits.weight": torch.ones(1, 7)}), r"has the shape \(1, 7\), not \(1, 8\)"),
        (orthogonal(**{f"{HEAD}layers.0.bias": torch.ones(8) / 0}), "layers.0.bias holds a value that is not finite"),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_every_other_content_is_named_in_one_line(file: Path, value: object, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        read_head(written(file, saved(value)), Settings())
    assert str(caught.value).startswith(f"{file}: ") and "\n" not in str(caught.value)


@pytest.mark.usefixtures("in_process")
def test_damage_anywhere_is_told_as_damage(file: Path) -> None:
    """The unpickler raises whatever it stumbles over: a byte that is wrong must not end in a traceback."""
    source = zipfile.ZipFile(io.BytesIO(saved(linear())))
    (pickled,) = (entry.filename for entry in source.infolist() if entry.filename.endswith("data.pkl"))
    content = source.read(pickled)
    draw = np.random.default_rng(0)
    outcomes = set()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] = draw.integers(256)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for entry in source.infolist():
                archive.writestr(entry.filename, bytes(changed) if entry.filename == pickled else source.read(entry))
        try:
            outcomes.add(type(read_head(written(file, packed.getvalue()), Settings()).head).__name__)
        except BadInputError as error:
            assert str(error).isprintable()
            outcomes.add("refused")
    assert outcomes == {"LinearHead", "refused"}


def test_a_file_that_is_not_there_or_too_large_is_not_opened(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match=r"cannot read .*No such file"):
        read_head(file, Settings())
    monkeypatch.setattr(importing, "MAX_BYTES", 1000)
    with pytest.raises(BadInputError, match="larger than 0 MiB, hence no head"):
        read_head(written(file, saved(linear())), Settings())
    with pytest.raises(BadInputError, match="zero: it is larger than 0 MiB, hence no head"):
        read_head(Path("/dev/zero"), Settings())  # states a size of nothing


def test_opening_has_a_deadline_and_a_memory_limit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(file, saved(linear()))
    with monkeypatch.context() as patch:
        patch.setattr(importing, "DEADLINE", 0.05)
        with pytest.raises(ChildFailed, match=r"head.ckpt: .*deadline"):
            read_head(file, Settings())
    monkeypatch.setattr(importing, "MEMORY_LIMIT", 30 * 2**20)
    with pytest.raises(ChildFailed, match=r"head.ckpt: .*memory limit"):
        read_head(file, Settings())


def test_a_child_that_was_taken_over_is_not_believed(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    written(file, saved(linear()))
    monkeypatch.setattr(importing, "_open", lambda content: ("linear", {f"{HEAD}fc.weight": np.zeros((1, 4), "f4")}))
    with pytest.raises(BadInputError, match="lacks the key"):
        read_head(file, Settings())


def test_the_child_s_limit_covers_the_file() -> None:
    assert checkpoint_child.MAX_BYTES < importing.MEMORY_LIMIT
