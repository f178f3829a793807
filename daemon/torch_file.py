"""Files of torch that nobody vouches for: tensors out of them, and no code run."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import IO, Any

from daemon.errors import BadInputError

_LONGEST = 80  # characters of a name that is shown


def load(file: Path | IO[bytes], *, mapped: bool = False) -> Any:
    """What a file holds, on the CPU.

    mapped: the tensors stay in the file until they are read; for a path to a zip archive alone.
    Raises BadInputError when it is damaged or holds more than tensors, OSError when it cannot be read.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the bytes make torch doubt; the answer is below
            return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise BadInputError("it holds more than tensors, which is not read: such a file can run code") from error
    except OSError:
        raise
    except Exception as error:  # its unpickler raises whatever it stumbles over in damaged bytes
        raise BadInputError(f"it is damaged ({type(error).__name__})") from error


def shown(name: object) -> str:
    """A name from such a file for a message: one line, bounded, nothing that a terminal would obey."""
    text = str(name)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
