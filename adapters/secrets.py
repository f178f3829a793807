"""A secret from an environment variable of this process, or from a file; never from the options themselves."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.errors import BadInputError


def secret(variable: str | None, file: str | None) -> str | None:
    """Return the secret, None when neither place is named. Raises BadInputError when it is not there."""
    if variable is not None:
        found = os.environ.get(variable, "").strip()
        if not found:
            raise BadInputError(f"{variable} is not set; put it into the adapter's `secrets`")
        return found
    if file is None:
        return None
    try:
        found = Path(file).expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadInputError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{file}: is not text") from None
    if not found:
        raise BadInputError(f"{file}: is empty")
    return found
