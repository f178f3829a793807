"""Where links in messages lead."""

from __future__ import annotations

import socket

import pytest

from daemon.settings import Settings


def settings(page_url: str | None = None, **http: object) -> Settings:
    return Settings.model_validate({"http": http, "notify": {"page_url": page_url}})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_listening_everywhere_is_no_address_so_links_name_this_machine(host: str) -> None:
    found = settings(host=host)
    assert found.page_address == f"http://{socket.gethostname()}:8600"
    assert "notify.page_url" in str(found.page_notice)
    assert settings(host=host, page_url="https://watch.example.org/").page_notice is None
    assert settings(host=host, enabled=False).page_notice is None


def test_an_address_of_its_own_is_what_links_lead_to() -> None:
    assert settings(host="10.0.0.7", port=1).page_address == "http://10.0.0.7:1"
    assert settings(host="::1").page_address == "http://[::1]:8600"
    assert settings(host="10.0.0.7").page_notice is None
    assert settings("https://watch.example.org/", host="0.0.0.0").page_address == "https://watch.example.org"


def test_without_a_fixed_port_there_is_no_link() -> None:
    found = settings(host="0.0.0.0", port=0)
    assert found.page_address is None
    assert "no link" in str(found.page_notice)
