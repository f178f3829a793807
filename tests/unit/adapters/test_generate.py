"""What the generate adapter asks for, spends, delivers and gives up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from feed_server import Answer, Site, serving
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from services import JSON, ImagesApi, error, images_answer, picture

from adapters.checks import assert_conforms
from adapters.generate import GenerateAdapter
from adapters.generation.budget import Ledger, Limits, Spent, give_back, reserve
from adapters.generation.options import GenerateOptions
from adapters.generation.orders import Model, order_of
from adapters.generation.prompts import read_prompts
from daemon.errors import BadInputError
from daemon.intake.polling import poll_in_child
from daemon.intake.spending import Spending, spending_of
from daemon.model import Batch, Candidate, Material, Prompt, Release

NOW = datetime(2030, 6, 30, 12, tzinfo=UTC)
PROMPTS = ["a cat", "a dog on a hill", "rain"]
MODEL = {"model": "painter-1", "revision": "2030-05", "family": "painter_1", "released": "2030-05", "kind": "diffusion"}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def api(site: Site, monkeypatch: pytest.MonkeyPatch) -> ImagesApi:
    monkeypatch.setenv("KEY", "sk-mine")
    return ImagesApi(site)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("\n".join(PROMPTS) + "\n")
    return path


def options(api: ImagesApi, prompts: Path | None, **more: Any) -> GenerateOptions:
    server = {"base_url": api.site.url("/v1"), **more.pop("openai", {})}
    said = {
        "backend": "openai",
        "models": [MODEL],
        "path": None if prompts is None else str(prompts),
        "per_model": 3,
        "images_per_day": 100,
        "money_per_day": 10,
        "price": 0.04,
        "token_variable": "KEY",
        "first_wait": 0,
        "openai": server,
        **more,
    }
    return GenerateOptions.model_validate(said)


def adapter(given: GenerateOptions, material: Material | None = None) -> GenerateAdapter:
    made = GenerateAdapter("maker", given)
    made._sleep = lambda seconds: None
    if material is not None:
        made.give(material)
    return made


def poll(
    made: GenerateAdapter, cursor: str | None = None, budget: int = 1000, now: datetime = NOW
) -> tuple[list[Candidate], str | None]:
    found: list[Candidate] = []
    for batch in made.poll(cursor, budget, now):
        found += batch.candidates
        cursor = batch.cursor
    return found, cursor


def failing(made: GenerateAdapter, why: str, cursor: str | None = None) -> tuple[list[Candidate], str | None]:
    """A poll that ends with that error; returns what was stored before."""
    found: list[Candidate] = []
    with pytest.raises(BadInputError, match=why):
        for batch in made.poll(cursor, 1000, NOW):
            found += batch.candidates
            cursor = batch.cursor
    return found, cursor


def spent(cursor: str | None, day: str = "2030-06-30") -> tuple[int, Decimal]:
    one = json.loads(cursor or "{}")["spent"].get(day, {"images": 0, "money": "0"})
    return one["images"], Decimal(one["money"])


# --- what is delivered --------------------------------------------------------------------------------------------


def test_every_picture_says_how_it_was_made(api: ImagesApi, prompts: Path) -> None:
    found, _ = poll(adapter(options(api, prompts, parameters={"size": "1024x1024"}, licence="CC0-1.0")))
    assert [one.caption for one in found] == PROMPTS
    first = found[0]
    assert first.content == picture("painter-1", "a cat", None)
    assert (first.label, first.family, first.released, first.kind) == ("synthetic", "painter_1", "2030-05", "diffusion")
    assert first.licence == "CC0-1.0"
    assert first.generation == {
        "model": "painter-1",
        "revision": "2030-05",
        "backend": "openai",
        "size": "1024x1024",
        "quality": "high",
        "output_format": "png",
        "background": "opaque",
        "output_tokens": 50,
    }
    assert api.asked[0] == {"model": "painter-1", "prompt": "a cat", "n": 1, "size": "1024x1024"}
    assert {name.lower(): value for name, value in api.site.asked[0][1].items()}["authorization"] == "Bearer sk-mine"


def test_a_seed_is_recorded_where_it_decided_the_picture(api: ImagesApi, prompts: Path) -> None:
    found, _ = poll(adapter(options(api, prompts, openai={"send_seed": True}, per_model=6)))
    seeds = [one.generation["seed"] for one in found]
    assert [body["seed"] for body in api.asked] == seeds
    assert len(set(seeds)) == 6  # prompts come again with other seeds
    assert len({one.uri for one in found}) == 6
    again, _ = poll(adapter(options(api, prompts, openai={"send_seed": True}, per_model=6)))
    assert [one.content for one in again] == [one.content for one in found]
    other, _ = poll(adapter(options(api, prompts, openai={"send_seed": True}, per_model=6, seed=1)))
    assert {one.generation["seed"] for one in other}.isdisjoint(seeds)


def test_pictures_of_one_prompt_share_a_group_whoever_made_them(api: ImagesApi, prompts: Path) -> None:
    models = [MODEL, {"model": "painter-2", "family": "painter_2"}]
    found, _ = poll(adapter(options(api, prompts, models=models)))
    groups = {family: [one.group for one in found if one.family == family] for family in ("painter_1", "painter_2")}
    assert groups["painter_1"] == groups["painter_2"]
    assert len(set(groups["painter_1"])) == 3


def test_captions_of_photographs_bring_their_group(api: ImagesApi) -> None:
    captions = (Prompt("a cat", "sample:01"), Prompt("a dog", "g7"))
    found, _ = poll(adapter(options(api, None), Material(captions=captions)))
    assert [(one.caption, one.group) for one in found[:2]] == [("a cat", "sample:01"), ("a dog", "g7")]


def test_without_photographs_yet_nothing_is_made_and_without_prompts_it_says_so(api: ImagesApi) -> None:
    assert poll(adapter(options(api, None), Material()))[0] == []
    with pytest.raises(BadInputError, match="there are no prompts: give a file in `path`, or `captions: 1000`"):
        poll(adapter(options(api, None)))
    assert api.asked == []


def test_releases_are_taken_up_the_newest_first_behind_the_configured_models(api: ImagesApi, prompts: Path) -> None:
    releases = tuple(
        Release(f"lab/m{day}", "0" * 40, f"m{day}", f"2030-06-{day}") for day in (10, 28, 20)
    )  # in the order of registration
    releases += (Release("lab/later", "0" * 40, "later", "2030-07-01"),)
    made = adapter(options(api, prompts, per_model=1), Material(releases=releases))
    found, cursor = poll(made)
    assert [one.family for one in found] == ["painter_1", "m28", "m20", "m10"]
    assert found[1].generation["revision"] == "0" * 40
    assert found[1].released == "2030-06-28"
    found, _ = poll(made, cursor, now=NOW + timedelta(days=2))
    assert [one.family for one in found] == ["later"]


def test_it_keeps_the_contract_refused_prompts_included(api: ImagesApi, prompts: Path) -> None:
    refusal = error(400, "Your request was rejected by the safety system.", code="moderation_blocked")
    api.respond = lambda body: refusal if body["prompt"] == "rain" else None
    models = [MODEL, {"model": "painter-2", "family": "painter_2"}]
    assert_conforms(lambda: adapter(options(api, prompts, models=models, per_model=5)), NOW, bad=2)


def test_a_preview_asks_for_nothing(api: ImagesApi, prompts: Path) -> None:
    rows = [one for batch in adapter(options(api, prompts)).preview(None, 2, NOW) for one in batch.candidates]
    assert [(one.caption, one.family, one.content) for one in rows] == [
        ("a cat", "painter_1", None),
        ("a dog on a hill", "painter_1", None),
    ]
    assert api.asked == []


def test_in_its_process_it_waits_until_each_reservation_is_stored(api: ImagesApi, prompts: Path) -> None:
    given = options(api, prompts).model_dump(mode="json", exclude_defaults=True)
    batches = poll_in_child(
        "maker", "generate", given, None, 10, NOW, deadline=240, memory_limit=2**32, secrets={"KEY": "sk-mine"}
    )
    first = next(batches)
    assert (first.candidates, spent(first.cursor)) == ((), (1, Decimal("0.04")))
    assert api.asked == []  # nobody has asked for the next batch, so this one is not stored yet
    second = next(batches)
    assert len(api.asked) == 1
    assert second.candidates[0].caption == "a cat"
    batches.close()  # type: ignore[attr-defined]
    assert len(api.asked) == 1


# --- what is spent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "made"),
    [
        ({"images_per_day": 2}, 2),
        ({"money_per_day": "0.11"}, 2),
        ({"money_per_day": "0.12"}, 3),
        ({"images_per_day": 1, "money_per_day": "0.40"}, 1),
    ],
)
def test_the_day_s_budget_is_kept_and_the_rest_comes_on_another_day(
    api: ImagesApi, prompts: Path, limits: dict[str, Any], made: int
) -> None:
    maker = adapter(options(api, prompts, per_model=4, **limits))
    found, cursor = poll(maker)
    assert (len(found), len(api.asked)) == (made, made)
    assert spent(cursor) == (made, made * Decimal("0.04"))
    assert poll(maker, cursor) == ([], cursor)
    found, cursor = poll(maker, cursor, now=NOW + timedelta(days=1))
    assert len(api.asked) == made + len(found) <= 4
    assert found


def test_what_the_service_reads_of_the_cursor_is_what_was_reserved(api: ImagesApi, prompts: Path) -> None:
    given = options(api, prompts, images_per_day=9, money_per_day="1.00", price="0.04")
    cursor = poll(adapter(given))[1]
    images, money = spent(cursor)
    account = spending_of(cursor, given.model_dump(mode="json"), date(2030, 6, 30))
    assert images > 0
    assert account == Spending(images, 9, float(money), 1.0)
    assert spending_of(cursor, given.model_dump(mode="json"), date(2030, 7, 1)) == Spending(0, 9, 0.0, 1.0)


def test_the_reservation_is_in_the_cursor_before_the_request(api: ImagesApi, prompts: Path) -> None:
    stored: list[str] = []
    seen: list[tuple[int, int]] = []

    def watch(body: dict[str, Any]) -> None:
        seen.append((spent(stored[-1])[0], len(api.asked)))

    api.respond = watch  # type: ignore[assignment]
    for batch in adapter(options(api, prompts)).poll(None, 10, NOW):
        stored.append(batch.cursor)
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_what_died_behind_its_reservation_stays_paid(api: ImagesApi, prompts: Path) -> None:
    maker = adapter(options(api, prompts, images_per_day=3))
    cursor = None
    for died in range(3):  # each time right behind the reservation
        batch = next(maker.poll(cursor, 10, NOW))
        cursor = batch.cursor
        assert spent(cursor)[0] == died + 1
    assert poll(maker, cursor) == ([], cursor)
    assert api.asked == []
    found, _ = poll(maker, cursor, now=NOW + timedelta(days=1))
    assert [one.caption for one in found] == PROMPTS  # nothing is skipped


def test_other_options_make_nothing_again_and_free_no_money(api: ImagesApi, prompts: Path) -> None:
    _, cursor = poll(adapter(options(api, prompts, per_model=2, images_per_day=3)))
    found, cursor = poll(adapter(options(api, prompts, per_model=9, images_per_day=3)), cursor)
    assert [one.caption for one in found] == ["rain"]
    assert spent(cursor)[0] == 3


def test_a_rate_limit_is_waited_for_within_one_reservation(api: ImagesApi, prompts: Path) -> None:
    waits: list[float] = []
    api.failures = [error(429, "Rate limit reached", code="rate_limit_exceeded", retry_after="7")] * 2
    maker = adapter(options(api, prompts, per_model=1))
    maker._sleep = waits.append
    found, cursor = poll(maker)
    assert waits == [7.0, 7.0]
    assert (len(found), len(api.asked), spent(cursor)[0]) == (1, 3, 1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (error(429, "Rate limit reached", retry_after="3600"), "Rate limit reached"),
        (error(429, "You exceeded your current quota", code="insufficient_quota"), "exceeded your current quota"),
        (error(401, "Incorrect API key provided", code="invalid_api_key"), "Incorrect API key"),
        (error(403, "Country not supported"), "Country not supported"),
        (error(400, "Invalid value: 'huge'", param="size", code="invalid_value"), "Invalid value"),
    ],
)
def test_a_service_that_takes_no_order_ends_the_poll_and_costs_nothing(
    api: ImagesApi, prompts: Path, answer: Answer, why: str
) -> None:
    api.failures = [answer]
    maker = adapter(options(api, prompts))
    found, cursor = failing(maker, why)
    assert (found, spent(cursor), len(api.asked)) == ([], (0, Decimal("0.00")), 1)
    assert len(poll(maker, cursor)[0]) == 3


@pytest.mark.parametrize(
    "answer",
    [
        error(500, "The server had an error"),
        error(503, "The engine is currently overloaded"),
        (200, JSON, b"<html>"),
        (200, JSON, b"{}"),
        (200, JSON, json.dumps(images_answer()).encode()),
        (200, JSON, json.dumps(images_answer({"b64_json": "not base64!"})).encode()),
        (200, JSON, json.dumps(images_answer({"revised_prompt": "a cat"})).encode()),
    ],
)
def test_an_attempt_that_may_have_been_paid_is_paid(api: ImagesApi, prompts: Path, answer: Answer) -> None:
    api.failures = [answer]
    found, cursor = poll(adapter(options(api, prompts, per_model=1)))
    assert (len(found), len(api.asked), spent(cursor)[0]) == (1, 2, 2)
    api.failures = [answer] * 9
    found, cursor = failing(adapter(options(api, prompts, per_model=1, attempts=2)), "^openai: painter-1@2030-05: ")
    assert (found, spent(cursor)[0]) == ([], 2)


def test_attempts_keep_the_budget_too(api: ImagesApi, prompts: Path) -> None:
    api.failures = [error(500, "no")] * 99
    found, cursor = poll(adapter(options(api, prompts, images_per_day=2, attempts=9)))
    assert (found, spent(cursor)[0], len(api.asked)) == ([], 2, 2)


def test_a_service_that_cannot_be_reached_costs_nothing(api: ImagesApi, prompts: Path) -> None:
    given = options(api, prompts, openai={"base_url": "http://127.0.0.1:1/v1"})
    found, cursor = failing(adapter(given), "cannot be connected to")
    assert (found, spent(cursor)[0]) == ([], 0)


def test_no_answer_in_time_is_paid(api: ImagesApi, prompts: Path) -> None:
    import threading

    done = threading.Event()
    api.site.answers["/v1/images/generations"] = lambda handler: done.wait(20) and None
    try:
        found, cursor = failing(adapter(options(api, prompts, timeout=0.3, attempts=1)), "no answer within 0.3 s")
    finally:
        done.set()
    assert (found, spent(cursor)[0]) == ([], 1)


# --- what is refused or given up ----------------------------------------------------------------------------------


def test_a_refused_prompt_is_counted_and_the_next_one_made(api: ImagesApi, prompts: Path) -> None:
    api.failures = [error(400, "Your request was rejected by the safety system.", code="moderation_blocked")]
    found, _ = poll(adapter(options(api, prompts)))
    assert [one.problem for one in found] == ["unreadable", None, None]
    assert "refused: " in found[0].problem_detail
    assert "safety system" in found[0].problem_detail


def test_a_model_that_is_not_there_is_given_up_and_the_next_one_made(api: ImagesApi, prompts: Path) -> None:
    missing = error(404, "The model `gone` does not exist", code="model_not_found")
    api.respond = lambda body: missing if body["model"] == "gone" else None
    maker = adapter(options(api, prompts, models=[{"model": "gone", "family": "gone"}, MODEL]))
    found, cursor = poll(maker)
    assert [one.problem for one in found] == ["unreadable", None, None, None]
    assert found[0].problem_detail.startswith("gone is given up: ")
    assert spent(cursor)[0] == 3
    assert poll(maker, cursor)[0] == []


def test_a_model_that_kills_its_process_each_time_waits_behind_the_others_and_is_given_up(
    api: ImagesApi, prompts: Path
) -> None:
    models = [{"model": "deadly", "family": "deadly"}, MODEL]
    given = options(api, prompts, models=models, per_model=1, give_up_after=3)
    cursor = next(adapter(given).poll(None, 10, NOW)).cursor
    cursor = next(adapter(given).poll(cursor, 10, NOW)).cursor  # died twice
    batches = adapter(given).poll(cursor, 10, NOW)
    next(batches)
    assert [one.family for one in next(batches).candidates] == ["painter_1"]
    cursor = next(batches).cursor  # the deadly one again
    found, cursor = poll(adapter(given), cursor)
    assert [(one.uri, one.problem) for one in found] == [("deadly", "unreadable")]
    assert poll(adapter(given), cursor) == ([], cursor)


def test_pictures_by_address_are_fetched_safely(api: ImagesApi, prompts: Path) -> None:
    content = picture("by address")
    api.site.answers["/p.png"] = (200, {}, content)
    body = json.dumps(images_answer({"url": api.site.url("/p.png"), "revised_prompt": "a better cat"}))
    api.failures = [(200, JSON, body.encode())]
    found, _ = poll(adapter(options(api, prompts, per_model=1, openai={"allowed_hosts": ["127.0.0.1"]})))
    assert found[0].content == content
    assert found[0].generation["revised_prompt"] == "a better cat"
    api.failures = [(200, JSON, body.encode())]
    failing(adapter(options(api, prompts, per_model=1, attempts=1)), "only https is fetched")


def test_a_picture_that_is_too_large_is_a_bad_record(api: ImagesApi, prompts: Path) -> None:
    found, _ = poll(adapter(options(api, prompts, per_model=1, max_bytes=100)))
    assert (found[0].problem, found[0].content) == ("too_many_bytes", None)


# --- options, prompts, orders, budgets ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"price": None, "money_per_day": None}, "a service is paid; give both"),
        ({"money_per_day": None}, "a service is paid; give both"),
        ({"price": None}, "give `price` too"),
        ({"money_per_day": "0.03"}, "below the price of one picture"),
        ({"token_variable": None, "openai": {"base_url": None}}, "this service needs a token"),
        ({"backend": "hf_inference", "token_variable": None}, "this service needs a token"),
        ({"images_per_day": 0}, "greater than 0"),
        ({"models": [MODEL, MODEL]}, "is there twice"),
        ({"models": [{**MODEL, "family": "Painter 1"}]}, "lower snake case"),
        ({"models": [{**MODEL, "released": "May 2030"}]}, "is not YYYY"),
        ({"backend": "diffusers"}, "needs its `revision`, a commit"),
        ({"prompt_column": "x"}, "Extra inputs"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    api: ImagesApi, prompts: Path, said: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        options(api, prompts, **said)


def test_a_server_that_costs_nothing_needs_no_money_and_no_token(api: ImagesApi, prompts: Path) -> None:
    given = options(api, prompts, price=0, money_per_day=None, token_variable=None)
    found, cursor = poll(adapter(given))
    assert (len(found), spent(cursor)) == (3, (3, Decimal(0)))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_prompts_come_from_tables_with_their_group(tmp_path: Path, ending: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"prompt": f"p {n}", "image_id": f"photo-{n // 2}", "width": 3} for n in range(4)] + [
        {"prompt": " ", "image_id": "x", "width": 3},
        {"prompt": "p 0", "image_id": "photo-0", "width": 3},
    ]
    path = tmp_path / f"p.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        path.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]))
    assert read_prompts(str(path), "prompt", "image_id") == [Prompt(f"p {n}", f"photo-{n // 2}") for n in range(4)]
    assert read_prompts(str(path), "prompt", None)[0] == Prompt("p 0")
    with pytest.raises(BadInputError, match="has no column 'text'; it has prompt, image_id"):
        read_prompts(str(path), "text", None)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("p.txt", b"\n\n", "holds no prompt"),
        ("p.txt", b"\xff\xfe", "is not UTF-8"),
        ("p.jsonl", b'{"prompt": 3}', "a prompt is text"),
        ("p.jsonl", b"[]", "line 1 is not a JSON object"),
        ("p.parquet", b"PAR1", "p.parquet: "),
    ],
)
def test_a_file_that_holds_no_prompts_is_one_clear_line(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError, match=why) as raised:
        read_prompts(str(tmp_path / name), "prompt", None)
    assert "\n" not in str(raised.value)
    with pytest.raises(BadInputError, match="cannot be read"):
        read_prompts(str(tmp_path / "gone.txt"), "prompt", None)


def test_the_published_prompts_of_synthclic_are_read(published: Path) -> None:
    found = read_prompts(str(published / "synthclic_prompts.parquet"), "prompt", "image_id")
    assert len(found) > 2000
    assert found[0].group == "abigail-keenan-27293"
    assert found[0].text.startswith("A photo of a woman riding a bicycle")


@pytest.fixture
def published() -> Path:
    import os

    folder = Path(os.environ.get("SIDWATCH_TEST_DATA", Path(__file__).parents[4] / "shared/data")) / "paper"
    if not folder.exists():
        if os.environ.get("SIDWATCH_REQUIRE_TEST_DATA") == "1":
            pytest.fail(f"{folder} is not there")
        pytest.skip("the published prompts are not here")
    return folder


@given(st.integers(0, 10**6), st.integers(0, 2**40))
def test_an_order_is_a_pure_function_and_its_seed_fits_31_bits(number: int, seed: int) -> None:
    model = Model("m", None, "m", None)
    prompts = [Prompt("a"), Prompt("b", "g")]
    order = order_of(model, number, prompts, seed)
    assert order == order_of(model, number, prompts, seed)
    assert order.prompt == prompts[number % 2]
    assert 0 <= order.seed < 2**31


DAYS = st.integers(-4000, 4000).map(lambda n: date(2030, 1, 1) + timedelta(days=n))


@given(
    st.lists(st.tuples(DAYS, st.booleans()), max_size=80),
    st.integers(1, 5),
    st.none() | st.integers(0, 30).map(lambda n: Decimal(n) / 100),
    st.integers(0, 10).map(lambda n: Decimal(n) / 100),
)
def test_no_day_ever_spends_more_than_its_budget(
    asks: list[tuple[date, bool]], images: int, money: Decimal | None, price: Decimal
) -> None:
    limits = Limits(images, money, price)
    ledger: Ledger = {}
    truth: dict[date, Spent] = {}
    for day, back in asks:  # a clock that jumps as it likes
        reserved = reserve(ledger, day, limits)
        if reserved is None:
            continue
        ledger = reserved
        if back:
            ledger = give_back(ledger, day, limits)
            continue
        so_far = truth.get(day, Spent())
        truth[day] = Spent(images=so_far.images + 1, money=so_far.money + price)
    assert len(ledger) <= 60
    if len(truth) > 60:
        return  # days that lie far from the present one are forgotten
    for day, one in truth.items():
        assert ledger[day] == one
        assert one.images <= images
        assert money is None or one.money <= money


def test_a_batch_of_the_adapter_holds_one_picture(api: ImagesApi, prompts: Path) -> None:
    batches: list[Batch] = list(adapter(options(api, prompts)).poll(None, 1000, NOW))
    assert [len(batch.candidates) for batch in batches] == [0, 1] * 3
