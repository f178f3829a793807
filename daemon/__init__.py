"""Everything that decides: no SQL, no vendor client, no file format."""

import os
import sys

__version__ = "0.1.0"

# OpenBLAS's threads wait by spinning: beside one busy process on two processors, products of 64 columns took a hundred
# times as long on two threads as on one. The service and its children are such processes. numpy reads this when it is
# loaded, so it stands before any other import; children inherit it; a number that the environment names stays. CLIP's
# threads are torch's own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Seconds. Each call of numpy gives up Python's lock and waits for it again, at Python's own 5 ms for as long as that
# when another thread runs: two threads of an encoder took as long as one.
sys.setswitchinterval(0.0005)
