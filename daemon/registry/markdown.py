"""Markdown that no name can break out of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of plain cells."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(plain(cell) for cell in line)} |" for line in lines)


def plain(value: object) -> str:
    """On one line and inside its cell, whatever a person wrote; no markup of theirs comes alive, no terminal obeys.

    >>> plain("a|b<i>")
    'a\\\\|b&lt;i>'
    >>> print(plain("\\x1b[2J"))
    \\x1b\\[2J
    """
    text = " ".join(str(value).split())
    safe = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in safe)
