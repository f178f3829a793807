"""`status`, `shortcuts` and `verify`: look at the store, change nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.commands.common import (
    ConfigOption,
    JsonOption,
    counts,
    echo,
    example,
    interval,
    number,
    print_json,
    print_table,
    settings_of,
)
from daemon.errors import AnswerIsNo
from daemon.settings import LearnSettings
from daemon.views import FamilyView, MigrationView, ShortcutView, Status


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status", epilog=example("sidwatch status --json | jq .mean_ap"))(status)
    app.command("shortcuts", epilog=example("sidwatch shortcuts"))(shortcuts)
    app.command("verify", epilog=example("sidwatch verify --deep"))(verify)


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show champion, families, real sources, episodes and the queue, from the store."""
    from daemon.app import read_status

    settings = settings_of(config)
    found = read_status(settings)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_status(found, settings.learn)


def _no_champion(found: Status, settings: LearnSettings) -> str:
    """What a first champion waits for."""
    families, sources = (
        sum(one.samples >= settings.first_samples for one in own) for own in (found.families, found.real_sources)
    )
    wanted = (
        f"a first one needs {settings.first_families} families and {settings.first_sources} real sources of "
        f"{settings.first_samples} pictures or more each; there are {families} and {sources}"
    )
    if families < settings.first_families or sources < settings.first_sources:
        return f"no champion yet: {wanted}"
    return (
        f"no champion yet: {wanted}. Only about half of all pictures may be learned from, the others measure, and "
        "pictures of untrusted sources never; the log says what is missing. More pictures help"
    )


def print_status(found: Status, settings: LearnSettings) -> None:
    """The snapshot for people."""
    simulated = "  (SIMULATED)" if found.service.simulated else ""
    champion = found.champion
    echo(f"encoder {found.service.encoder}{simulated}")
    if found.encoder_notice:
        echo(found.encoder_notice)
    if found.migration:
        echo(migration_line(found.migration))
    if champion is None:
        echo(_no_champion(found, settings))
    else:
        echo(f"champion {champion.id}: {champion.families} families, {champion.sources} real sources")
        echo(
            f"mAP raw {number(found.mean_ap['raw'])}, laundered {number(found.mean_ap['laundered'])}; worst "
            f"{found.worst_family['raw'] or '–'} {number(found.worst_ap['raw'])}; false positives "
            f"{number(found.real_false_positive_rate['raw'])}"
        )
        if champion.thresholds["raw"] is None:
            echo(
                f"NOTHING IS CALLED SYNTHETIC YET: too few real pictures for {champion.alpha:.0%} false positives; "
                "deliver photographs, best from five or more sources"
            )
    print_table(
        "families",
        ["family", "state", "AP raw", "interval", "AUROC", "recall", "AP laundered", "n", "evidence"],
        [_family_cells(family) for family in found.families],
        "no families yet",
    )
    print_table(
        "real sources",
        ["source", "state", "false positives", "left out", "laundered", "n"],
        [
            [
                source.name,
                source.state,
                number(raw.false_positive_rate if raw else None),
                number(raw.left_out if raw else None),
                number(laundered.false_positive_rate if laundered else None),
                source.samples,
            ]
            for source in found.real_sources
            for raw, laundered in [(source.profiles.get("raw"), source.profiles.get("laundered"))]
        ],
        "no real sources yet",
    )
    waiting = {row.stage: row.samples for row in found.queue if row.samples}
    echo(f"samples: {counts(found.samples)}; waiting: {counts(waiting)}; quarantine: {counts(found.quarantine)}")
    given_away = [view for view in found.shortcuts if view.state == "shortcut" and view.source]
    if given_away:
        echo(
            f"file metadata alone gives the label of {len(given_away)} batches away, {_learned_how(given_away)}: "
            "`sidwatch shortcuts`"
        )
    for alarm in found.alarms:
        if alarm.raised_at is not None:
            echo(f"alarm {alarm.kind} since {alarm.raised_at:%Y-%m-%d}: {alarm.text}")
    if found.alarm_budget is not None:
        budget = found.alarm_budget
        echo(
            f"false alarms to expect in 30 days: at most {budget.new_spent + budget.known_spent:.2f} of a budget of "
            f"{budget.false_alarms_per_30_days:g} ({budget.new_tests} new tests, {budget.known_votes} votes of "
            f"{budget.known_subjects} known subjects)"
        )
    for episode in found.episodes:
        echo(
            f"episode {episode.family}: {episode.state}, alarmed after {episode.samples_to_alarm} samples, "
            f"AP {number(episode.ap_before)} -> {number(episode.ap_after)}"
        )


def _learned_how(views: list[ShortcutView]) -> str:
    return "which are learned laundered only" if views[0].laundered_only else "which are learned all the same"


def shortcuts(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show how well file metadata alone tells each batch from the other label, and which are learned laundered only."""
    from daemon.app import read_status

    found = read_status(settings_of(config)).shortcuts
    if as_json:
        print_json([view.model_dump(mode="json") for view in found])
    else:
        print_shortcuts(found)


def print_shortcuts(found: list[ShortcutView]) -> None:
    """The shortcut audits for people."""
    print_table(
        "shortcut audit",
        ["", "name", "source", "metadata AUROC", "line", "n", "others", "unknown", "says", "learned"],
        [
            [
                view.kind,
                view.name,
                view.source or "all together",
                interval(view.auroc, view.lower, view.upper),
                view.threshold,
                view.n,
                view.others,
                view.unknown,
                view.state.replace("_", " "),
                "laundered only" if view.laundered_only else "both forms",
            ]
            for view in found
        ],
        "nothing was audited yet",
    )


def migration_line(found: MigrationView) -> str:
    """A migration in one line."""
    line = f"migration {found.id} to {found.encoder} ({found.fingerprint[:12]}): {found.state}, "
    line += f"{found.embedded} embedded, {found.waiting} waiting, {found.without_picture} without picture"
    line += f", {found.failed} that it cannot take" if found.failed else ""
    return line + (f"; {found.reason}" if found.reason else "")


def _family_cells(family: FamilyView) -> list[object]:
    raw, laundered = family.profiles.get("raw"), family.profiles.get("laundered")
    evidence = (
        f"10^{family.evidence_log10:.1f} of 10^{family.alarm_log10:.1f}"
        if family.evidence_log10 is not None and family.alarm_log10 is not None
        else None
    )
    if raw is None or raw.ap is None:
        return [family.name, family.state, None, None, None, None, None, family.samples, evidence]
    mark = "~" if raw.approximate else ""
    return [
        family.name,
        family.state,
        number(raw.ap),
        f"{mark}{number(raw.ap_lower)}–{number(raw.ap_upper)}",
        number(raw.auroc),
        number(raw.recall),
        number(laundered.ap if laundered else None),
        raw.n,
        evidence,
    ]


def verify(
    config: ConfigOption = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file against its digest.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the store's ten invariants; exit status 1 names what is broken."""
    from daemon.app import verify_store

    checks = verify_store(settings_of(config), deep=deep)
    broken = [check for check in checks if not check.ok]
    if as_json:
        rows = [{"number": c.number, "name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]
        print_json({"ok": not broken, "checks": rows})
    else:
        for check in checks:
            echo(f"{'ok    ' if check.ok else 'BROKEN'} {check.number:2d} {check.name}{_detail(check.detail)}")
    if broken:
        raise AnswerIsNo(f"{len(broken)} of {len(checks)} invariants are broken: {broken[0].name}: {broken[0].detail}")


def _detail(text: str) -> str:
    return f": {text}" if text else ""
