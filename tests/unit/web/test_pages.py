"""The pages by themselves: what they show, in what order, and how they fail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from daemon.detail.views import QuarantinedView
from daemon.errors import ImageRejected, TemporaryError
from daemon.web import create_app, examples
from daemon.web.page import Wanted, card_as_html, selected
from tests.unit.web.service import FakeService
from tests.unit.web.snapshot import empty_status, family, status

HTML = {"accept": "text/html"}
PAGES = (
    "/",
    "/versions",
    "/episodes",
    "/episodes/3",
    "/intake",
    "/try",
    "/families/aurora_v2",
    "/versions/v0003-9c41d2aa",
)
VENDORED = {
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "idiomorph-ext.min.js": "5811b9a7eda14878b7dab4378bf60432e1bb6f11fcfb970cc26540642650181e",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
STATIC = Path(__file__).parents[3] / "daemon" / "web" / "static"


def client(service: FakeService) -> TestClient:
    return TestClient(create_app(service), raise_server_exceptions=False)


def rows(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><span class="name"><a href="/families/[^"]*">([^<]+)</a>', text)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_and_runs_no_script_of_its_own(path: str) -> None:
    answer = client(FakeService()).get(path)
    assert answer.status_code == 200
    assert re.findall(r"<script(?! src=)", answer.text) == []
    assert not re.search(r"\s(on\w+|style)=", answer.text)


@pytest.mark.parametrize("path", ["/", "/versions", "/episodes", "/intake", "/try"])
def test_every_page_says_so_when_there_is_nothing_yet_and_while_the_service_starts(path: str) -> None:
    empty = client(FakeService(empty_status())).get(path)
    assert empty.status_code == 200
    assert 'class="none"' in empty.text
    starting = client(FakeService(TemporaryError("loading"))).get(path)
    assert (starting.status_code, "loading" in starting.text) == (503, True)


def test_names_from_outside_are_escaped_in_every_place() -> None:
    hostile = "\"'><script>alert(1)</script>"
    service = FakeService(status(families=[family(hostile, "evading", 0.4)]))
    text = hostile
    service.detail.set_apart = [
        QuarantinedView.model_validate(
            {
                **examples.QUARANTINED,
                "detail": text,
                "claims": [{"adapter": text, "uri": text, "label": text, "family": text, "source": text}],
            }
        )
    ]
    web = client(service)
    for path in ("/", "/intake", "/families/%22'%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E"):
        answer = web.get(path, headers=HTML)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
    for kind in ("scores", "evidence", "explanation"):
        assert "<script>alert" not in web.get(f"/fragments/{kind}/{hostile}").text


def test_markup_in_a_card_stays_text() -> None:
    html = card_as_html(
        "# Version\n\n| a |\n| --- |\n| <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](z) |\n"
    )
    assert "<table>" in html
    assert "<img" not in html
    assert "<a" not in html


def test_the_table_is_sorted_searched_and_filtered_by_the_address() -> None:
    web = client(FakeService())
    assert rows(web.get("/?sort=name").text) == sorted(one.name for one in status().families)
    worst = rows(web.get("/?sort=ap").text)
    assert (worst[0], worst[-1]) == ("aurora_v2", "glimmer_xl")  # without a figure: last
    assert rows(web.get("/?sort=ap&order=desc").text)[-1] == "glimmer_xl"
    assert rows(web.get("/?q=GAN&sort=name").text) == ["progan", "stylegan2"]
    assert rows(web.get("/?state=evading").text) == ["aurora_v2"]
    assert 'aria-sort="descending"' in web.get("/?sort=n&order=desc").text
    refused = web.get("/?sort=secret", headers=HTML)
    assert (refused.status_code, "text/html" in refused.headers["content-type"]) == (422, True)


def test_what_is_most_urgent_comes_first_unless_asked_otherwise() -> None:
    families = [family("fine", "detected"), family("bad", "evading", 0.4), family("few", "insufficient", None)]
    assert [one.name for one in selected(families, Wanted())] == ["bad", "fine", "few"]


def test_long_tables_come_in_pages_of_two_hundred() -> None:
    web = client(FakeService(status(families=[family(f"family_{n:03d}", "detected") for n in range(450)])))
    first, last = web.get("/?sort=name").text, web.get("/?sort=name&page=3").text
    assert (len(rows(first)), len(rows(last))) == (200, 50)
    assert 'href="?sort=name&amp;page=2"' in first
    assert rows(web.get("/?page=9").text) == []


def test_small_lines_are_read_for_the_rows_that_are_shown_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService(status(families=[family(f"family_{n:03d}", "detected") for n in range(450)]))
    asked: list[str] = []

    def recent(families: Sequence[str], points: int) -> dict[str, list[float]]:
        asked.extend(families)
        return {"family_401": [0.5, 1.0]}

    monkeypatch.setattr(service.detail, "recent", recent)
    text = client(service).get("/?sort=name&page=3").text
    assert asked == [f"family_{n:03d}" for n in range(400, 450)]
    assert text.count('class="spark"') == 1


def test_a_missing_page_is_a_page_for_people_and_a_problem_for_programs() -> None:
    web = client(FakeService())
    for path in ("/families/none", "/versions/none", "/episodes/77", "/nope"):
        assert "To the overview" in web.get(path, headers=HTML).text
        assert "<p>There is no " in web.get(path, headers=HTML).text
        answer = web.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_damaged_files_are_said_without_their_path() -> None:
    answer = client(FakeService()).get("/versions/v0009-damaged0", headers=HTML)
    assert answer.status_code == 500
    assert "verify" in answer.text
    assert "secret" not in answer.text


def test_the_quarantine_offers_what_ends_it() -> None:
    service = FakeService()
    conflict = QuarantinedView.model_validate(examples.QUARANTINED)
    failed = conflict.model_copy(update={"reason": "encoding_failed", "sha256": "a" * 64})
    service.detail.set_apart = [conflict, failed]
    text = client(service).get("/intake").text
    assert f"/v1/quarantine/{'0' * 64}/confirm" in text
    assert f"/v1/quarantine/{'0' * 64}/release" not in text  # only a person's word on the label ends a conflict
    assert f"/v1/quarantine/{'a' * 64}/release" in text


def test_the_quarantine_is_counted_by_reason_once_the_snapshot_has_counted_it() -> None:
    service = FakeService(status().model_copy(update={"quarantine": {}}))
    service.detail.set_apart = [QuarantinedView.model_validate(examples.QUARANTINED)]
    assert "neither measured nor learned.</p>" in client(service).get("/intake").text
    service.snapshot = status().model_copy(update={"quarantine": {"label_conflict": 1}})
    assert "neither measured nor learned: label conflict 1.</p>" in client(service).get("/intake").text


def test_pictures_are_small_copies_and_may_be_kept_back() -> None:
    service = FakeService()
    service.detail.thumbnails = {"0" * 64: b"jpeg"}
    service.detail.set_apart = [QuarantinedView.model_validate(examples.QUARANTINED)]
    web = client(service)
    assert web.get(f"/pictures/{'0' * 64}").content == b"jpeg"
    assert web.get(f"/pictures/{'1' * 64}").status_code == 404
    assert "/pictures/" in web.get("/intake").text
    hidden = TestClient(create_app(service, pictures=False))
    assert "/pictures/" not in hidden.get("/intake").text


def test_a_dropped_picture_is_judged_and_a_bad_one_refused_in_words() -> None:
    service = FakeService()
    web = client(service)
    answer = web.post("/try", files={"image": b"one"})
    assert (answer.status_code, "synthetic" in answer.text) == (200, True)
    service.verdict = ImageRejected("corrupt", "truncated <b>")
    refused = web.post("/try", files={"image": b"one"})
    assert refused.status_code == 422
    assert "corrupt: truncated &lt;b&gt;" in refused.text
    assert web.post("/try", content=b"x", headers={"content-type": "text/plain"}).status_code == 415


def test_what_others_made_is_as_they_published_it() -> None:
    found = {name: hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() for name in VENDORED}
    assert found == VENDORED
    assert {path.stem for path in (STATIC / "vendor").glob("*.LICENSE")} == {"htmx", "idiomorph", "uPlot"}
