from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import ConfigurationError
from daemon.explain.vocabulary import load_vocabulary, parse_vocabulary

HEADER = "attribute_name,positive,negative,positive_prompt,negative_prompt,category,explanation\n"
WARM = "warmth,warm,cool,a warm photo,a cool photo,colour,\n"


def test_the_shipped_vocabulary_is_whole() -> None:
    vocabulary = load_vocabulary(None)
    assert len(vocabulary) >= 30
    assert all(c.positive_prompt.startswith(("a ", "an ")) for c in vocabulary.concepts)


def test_the_papers_vocabulary_is_read_as_it_is(test_data: Path) -> None:
    vocabulary = load_vocabulary(test_data / "paper" / "antonyms.csv")
    assert len(vocabulary) == 168
    assert vocabulary.concepts[0].name == "saturation"
    ours = load_vocabulary(None)
    assert not {c.positive_prompt for c in ours.concepts} & {c.positive_prompt for c in vocabulary.concepts}


def test_two_columns_may_be_missing_and_a_byte_order_mark_may_be_there() -> None:
    text = "attribute_name,positive,negative,positive_prompt,negative_prompt\nwarmth,warm,cool,a warm one,a cool one\n"
    (concept,) = parse_vocabulary(b"\xef\xbb\xbf" + text.encode(), "v").concepts
    assert (concept.name, concept.positive, concept.negative, concept.category) == ("warmth", "warm", "cool", "")


def test_the_digest_follows_what_is_embedded_and_nothing_else() -> None:
    one = parse_vocabulary((HEADER + WARM).encode(), "v").digest
    assert parse_vocabulary((HEADER + WARM.replace("colour,", "light,why")).encode(), "v").digest == one
    assert parse_vocabulary((HEADER + WARM.replace("a warm", "a hot")).encode(), "v").digest != one


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the header lacks attribute_name"),
        (HEADER.encode(), "there is no pair"),
        (b"attribute_name,positive\na,b\n", "the header lacks negative, positive_prompt, negative_prompt"),
        ((HEADER + WARM + WARM).encode(), "line 3: 'warmth' is there twice"),
        ((HEADER + "warmth,warm,,a,b,,\n").encode(), "line 2: negative is empty"),
        ((HEADER + "warmth,warm\n").encode(), "line 2: negative is empty"),
        ((HEADER + "w,a,b,same,same,,\n").encode(), "line 2: both poles have the same prompt"),
        ((HEADER + f"w,a,b,{'x' * 301},y,,\n").encode(), "positive_prompt is longer than 300"),
        ((HEADER + "w,a,b,x,y,c,d,more\n").encode(), "line 2: more values than columns"),
        ((HEADER + 'w,a,b,"x\ny",z,c,\n').encode(), "cannot be printed"),
        ((HEADER + 'w,a,b,"x,y\n').encode(), "unexpected end of data"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (2**20 + 1), "larger than"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(content: bytes, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        parse_vocabulary(content, "pairs.csv")
    assert str(raised.value).startswith("explain.vocabulary: pairs.csv")
    assert "\n" not in str(raised.value)


def test_a_missing_file_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"explain\.vocabulary: cannot read .*none\.csv"):
        load_vocabulary(tmp_path / "none.csv")
