"""Import of an exported folder: another store's version becomes a challenger here and passes through the same gate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.errors import BadInputError, CorruptArtifact
from daemon.heads import VersionArtifact, read
from daemon.heads.said import check_said
from daemon.model import VersionRecord
from daemon.ports import Registry
from daemon.registry.exporting import SUMS

LEARNER = "import"  # in the registry's row; the manifest says what it was learned by
MANIFEST, TENSORS = "manifest.json", "tensors.safetensors"
_MOST = {SUMS: 64 * 2**10, MANIFEST: 64 * 2**20, TENSORS: 2**30}  # bytes; no version comes near
_LINE = re.compile(r"^([0-9a-f]{64})  ([A-Za-z0-9_.-]+)$")


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """A version out of a folder, fully validated."""

    artifact: VersionArtifact
    tensors: bytes
    manifest: bytes

    @property
    def fingerprint(self) -> str:
        """The encoder that its vectors must come from."""
        return str(self.artifact.about["encoder_fingerprint"])


def read_exported(folder: Path) -> Exported:
    """Read a folder that `sidwatch models export` wrote; nothing in it is run.

    Raises BadInputError, one line that begins with the folder: a file is missing, changed, too large or malformed.
    """
    try:
        sums = _sums(_bytes(folder, SUMS))
        files = {name: _bytes(folder, name) for name in (MANIFEST, TENSORS)}
        for name, content in files.items():
            if sums.get(name) != sha256(content).hexdigest():
                raise BadInputError(f"{name} is not what {SUMS} says; export it again")
        artifact = read(files[TENSORS], files[MANIFEST])
        check_said(files[MANIFEST])
        found = Exported(artifact, files[TENSORS], files[MANIFEST])
        if re.fullmatch(r"[0-9a-f]{64}", str(artifact.about.get("encoder_fingerprint"))) is None:
            raise BadInputError(f"{MANIFEST} does not say which encoder it belongs to; export it again")
    except (BadInputError, CorruptArtifact) as error:
        raise BadInputError(f"{folder}: {error}") from error
    except RecursionError as error:
        raise BadInputError(f"{folder}: {MANIFEST} is nested too deeply; export it again") from error
    return found


def add_exported(exported: Exported, context: Context) -> VersionRecord:
    """Make it a challenger to the champion; the very same version that is there already is returned as it is.

    Which of this store's pictures it has learned elsewhere is not known. So it counts as if it knew all that was
    learned here: each is judged by the head of its fold, which never saw the picture's group.
    Raises BadInputError when there is no champion, or one of another encoder.
    """
    champion = context.registry.champion()
    if champion is None:
        raise BadInputError(
            "there is no champion yet that it could be compared with; let `sidwatch run` make the first"
        )
    fingerprint = exported.fingerprint
    if fingerprint != champion.fingerprint:
        raise BadInputError(
            f"it belongs to encoder {fingerprint[:12]}, the champion to {champion.fingerprint[:12]}: vectors of two "
            "encoders never meet; `sidwatch reembed` moves the store to another encoder"
        )
    length = context.samples.dimensions().get(fingerprint)
    if length is not None and length != exported.artifact.head.dimension:
        raise BadInputError(f"it takes {exported.artifact.head.dimension} features, the store's vectors have {length}")
    folds = bool(exported.artifact.fold_heads)
    return context.registry.add_version(
        parent=champion.id,
        fingerprint=fingerprint,
        learner=LEARNER,
        statistics_revision=context.samples.statistics_revision(fingerprint) if folds else 0,
        manifest=exported.manifest,
        tensors=exported.tensors,
        at=context.clock.now(),
    )


def waits_for_gate(context: Context) -> list[VersionRecord]:
    """Imported challengers to the present champion that the gate has not answered on, oldest first."""
    champion = context.registry.champion()
    return [
        version
        for version in context.registry.versions()
        if champion is not None
        and version.learner == LEARNER
        and version.parent == champion.id
        and version.state == "challenger"
        and version.verdict is None
    ]


def load_imported(registry: Registry, record: VersionRecord) -> LoadedVersion:
    """Read a version out of a folder; checked as at its import, for an earlier release may have taken it in.

    Raises CorruptArtifact.
    """
    version = load_version(registry, record)
    check_said(registry.artifact(record.id)[1])
    return version


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    if not path.is_file():  # neither missing nor a pipe that never ends
        raise BadInputError(f"there is no file {name}; give a folder that `sidwatch models export` wrote")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST[name] + 1)
    except OSError as error:
        raise BadInputError(f"cannot read {name}: {error.strerror}") from error
    if len(content) > _MOST[name]:
        raise BadInputError(f"{name} is larger than {_MOST[name] // 2**10} KiB, hence no version's")
    return content


def _sums(content: bytes) -> dict[str, str]:
    try:
        lines = [_LINE.match(line) for line in content.decode("ascii").splitlines()]
    except UnicodeDecodeError as error:
        raise BadInputError(f"{SUMS} is not text; export it again") from error
    if not all(lines):
        raise BadInputError(f"{SUMS} is not in sha256sum's form; export it again")
    return {line[2]: line[1] for line in lines if line}
