"""Which names an adapter looks at: shell patterns to include and to exclude."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def wanted(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Say whether a name fits one of `include` (none given: every name does) and none of `exclude`.

    `*` also stands for slashes; upper and lower case differ.

    >>> wanted("dalle_3/new/a.jpg", ["dalle_3/*"], ["*/old/*"]), wanted("x/old/a.jpg", [], ["*/old/*"])
    (True, False)
    """
    if any(fnmatchcase(name, pattern) for pattern in exclude):
        return False
    return not include or any(fnmatchcase(name, pattern) for pattern in include)
