"""A version as a folder that needs no sidwatch: its two files, a script that scores, what is known of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from daemon.errors import BadInputError
from daemon.heads import ClosedFormHead
from daemon.heads.head import Head
from daemon.registry.card import card
from daemon.registry.facts import Facts

SCRIPTS = Path(__file__).parent / "scripts"
SUMS = "SHA256SUMS"


def script_of(head: Head) -> bytes:
    """The script that scores vectors by a head of this kind with numpy and safetensors alone."""
    kind = f"{head.kind}_{head.read_out}" if isinstance(head, ClosedFormHead) else head.kind
    return (SCRIPTS / f"{kind}.py").read_bytes()


def exported_files(facts: Facts) -> dict[str, bytes]:
    """Name -> bytes; equal facts, equal bytes. `SHA256SUMS` names all others in sha256sum's form."""
    files = {
        "manifest.json": facts.manifest,
        "tensors.safetensors": facts.tensors,
        "score.py": script_of(facts.artifact.head),
        "record.json": _record(facts),
        "CARD.md": card(facts).encode(),
    }
    sums = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return {**files, SUMS: sums.encode()}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into a folder that is not there yet, or empty: all of them or none, durably.

    Raises BadInputError when there is something already, or the place cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BadInputError(f"{folder} is there already and not empty; name another folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BadInputError(f"cannot write {folder}: {error.strerror}; name another folder") from error
    try:
        for name, content in files.items():
            with (made / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        made.chmod(0o755)  # mkdtemp's is for the maker alone
        made.rename(folder)  # takes the place of an empty folder, and of nothing else
    except OSError as error:
        raise BadInputError(f"cannot write {folder}: {error.strerror}; name another folder") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)  # gone when it was renamed


def _record(facts: Facts) -> bytes:
    """What the registry knows beside the manifest: a version's verdict comes after it was made."""
    record = facts.record
    own = {
        "version": record.id,
        "state": record.state,
        "parent": record.parent,
        "learner": record.learner,
        "encoder_fingerprint": record.fingerprint,
        "created_at": record.created_at.isoformat(),
        "manifest_sha256": record.manifest_sha256,
        "tensors_sha256": record.tensors_sha256,
        "verdict": record.verdict,
        "decisions": [
            {
                "audit": row.number,
                "at": row.at.isoformat(),
                "action": row.action,
                "reason": row.reason,
                "hash": row.hash,
            }
            for row in facts.decisions
        ],
        "renamed_families": dict(facts.names),
    }
    return (json.dumps(own, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
