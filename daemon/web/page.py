"""The pages: views made into HTML on the server. Names come from outside, so all text is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from daemon.detail.history import History
from daemon.detail.views import EpisodeDetailView, FamilyHistoryView, QuarantineView, VersionDetailView
from daemon.explain.views import ExplainedScoreView
from daemon.views import EpisodeView, FamilyFigures, FamilyView, SourceView, Status
from daemon.web import format as show
from daemon.web.plots import family_plot, mean_plot

PROFILES: Final = ("raw", "laundered")
ROWS: Final = 200  # of one table on one page
SPARK: Final = 24  # measurements in a small line
_ORDER: Final = {"inverted": 0, "evading": 1, "degraded": 2, "misjudged": 2, "insufficient": 4}

Recent = Callable[[Sequence[str], int], Mapping[str, Sequence[float]]]  # the newest APs of families, oldest first
Column = Literal["state", "name", "ap", "laundered", "recall", "n", "evidence", "last"]
COLUMNS: Final = get_args(Column)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the table of families is to be shown."""

    sort: Column = "state"
    descending: bool = False
    search: str = ""
    state: str = ""
    page: int = 1

    def link(self, **changes: Any) -> str:
        """The query of the same table with something changed; what is not changed stays, but for the page."""
        values: dict[str, Any] = {
            "sort": self.sort,
            "order": "desc" if self.descending else "asc",
            "q": self.search,
            "state": self.state,
            "page": 1,
            **changes,
        }
        defaults = {"sort": "state", "order": "asc", "q": "", "state": "", "page": 1}
        kept = [f"{name}={show.path(str(value))}" for name, value in values.items() if value != defaults[name]]
        return "?" + "&".join(kept) if kept else "?"

    def toggle(self, column: Column) -> str:
        """The query of the table sorted by a column; sorted by it already, the other way round."""
        order = "desc" if self.sort == column and not self.descending else "asc"
        return self.link(sort=column, order=order)

    def direction(self, column: Column) -> str:
        """For aria-sort."""
        if self.sort != column:
            return "none"
        return "descending" if self.descending else "ascending"


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its own."""

    status: Status
    simulated: bool

    def render(self, template: str, page: str, **values: Any) -> str:
        """One page. page: which entry of the navigation it belongs to."""
        return render_part(
            template,
            status=self.status,
            simulated=self.simulated or self.status.service.simulated,
            now=self.status.service.now,
            page=page,
            evading=[family for family in self.status.families if family.state in ("evading", "inverted")],
            **values,
        )


def overview(frame: Frame, history: History, recent: Recent, wanted: Wanted) -> str:
    """The families, how all of them fare over time, open episodes, real sources."""
    status = frame.status
    found = selected(status.families, wanted)
    start = (wanted.page - 1) * ROWS
    shown = found[start : start + ROWS]
    aps = recent([one.name for one in shown], SPARK)
    sources = sorted(status.real_sources, key=lambda source: (_ORDER.get(source.state, 3), source.name))
    return frame.render(
        "overview.html",
        "overview",
        profiles=PROFILES,
        wanted=wanted,
        families=shown,
        found=len(found),
        pages=max(1, -(-len(found) // ROWS)),
        states=("inverted", "evading", "degraded", "insufficient", "detected"),
        sparks={one.name: show.spark(aps.get(one.name, ())) for one in shown},
        mean=mean_plot(history.mean, history.reigns),
        mean_points=history.mean,
        sources=sources[:ROWS],
        sources_left=max(0, len(sources) - ROWS),
        standing=[alarm for alarm in status.alarms if alarm.raised_at is not None],
        misjudged=[source for source in sources if source.state == "misjudged"],
        open_episodes=[episode for episode in status.episodes if is_open(episode)],
    )


def family(frame: Frame, view: FamilyView, past: FamilyHistoryView) -> str:
    """One family; what takes longer to compute is asked for by the page itself."""
    return frame.render(
        "family.html",
        "overview",
        family=view,
        points=past.points,
        over_time=family_plot(past.points, past.reigns),
        episodes=[episode for episode in frame.status.episodes if episode.family == view.name],
    )


def versions(frame: Frame) -> str:
    """All versions, decisions and windows."""
    return frame.render("versions.html", "versions")


def version(frame: Frame, detail: VersionDetailView) -> str:
    """One version: verdict, difference, card."""
    return frame.render("version.html", "versions", detail=detail, card=card_as_html(detail.card))


def episodes(frame: Frame) -> str:
    """Every episode."""
    return frame.render("episodes.html", "episodes", open_episodes=[e for e in frame.status.episodes if is_open(e)])


def episode(frame: Frame, detail: EpisodeDetailView) -> str:
    """One episode's timeline."""
    return frame.render("episode.html", "episodes", detail=detail, open=is_open(detail.episode))


