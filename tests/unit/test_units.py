from __future__ import annotations

import pytest

from daemon.units import parse_duration, parse_size


@pytest.mark.parametrize("text", ["\u0663d", "\uff13d", "1.\u0665h"])
def test_only_the_digits_that_the_api_promises_are_read(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text.replace("d", "KiB").replace("h", "KiB"))
