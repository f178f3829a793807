"""Real children that misbehave: a package of adapters, and libraries that crash, put on the child's path."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

_ADAPTERS = """
import ctypes, fcntl, os, subprocess, sys, time
import numpy as np
from pydantic import BaseModel, ConfigDict
from daemon.errors import BadInputError
from daemon.model import Batch, Candidate

def pipes():
    import stat
    return [fd for fd in range(3, 30) if is_pipe(fd)]

def is_pipe(fd):
    try:
        return os.fstat(fd).st_mode & 0o170000 == 0o010000 and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return False

class Fake:
    kind = "fake"
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        how: str
        file: str = ""

    def __init__(self, name, options):
        self.options = options

    def poll(self, cursor, budget, now):
        yield Batch((Candidate(uri="a", content=b"bytes", label="real", group="g"),), "1")
        yield from getattr(self, self.options.how)(cursor, budget, now)

    def good(self, cursor, budget, now):
        vector = np.array([1.5, -2.0], np.float16)
        yield Batch((Candidate(uri=f"{cursor}/{budget}/{now.isoformat()}", vector=vector, vector_fingerprint="f",
                               sha256="a" * 64, outside_scores=(("other", 0.25),)),), "2")

    def secret(self, cursor, budget, now):
        names = ("TOKEN", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN")
        yield Batch((Candidate(uri=" ".join(f"{name}={os.environ.get(name)}" for name in names)),), "2")

    def segfault(self, cursor, budget, now):
        ctypes.string_at(0)
        yield

    def hang(self, cursor, budget, now):
        time.sleep(600)
        yield

    def hang_in_grandchild(self, cursor, budget, now):
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open(self.options.file, "w").write(str(process.pid))
        time.sleep(600)
        yield

    def leave_orphan(self, cursor, budget, now):
        if os.fork() == 0:
            if os.fork() == 0:
                open(self.options.file, "w").write(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        os.wait()
        while not (os.path.exists(self.options.file) and os.path.getsize(self.options.file)):
            time.sleep(0.01)
        yield from ()

    def hog(self, cursor, budget, now):
        kept = []
        while True:
            kept.append(bytearray(b"x") * (16 * 2**20))
            time.sleep(0.01)
        yield

    def garbage(self, cursor, budget, now):
        for fd in pipes():
            os.write(fd, b"\\x80\\x04garbage that is no frame" * 10)
        time.sleep(600)
        yield

    def huge_frame(self, cursor, budget, now):
        for fd in pipes():
            os.write(fd, b"swf1" + b"\\xff" * 8)
        time.sleep(600)
        yield

    def prints(self, cursor, budget, now):
        print("to stdout")
        os.write(1, b"raw to stdout\\n")
        yield Batch((), "2")

    def raises(self, cursor, budget, now):
        raise KeyError("column")
        yield

    def bad_input(self, cursor, budget, now):
        raise BadInputError("the folder is not readable")
        yield

    def wrong_types(self, cursor, budget, now):
        yield Batch((
            Candidate(uri=5), Candidate(uri="label", label="fake"), Candidate(uri="content", content="text"),
            Candidate(uri="vector", vector=[1.0]), Candidate(uri="nan", vector=np.array([np.nan], np.float16)),
            Candidate(uri="scores", outside_scores=(("x", float("nan")),)), "no candidate",
            Candidate(uri="surrogate", caption="\\ud800"), Candidate(uri="big", content=b"x" * 2000),
        ), "2")

    def no_batch(self, cursor, budget, now):
        yield ["not", "a", "batch"]

    def million(self, cursor, budget, now):
        for number in range(1_000_000):
            yield Batch((Candidate(uri=str(number)),), str(number))
"""


@pytest.fixture
def child_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a module in front of everything else on the path of children that are started from now on."""
    folder = tmp_path / "path"

    def put(name: str, source: str) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(textwrap.dedent(source))
        old = os.environ.get("PYTHONPATH", "")
        if str(folder) not in old:
            monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{old}")
        return folder

    return put


@pytest.fixture
def fake_adapter(child_path: Callable[[str, str], Path]) -> Path:
    """An installed distribution whose adapter `fake` behaves as its option `how` says."""
    return install_fake_adapter(child_path("fake_adapters.py", _ADAPTERS))


def install_fake_adapter(folder: Path) -> Path:
    """Make the folder one with that distribution in it."""
    (folder / "fake_adapters.py").write_text(_ADAPTERS)
    information = folder / "fake_adapters-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-adapters\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[sidwatch.adapters]\nfake = fake_adapters:Fake\n")
    return folder
