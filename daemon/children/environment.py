"""What a child may know of the environment: nothing that could be a secret, unless it is its own."""

from __future__ import annotations

import os
from collections.abc import Mapping

from daemon.children.host import PARENT_VARIABLE

_KEPT = frozenset(
    {
        "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH",
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
        "XDG_CACHE_HOME", "TORCH_HOME", "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    }
)  # fmt: skip
# For a child that makes and drops arrays of megabytes all the time: glibc would give each back to the system at once
# and take it again, page by page, a sixth of the forensic encoder's time. A thread keeps 256 MiB at most.
KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20)}
_SECRET = frozenset({"HF_TOKEN", "HF_TOKEN_PATH"})


def minimal(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: a short list of the parent's variables, the hub's settings, and its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or (name.startswith("HF_") and name not in _SECRET)
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **own, PARENT_VARIABLE: str(os.getpid())}
