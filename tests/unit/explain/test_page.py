"""The pages: whole, self-contained, and nothing from outside gets in unescaped."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from daemon.errors import ImageRejected
from daemon.explain.page import PictureOnPage, interval_bar, render_family, render_pictures, signed_bar
from daemon.explain.thumbnail import SIDE, shrink, thumbnails
from daemon.explain.views import (
    ComparisonView,
    ContributionView,
    EffectView,
    ExplainedScoreView,
    ExplanationView,
    FamilyExplanationView,
    FamilyProfileView,
    SeenView,
)
from daemon.intake.decode import Limits
from daemon.settings import IntakeSettings

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
LIMITS = Limits(50 * 2**20, 40_000_000, 16)


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "rect", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def png(width: int, height: int) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def explained(count: int = 3, text: str = EVIL) -> ExplainedScoreView:
    values = [(-1.0) ** i / (i + 1) for i in range(count)]
    found = [
        ContributionView(kind="concept", name=text, label=text, value=value, towards=text, cosine=0.1)
        for value in values
    ]
    why = ExplanationView(
        method="integrated_gradients",
        baseline=-1.5,
        reference=text,
        contributions=found,
        remainder=0.25,
        explained=0.4,
        notes=[text],
    )
    return ExplainedScoreView(
        sha256="0" * 64,
        probability=0.9,
        logit=sum(values) - 1.25,
        threshold=None,
        verdict="synthetic",
        family=text,
        nearest_real_source=text,
        version="v1",
        explanation=why,
    )


def family() -> FamilyExplanationView:
    effects = [
        EffectView(
            kind="features",
            name=EVIL,
            label=EVIL,
            effect=effect,
            lower=effect - 1.0,
            upper=effect + 1.0,
            proved=effect > 1.0,
            approximate=True,
        )
        for effect in (3.0, 0.5, -0.5)
    ]
    view = FamilyProfileView(
        comparisons=[ComparisonView(against="reals", subjects=[EVIL], pictures=3, effects=effects)],
        seen=SeenView(auroc=0.5, recall=0.1, share=0.1),
        summary=[EVIL],
    )
    return FamilyExplanationView(
        family=EVIL,
        version="v1",
        known=False,
        pictures=40,
        groups=20,
        level=0.95,
        from_statistics=False,
        resembles=EVIL,
        resembles_share=0.5,
        profiles={"raw": view},
        notes=[EVIL],
    )


def pages() -> list[str]:
    picture = PictureOnPage(EVIL, shrink(png(64, 48), LIMITS), explained())
    return [render_pictures([picture], simulated=False), render_family(family(), simulated=True)]


def test_nothing_from_outside_becomes_markup() -> None:
    for page in pages():
        elements = Elements(page)
        assert elements.open == []
        assert not {tag for tag, _ in elements.found} & {"script", "link", "iframe", "object"}
        assert all(name not in attributes for _, attributes in elements.found for name in ("onerror", "onload"))
        assert page.count("&lt;script&gt;") >= 4
        assert "<script" not in page


def test_the_page_needs_nothing_else() -> None:
    for page in pages():
        sources = [a["src"] for _, a in Elements(page).found if "src" in a]
        assert all(source is not None and source.startswith("data:image/jpeg;base64,") for source in sources)
        assert not re.search(r"https?://|url\(|@import", page)
        assert "default-src 'none'" in page


def test_it_can_be_read_without_seeing_it_and_in_the_dark() -> None:
    for page in pages():
        elements = Elements(page).found
        assert ("html", {"lang": "en"}) in elements
        assert all(a.get("alt") for tag, a in elements if tag == "img")
        assert all(a.get("aria-hidden") == "true" for tag, a in elements if tag == "svg")
        assert all(a.get("scope") in ("col", "row") for tag, a in elements if tag == "th")
        assert "prefers-color-scheme: dark" in page
        assert page.count("<caption>") == 1


def test_the_figures_and_what_is_left_are_on_it() -> None:
    page, of_family = pages()
    for text in ("Probability 0.900", "none: nothing is called synthetic", "+1.00", "-0.50", "+0.33", "+0.25"):
        assert text in page
    for text in ("3.00", "2.00 to 4.00", "-0.50", "which has not learned it", "Pictures or time are simulated"):
        assert text in of_family
    assert "are simulated" not in page


def test_many_contributions_are_summed_up() -> None:
    view = explained(40, "c")
    page = render_pictures([PictureOnPage("p", shrink(png(64, 48), LIMITS), view)], simulated=False)
    rest = sum(one.value for one in view.explanation.contributions[24:])
    assert f'16 others together</th><td></td><td class="number">{rest:+.2f}' in page


def test_bars_stay_on_their_rail() -> None:
    assert (signed_bar(2.0, 2.0).left, signed_bar(2.0, 2.0).width) == (50.0, 50.0)
    assert (signed_bar(-1.0, 2.0).left, signed_bar(-1.0, 2.0).width) == (25.0, 25.0)
    effects = family().profiles["raw"].comparisons[0].effects
    for effect in effects:
        bar = interval_bar(effect, effects)
        assert bar.at is not None
        assert 0.0 <= bar.left <= bar.at <= bar.left + bar.width <= 100.0 + 1e-9


@pytest.mark.parametrize(("width", "height"), [(2000, 500), (64, 64)])
def test_a_thumbnail_is_a_small_jpeg(width: int, height: int) -> None:
    (made,) = thumbnails([png(width, height)], IntakeSettings())
    picture = Image.open(io.BytesIO(made))
    assert picture.format == "JPEG"
    assert max(picture.size) == min(SIDE, max(width, height))


def test_a_picture_that_is_none_has_no_thumbnail() -> None:
    with pytest.raises(ImageRejected):
        thumbnails([b"not a picture"], IntakeSettings())
