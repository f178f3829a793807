"""The adapter keeps the contract, bad members included."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

from sidwatch_zip.adapter import ZipAdapter, ZipOptions

from adapters.checks import assert_conforms


def test_the_zip_adapter_keeps_the_contract(tmp_path: Path) -> None:
    file = tmp_path / "pictures.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(100):
            archive.writestr(f"{i}.jpg", f"the bytes of picture {i}")
        archive.writestr("notes.txt", "no picture")
    whole = file.read_bytes()
    assert whole.count(b"the bytes of picture 50") == 1
    file.write_bytes(whole.replace(b"the bytes of picture 50", b"the bytes of picture 5?"))  # its checksum fails

    options = ZipOptions(path=str(file), family="dalle_3")
    assert_conforms(lambda: ZipAdapter("mine", options), now=datetime.now(UTC), bad=1)
