"""Samples that a person names: digests, their beginnings, files of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from daemon.errors import BadInputError

SHORTEST = 6  # digits of a sha256 that name a sample
_PREFIX = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}")


def checked_prefix(text: str) -> str:
    """The beginning of a sha256 in lower case. Raises BadInputError when it is none, or too short to name a sample."""
    prefix = text.strip().lower()
    if not _PREFIX.fullmatch(prefix):
        raise BadInputError(f"{text.strip()[:70]!r} is not a sha256 or its first {SHORTEST} or more hexadecimal digits")
    return prefix


def read_list(path: Path) -> list[str]:
    """The prefixes in a file, one a line; empty lines and what follows a # do not count. `-` is standard input.

    Raises BadInputError: the file cannot be read, is empty, or a line is no sha256.
    """
    try:
        lines = sys.stdin.read().splitlines() if str(path) == "-" else path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not a text file with one sha256 a line") from error
    found = [checked_prefix(word) for line in lines if (word := line.partition("#")[0].strip())]
    if not found:
        raise BadInputError(f"{path} names no sample; it needs one sha256 a line")
    return found


def unique(prefixes: Iterable[str]) -> list[str]:
    """Checked, each once, in order."""
    return list(dict.fromkeys(checked_prefix(prefix) for prefix in prefixes))
