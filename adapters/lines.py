"""Errors in one line, as messages show them."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """Return what an error says, in one short line.

    >>> first_line(ValueError("\\ntwo\\nlines")), first_line(KeyError())
    ('two', 'KeyError')
    """
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return said[:300]
