"""Linear algebra runs on one thread per process unless the environment says otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

LOOK = """
import daemon, json, numpy, scipy.linalg
from threadpoolctl import threadpool_info
print(json.dumps([pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]))
"""


@pytest.mark.parametrize(("named", "threads"), [(None, 1), ("2", 2)])
def test_openblas_takes_one_thread_or_what_the_environment_names(named: str | None, threads: int) -> None:
    if threads > (os.cpu_count() or 1):
        pytest.skip("OpenBLAS takes no more threads than there are processors")
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if named is not None:
        environment["OPENBLAS_NUM_THREADS"] = named
    done = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found and set(found) == {threads}