def intake(frame: Frame, quarantine: QuarantineView, page: int, size: int, pictures: bool) -> str:
    """Adapters, the queue, the quarantine, jobs."""
    return frame.render(
        "intake.html",
        "intake",
        quarantine=quarantine,
        page_number=page,
        pages=max(1, -(-quarantine.total // size)),
        pictures=pictures,
    )


def try_it(frame: Frame) -> str:
    """Where a picture is dropped."""
    return frame.render("try.html", "try")


def judged(view: ExplainedScoreView) -> str:
    """What became of the picture."""
    most = max((abs(one.value) for one in view.explanation.contributions), default=0.0) or 1.0
    return render_part("judged.html", view=view, most=most, shown=12)


def waiting(reason: str) -> str:
    """The page while there is no snapshot yet. reason: one line."""
    return render_part("waiting.html", reason=reason)


def error(code: int, title: str, detail: str) -> str:
    """A page for what cannot be shown."""
    return render_part("error.html", code=code, title=title, detail=detail)


def is_open(episode: EpisodeView) -> bool:
    """Whether the episode still wants something: neither recovered nor closed by a person."""
    return not episode.recovered and episode.state not in ("recovered", "closed")


def selected(families: Sequence[FamilyView], wanted: Wanted) -> list[FamilyView]:
    """The families that are searched for, in the order that is asked for; what has no figure comes last."""
    needle = wanted.search.lower()
    found = [one for one in families if needle in one.name.lower() and (not wanted.state or one.state == wanted.state)]
    if wanted.sort == "state":
        return sorted(found, key=_urgency, reverse=wanted.descending)
    if wanted.sort == "name":
        return sorted(found, key=lambda one: one.name, reverse=wanted.descending)
    value = _VALUES[wanted.sort]
    with_value = sorted(
        (one for one in found if value(one) is not None), key=lambda one: value(one) or 0.0, reverse=wanted.descending
    )
    return with_value + [one for one in found if value(one) is None]


def card_as_html(card: str) -> Markup:
    """A model card's Markdown as HTML; markup that somebody wrote into a name stays text."""
    text = card.partition("\n")[2]  # the page has its own heading
    html = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link"]).render(text)
    return Markup(html)  # markdown-it escapes; html is off


def _urgency(family: FamilyView) -> tuple[int, float, str]:
    ap = _figure(family, "raw", "ap")
    return _ORDER.get(family.state, 3), 2.0 if ap is None else ap, family.name


def _figure(family: FamilyView, profile: str, name: str) -> float | None:
    figures: FamilyFigures | None = family.profiles.get(profile)
    value: float | None = getattr(figures, name) if figures is not None else None
    return value


_VALUES: Final[Mapping[str, Callable[[FamilyView], float | None]]] = {
    "ap": lambda one: _figure(one, "raw", "ap"),
    "laundered": lambda one: _figure(one, "laundered", "ap"),
    "recall": lambda one: _figure(one, "raw", "recall"),
    "n": lambda one: _figure(one, "raw", "n"),
    "evidence": lambda one: show.share(one.evidence_log10, one.alarm_log10),
    "last": lambda one: one.last_sample_at.timestamp(),
}


def _figures(view: FamilyView | SourceView, profile: str) -> object | None:
    return view.profiles.get(profile)


def render_part(template: str, **values: Any) -> str:
    """A template by itself, such as a fragment that the page asks for."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("daemon.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=show.ago, ratio=show.ratio, percent=show.percent, signed=show.signed, segment=show.path
    )
    environment.globals.update(bar=show.bar, share=show.share, side=show.side, figures=_figures)
    return environment
