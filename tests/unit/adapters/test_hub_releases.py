"""What the hub_releases adapter reports, leaves alone and says when the Hub cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from feed_server import serving
from huggingface_hub import constants
from huggingface_hub.utils import _http
from pydantic import ValidationError
from services import Hub, limited, model

from adapters.checks import assert_conforms
from adapters.hub_releases import HubReleasesAdapter, HubReleasesOptions
from daemon.errors import BadInputError
from daemon.intake.polling import poll_in_child
from daemon.model import Release

NOW = datetime(2030, 6, 30, 12, tzinfo=UTC)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as site:
        monkeypatch.setattr(constants, "ENDPOINT", site.url(""))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        _http.close_session()
        yield Hub(site, [])
        _http.close_session()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(_http.time, "sleep", waited.append)
    return waited


def adapter(**options: Any) -> HubReleasesAdapter:
    return HubReleasesAdapter("hub", HubReleasesOptions.model_validate(options))


def poll(**options: Any) -> list[Release]:
    batches = list(adapter(**options).poll(None, 10, NOW))
    assert all(batch.candidates == () for batch in batches)
    return [release for batch in batches for release in batch.releases]


def names(**options: Any) -> list[str]:
    return [release.model for release in poll(**options)]


def test_new_base_models_become_releases_oldest_first_over_pages(hub: Hub) -> None:
    hub.models = [model(f"lab/Model {n}".replace(" ", "-"), f"2030-06-{n:02d}") for n in range(1, 9)]
    found = poll(kind="diffusion")
    assert [release.model for release in found] == [f"lab/Model-{n}" for n in range(1, 9)]
    assert found[0] == Release(
        "lab/Model-1", hub.models[0]["sha"], "model_1", "2030-06-01", kind="diffusion", licence="apache-2.0"
    )
    assert len(hub.queries()) == 3  # pages, through their Link headers
    assert hub.queries()[0]["pipeline_tag"] == ["text-to-image"]
    assert hub.queries()[0]["filter"] == ["diffusers"]
    assert hub.queries()[0]["gated"] in (["false"], ["False"])


def test_it_stops_at_the_first_model_before_the_window(hub: Hub) -> None:
    hub.models = [model(f"lab/m{n}", f"20{29 - n}-06-01") for n in range(20)] + [model("lab/new", "2030-06-29")]
    assert names(window=30) == ["lab/new"]
    assert len(hub.queries()) == 1
    assert names(window=30, since="2030-06-30") == []


@pytest.mark.parametrize(
    "said",
    [
        {"gated": "auto"},
        {"gated": "manual"},
        {"private": True},
        {"disabled": True},
        {"downloads": 999},
        {"downloads": None},
        {"sha": None},
        {"tags": ["text-to-image", "base_model:lab/base", "base_model:adapter:lab/base"]},
        {"tags": ["text-to-image", "base_model:finetune:lab/base"]},
        {"tags": ["text-to-image", "base_model:merge:lab/base"]},
        {"tags": ["text-to-image", "base_model:quantized:lab/base"]},
        {"cardData": {"base_model": "lab/base"}},
        {"cardData": {"base_model": ["lab/base", "lab/other"]}},
        {"baseModels": {"relation": "quantized", "models": [{"_id": "1", "id": "lab/base"}]}},
        {"tags": ["text-to-image", "LoRA"]},
        {"tags": ["text-to-image", "controlnet"]},
    ],
)
def test_what_is_no_open_base_model_in_use_is_left_alone(hub: Hub, said: dict[str, Any]) -> None:
    hub.models = [model("lab/good", "2030-06-01"), model("lab/other", "2030-06-02", **said)]
    assert names() == ["lab/good"]


def test_a_model_that_names_itself_as_its_base_is_one(hub: Hub) -> None:
    hub.models = [model("lab/m", "2030-06-01", cardData={"base_model": "lab/m"}, tags=["base_model:lab/m"])]
    assert names() == ["lab/m"]


def test_people_have_the_last_word_on_names_and_models(hub: Hub) -> None:
    tags = ["text-to-image", "base_model:finetune:lab/text-encoder"]
    hub.models = [model("lab/FLUX.1-dev", "2030-06-01"), model("spam/x", "2030-06-02"), model("lab/t", "2030-06-03")]
    hub.models.append(model("big/Image-9", "2030-06-04", tags=tags))
    found = poll(deny=["spam/*"], allow=["lab/*", "big/*"], derived=["big/*"], families={"lab/t": "tee"})
    assert [(one.model, one.family) for one in found] == [
        ("lab/FLUX.1-dev", "flux_1_dev"),
        ("lab/t", "tee"),
        ("big/Image-9", "image_9"),
    ]


def test_a_model_that_comes_into_use_later_is_found_later(hub: Hub) -> None:
    hub.models = [model("lab/slow", "2030-06-01", downloads=3), model("lab/fast", "2030-06-20")]
    assert names() == ["lab/fast"]
    hub.models[0]["downloads"] = 1000
    assert names() == ["lab/slow", "lab/fast"]  # repeats are harmless, losses are not


def test_a_rate_limit_is_waited_for_and_pages_go_on(hub: Hub, waits: list[float]) -> None:
    hub.models = [model(f"lab/m{n}", f"2030-06-{n:02d}") for n in range(1, 6)]
    hub.failures = [limited(55)]
    assert len(names()) == 5
    assert waits == [56.0]


def test_a_hub_in_trouble_is_one_clear_line(hub: Hub, waits: list[float]) -> None:
    hub.failures = [(503, {}, b"")] * 9
    with pytest.raises(BadInputError, match=r"^the Hub cannot be asked: .*503"):
        poll()
    assert len(waits) == 5  # tried six times, each time later


def test_what_was_found_before_the_hub_broke_off_is_reported(hub: Hub, waits: list[float]) -> None:
    hub.models = [model(f"lab/m{n}", f"2030-06-{n:02d}") for n in range(1, 6)]
    found: list[Release] = []
    with pytest.raises(BadInputError, match="the Hub cannot be asked"):
        for batch in _breaking(hub).poll(None, 10, NOW):
            found += batch.releases
    assert [one.model for one in found] == ["lab/m3", "lab/m4", "lab/m5"]


def _breaking(hub: Hub) -> HubReleasesAdapter:
    answer = hub.answer

    def second_page_fails(handler: Any) -> Any:
        return (404, {}, b"{}") if "cursor=" in handler.path else answer(handler)

    hub.site.otherwise = second_page_fails
    return adapter()


@pytest.mark.parametrize("body", [b"<html>", b'[{"id": "lab/x"}]'])
def test_an_answer_that_is_no_listing_is_one_clear_line(hub: Hub, body: bytes) -> None:
    hub.site.otherwise = lambda handler: (200, {"Content-Type": "application/json"}, body)
    with pytest.raises(BadInputError, match="the Hub cannot be asked"):
        poll()


def test_a_window_with_more_models_than_may_be_looked_at_says_so(hub: Hub) -> None:
    hub.models = [model(f"lab/m{n}", f"2030-06-{n:02d}") for n in range(1, 6)]
    found: list[Release] = []
    with pytest.raises(BadInputError, match="more than 4 models since 2030-05-01; take a shorter `window`"):
        for batch in adapter(most=4).poll(None, 10, NOW):
            found += batch.releases
    assert len(found) == 4


def test_the_token_is_the_adapter_s_own_or_none(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "hf_mine")
    monkeypatch.setenv("HF_TOKEN", "hf_of_whoever_started_this")
    poll()
    poll(token_variable="MINE")
    listings = [headers for path, headers in hub.site.asked if path.startswith("/api/models")]
    assert [headers.get("Authorization", headers.get("authorization")) for headers in listings] == [
        None,
        "Bearer hf_mine",
    ]


def test_it_keeps_the_contract(hub: Hub) -> None:
    hub.models = [model(f"lab/m{n}", f"2030-06-{n:02d}") for n in range(1, 6)]
    assert_conforms(adapter, NOW)


def test_it_runs_in_its_process_against_the_endpoint_of_the_environment(hub: Hub) -> None:
    hub.models = [model("lab/m", "2030-06-01")]
    secrets = {"HF_ENDPOINT": hub.site.url(""), "HF_HUB_OFFLINE": "0"}
    batches = poll_in_child("hub", "hub_releases", {}, None, 10, NOW, deadline=240, memory_limit=2**31, secrets=secrets)
    assert [release.family for batch in batches for release in batch.releases] == ["m"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"families": {"lab/m": "Not A Slug"}}, "lower snake case"),
        ({"window": 0}, "greater than 0"),
        ({"min_download": 1}, "Extra inputs"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        HubReleasesOptions.model_validate(options)
