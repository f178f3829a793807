"""Where everything lies in a state directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from store.files import TEMPORARY_SUFFIX


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one state directory."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "sidwatch.db"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def vectors(self) -> Path:
        return self.root / "vectors"

    @property
    def statistics(self) -> Path:
        return self.root / "statistics"

    @property
    def versions(self) -> Path:
        return self.root / "versions"

    @property
    def derived(self) -> Path:
        """What can be computed again."""
        return self.root / "derived"

    @property
    def spool(self) -> Path:
        """Children's scratch; nothing in it outlives the process that wrote it."""
        return self.root / "spool"

    def create(self) -> None:
        """Make the folders that are not there."""
        for folder in (self.root, self.blobs, self.vectors, self.statistics, self.versions, self.spool):
            folder.mkdir(parents=True, exist_ok=True)

    def blob(self, sha256: str) -> Path:
        return self.blobs / sha256[:2] / sha256[2:4] / sha256

    def shard(self, digest: str) -> Path:
        return self.vectors / f"{digest}.parquet"

    def statistics_file(self, digest: str) -> Path:
        return self.statistics / digest

    def tensors(self, digest: str) -> Path:
        return self.versions / f"{digest}.safetensors"

    def manifest(self, digest: str) -> Path:
        return self.versions / f"{digest}.json"

    def temporary_files(self, older_than: float) -> list[Path]:
        """Half-written files whose modification (Unix seconds, wall clock) lies before `older_than`."""
        folders = (self.blobs, self.vectors, self.statistics, self.versions, self.derived)
        found = [path for folder in folders for path in folder.rglob(f"*{TEMPORARY_SUFFIX}")]
        found += [path for path in self.spool.rglob("*") if path.is_file()]
        return sorted(path for path in found if path.stat().st_mtime < older_than)
