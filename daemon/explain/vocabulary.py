"""The vocabulary of concepts: antonym pairs from a CSV file in the format of the paper's 168 pairs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from daemon.errors import ConfigurationError

REQUIRED = ("attribute_name", "positive", "negative", "positive_prompt", "negative_prompt")
MAX_BYTES = 2**20
MAX_PAIRS = 2000
MAX_TEXT = 300  # characters; CLIP reads 77 tokens
_SHIPPED = "the shipped vocabulary"


@dataclass(frozen=True, slots=True)
class Concept:
    """One antonym pair."""

    name: str
    positive: str  # the pole that a positive cosine speaks for, in words
    negative: str
    positive_prompt: str  # the sentences that are embedded
    negative_prompt: str
    category: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """Antonym pairs in the file's order."""

    concepts: tuple[Concept, ...]

    def __len__(self) -> int:
        return len(self.concepts)

    @cached_property
    def digest(self) -> str:
        """Sha256 (hex) of what decides the directions: names and prompts, in order."""
        rows = [[c.name, c.positive_prompt, c.negative_prompt] for c in self.concepts]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def load_vocabulary(path: Path | None) -> Vocabulary:
    """The vocabulary of `explain.vocabulary`; None: the small one that comes with the program.

    Raises:
        ConfigurationError: the file is missing or not what it should be; the message names the line.
    """
    if path is None:
        return parse_vocabulary(files("daemon.explain").joinpath("vocabulary.csv").read_bytes(), _SHIPPED)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"explain.vocabulary: cannot read {path}: {error.strerror}") from error
    return parse_vocabulary(content, str(path))


def parse_vocabulary(content: bytes, name: str) -> Vocabulary:
    """Antonym pairs from CSV bytes; `name` is what errors call them.

    Raises:
        ConfigurationError: too large, not UTF-8 CSV, a column or a value missing, a name twice, equal poles.
    """
    if len(content) > MAX_BYTES:
        raise _wrong(name, f"larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(name, "not UTF-8 text") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    concepts: dict[str, Concept] = {}
    try:
        missing = [column for column in REQUIRED if column not in (reader.fieldnames or ())]
        if missing:
            raise _wrong(name, f"the header lacks {', '.join(missing)}")
        for row in reader:
            concept = _concept(row, f"{name}, line {reader.line_num}")
            if concept.name in concepts:
                raise _wrong(f"{name}, line {reader.line_num}", f"{concept.name!r} is there twice")
            concepts[concept.name] = concept
            if len(concepts) > MAX_PAIRS:
                raise _wrong(name, f"more than {MAX_PAIRS} pairs")
    except csv.Error as error:
        raise _wrong(f"{name}, line {reader.line_num}", str(error)) from error
    if not concepts:
        raise _wrong(name, "there is no pair in it")
    return Vocabulary(tuple(concepts.values()))


def _concept(row: dict[str | None, str | list[str] | None], where: str) -> Concept:
    if None in row:
        raise _wrong(where, "more values than columns (quote a text that has a comma)")
    values = {str(key): value.strip() if isinstance(value, str) else "" for key, value in row.items()}
    for column in REQUIRED:
        if not values[column]:
            raise _wrong(where, f"{column} is empty")
        if len(values[column]) > MAX_TEXT:
            raise _wrong(where, f"{column} is longer than {MAX_TEXT} characters")
        if not values[column].isprintable():
            raise _wrong(where, f"{column} has a character that cannot be printed")
    if values["positive_prompt"] == values["negative_prompt"]:
        raise _wrong(where, "both poles have the same prompt, so there is no direction between them")
    name, positive, negative, positive_prompt, negative_prompt = (values[column] for column in REQUIRED)
    return Concept(name, positive, negative, positive_prompt, negative_prompt, values.get("category", ""))


def _wrong(where: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"explain.vocabulary: {where}: {what}; it is a CSV with the columns {', '.join(REQUIRED)}, one pair a line"
    )
