"""The how-to names every key of every kind of channel, and the outside messages' words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.settings import AppriseSettings, ChannelSection, EmailSettings, WebhookSettings

PAGE = (Path(__file__).parents[2] / "docs/how-to-notifications.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`[^|]+) \| ([^|]+) \| ", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    ("kind", "settings"), [("webhook", WebhookSettings), ("email", EmailSettings), ("apprise", AppriseSettings)]
)
def test_the_page_has_every_key_of_a_kind_and_no_other(kind: str, settings: type[ChannelSection]) -> None:
    named = {
        key for keys, kinds in ROWS if kinds.strip() == "all" or kind in kinds for key in re.findall(r"`(\w+)`", keys)
    }
    assert named == set(settings.model_fields)
