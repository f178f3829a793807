"""The model card: what a person should know of a version before relying on it, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from daemon.model import EvaluationRow
from daemon.registry.facts import Facts
from daemon.registry.markdown import plain, table

_LIMITS = """\
- It judges feature vectors of the encoder named above and no other; vectors of two fingerprints never meet.
- A verdict `synthetic` means a logit above the threshold. The threshold is placed so that a photo collection which was
  left out of the learning is accused at the stated rate; a kind of photograph unlike all of them may be accused more.
- A generator that is not listed under "Learned from" may evade it. Figures hold for pictures as they were delivered:
  the `laundered` profile, rescaled and recompressed, is the more cautious one.
- Averages are over equal numbers of real and synthetic pictures; at another share the precision is another.\
"""


def card(facts: Facts) -> str:
    """The card of one version, CommonMark with tables; equal facts, equal text."""
    parts = [
        f"# Version {facts.record.id}",
        _summary(facts),
        "## What it is for, and what not",
        "It tells synthetic images from photographs by a frozen encoder's feature vectors.",
        _LIMITS,
        "## Learned from",
        _learned(facts),
        "## Thresholds",
        _thresholds(facts),
        "## Figures on pictures it has not learned",
        _figures(facts.figures),
        "## The gate's verdict",
        _verdict(facts),
        "## Decisions",
        _decisions(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(facts: Facts) -> str:
    record, about = facts.record, facts.artifact.about
    dataset = about.get("dataset") or {}
    lines = [
        ("state", record.state),
        ("made", f"{record.created_at:%Y-%m-%d %H:%M} UTC by sidwatch {about.get('code_version', 'unknown')}"),
        ("follows", record.parent or "nothing"),
        ("learner", record.learner),
        ("kind of head", f"{facts.artifact.head.kind}, {facts.artifact.head.dimension} features"),
        ("encoder", f"`{record.fingerprint}`"),
        ("pictures learned", f"{dataset['samples']}, digest `{dataset['sha256']}`" if dataset else "not recorded"),
        ("manifest", f"sha256 `{record.manifest_sha256}`"),
        ("tensors", f"sha256 `{record.tensors_sha256}`"),
    ]
    settings = about.get("settings") or {}
    told = ", ".join(f"{key} {_short(value)}" for key, value in sorted(settings.items()))
    return table(["", ""], [*lines, ("settings", told or "none")])


def _short(value: Any) -> str:
    return f"{len(value)} entries" if isinstance(value, list | tuple) else str(value)


def _learned(facts: Facts) -> str:
    groups = (facts.artifact.about.get("statistics") or {}).get("groups") or []
    if not groups:
        return "Nothing of this store: it was imported."
    told = [
        (
            g["kind"],
            _named(facts, g["kind"], g["name"]),
            f"{g['profile']}, {g['form']}" if g.get("form") else g["profile"],
            g["n"],
            "" if g["modelled"] else "too few: not modelled",
        )
        for g in groups
    ]
    return "\n\n".join([table(["kind", "name", "profile", "pictures", ""], told), *_left_out(facts)])


def _left_out(facts: Facts) -> list[str]:
    rows = facts.artifact.about.get("exclusions") or []
    if not rows:
        return []
    told = [
        (e["kind"], _named(facts, e["kind"], e["name"]), e["source"], e["profile"], e["samples"], e["why"])
        for e in rows
    ]
    return ["Left out of it:", table(["kind", "name", "source", "profile", "pictures", "why"], told)]


def _named(facts: Facts, kind: str, name: str) -> str:
    present = facts.names.get(name, name) if kind == "family" else name
    return name if present == name else f"{name} (now {present})"


def _thresholds(facts: Facts) -> str:
    rows = [
        (
            profile,
            f"{t.value:.6g}" if math.isfinite(t.value) else "infinite: nothing is called synthetic",
            t.alpha,
            t.method.replace("_", " "),
        )
        for profile, t in facts.artifact.thresholds.items()
    ]
    return table(["profile", "logit above which it is synthetic", "stated false-positive rate", "placed by"], rows)


def _figures(figures: Sequence[EvaluationRow]) -> str:
    if not figures:
        return "None: it was not measured, or not since it left the service."
    families = [
        (
            r.subject.name,
            r.profile,
            r.n,
            _interval(r.ap, r.ap_lower, r.ap_upper),
            _interval(r.recall, r.recall_lower, r.recall_upper),
        )
        for r in figures
        if r.subject.kind == "family"
    ]
    sources = [
        (
            r.subject.name,
            r.profile,
            r.n,
            _interval(r.false_positive_rate, r.false_positive_lower, r.false_positive_upper),
        )
        for r in figures
        if r.subject.kind == "source"
    ]
    return "\n\n".join(
        [
            table(["family", "profile", "pictures", "average precision", "recall at the threshold"], families),
            table(["real source", "profile", "pictures", "false-positive rate"], sources),
        ]
    )


def _interval(value: float | None, lower: float | None, upper: float | None) -> str:
    if value is None:
        return "too few"
    return f"{value:.3f}" if lower is None or upper is None else f"{value:.3f} ({lower:.3f} to {upper:.3f})"


def _verdict(facts: Facts) -> str:
    verdict = facts.verdict
    if verdict is None:
        return "None: the gate has not judged it."
    rows = [
        (
            check["name"],
            check["profile"],
            " ".join(check["subject"]) if check["subject"] else "",
            *(_number(check[key]) for key in ("champion", "challenger", "difference", "lower", "upper")),
            check["n"],
            check["outcome"],
        )
        for check in verdict["checks"]
    ]
    columns = ["check", "profile", "subject", "champion", "this", "difference", "lower", "upper", "n", "outcome"]
    return f"{plain(verdict['decision']).capitalize()}: {plain(verdict['reason'])}\n\n{table(columns, rows)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _decisions(facts: Facts) -> str:
    rows = [(f"{row.at:%Y-%m-%d %H:%M}", row.action, row.reason, row.number) for row in facts.decisions]
    return table(["when (UTC)", "what", "why", "audit row"], rows) if rows else "None yet."
