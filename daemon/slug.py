"""Names of generator families: lower snake case, and a suggestion for those that are not."""

from __future__ import annotations

import re
import unicodedata

_SLUG = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
LONGEST = 64  # characters
RESERVED = frozenset({"real", "synthetic", "unknown", "other"})  # labels, and the series that small families fold into


def is_slug(name: str) -> bool:
    """Say whether `name` can be a family's name.

    >>> is_slug("dalle_3"), is_slug("DALL-E 3"), is_slug("real")
    (True, False, False)
    """
    return len(name) <= LONGEST and name not in RESERVED and _SLUG.fullmatch(name) is not None


def suggest(name: str) -> str:
    """Return the nearest lower snake case name, "" when nothing is left.

    >>> suggest("DALL-E 3"), suggest("SDXL Base 1.0"), suggest("???")
    ('dall_e_3', 'sdxl_base_1_0', '')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "_", plain)[:LONGEST].strip("_")


def complaint(name: str) -> str:
    """Return one phrase on why `name` cannot be a family's name, with the suggestion when there is one."""
    if name in RESERVED:
        return f"family {name!r} is reserved: name the generator"
    if len(name) > LONGEST:
        return f"family {name[:LONGEST]!r}… has {len(name)} characters: at most {LONGEST}, lower snake case"
    better = suggest(name)
    hint = f", such as {better!r}" if better and is_slug(better) else ""
    return f"family {name!r} must be lower snake case{hint}"
