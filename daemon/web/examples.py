"""Examples of the OpenAPI document; each is checked against its schema by a test."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

_AT: Final = "2026-03-14T09:26:53Z"
_FIGURES: Final = {
    "ap": 0.583,
    "ap_lower": 0.49,
    "ap_upper": 0.67,
    "approximate": True,
    "auroc": 0.6,
    "auroc_lower": 0.51,
    "auroc_upper": 0.69,
    "recall": 0.06,
    "recall_lower": 0.01,
    "recall_upper": 0.2,
    "n": 34,
}
FAMILY: Final[dict[str, Any]] = {
    "name": "flux_3",
    "kind": "diffusion",
    "released": "2026-03",
    "state": "evading",
    "samples": 68,
    "first_seen": _AT,
    "last_sample_at": _AT,
    "evidence_log10": 3.4,
    "alarm_log10": 2.0,
    "votes": 17,
    "profiles": {"raw": _FIGURES, "laundered": _FIGURES},
    "windows": {},
    "challenger": {},
    "test": "floor",
}
SOURCE: Final[dict[str, Any]] = {
    "name": "flickr30k",
    "trust": "trusted",
    "state": "ok",
    "samples": 150,
    "last_sample_at": _AT,
    "evidence_log10": 0.3,
    "alarm_log10": 2.0,
    "profiles": {"raw": {"false_positive_rate": 0.05, "lower": 0.02, "upper": 0.1, "left_out": 0.06, "n": 150}},
    "windows": {},
    "challenger": {},
}
VERSION: Final[dict[str, Any]] = {
    "id": "v0003-9c41d2aa",
    "role": "champion",
    "state": "promoted",
    "parent": "v0002-51b07e3f",
    "learner": "mixture",
    "created_at": _AT,
    "encoder": "3f1c9a20",
    "reason": "flux_3: AP .612 to .957, nothing worse",
}
EPISODE: Final[dict[str, Any]] = {
    "id": 3,
    "family": "flux_3",
    "state": "alarmed",
    "opened_at": _AT,
    "alarmed_at": _AT,
    "samples_to_alarm": 14,
    "ap_before": 0.583,
    "champion": "v0002-51b07e3f",
    "version": None,
    "learned_at": None,
    "ap_after": None,
    "samples_after": 0,
    "recovered_at": None,
    "recovered": False,
    "note": "",
    "handling": "open",
    "acknowledged_at": None,
    "acknowledged_by": "",
    "snoozed_until": None,
    "closed_at": None,
}
DECISION: Final[dict[str, Any]] = {
    "version": "v0003-9c41d2aa",
    "decision": "promoted",
    "reason": "flux_3: AP .612 to .957, nothing worse",
    "at": _AT,
    "actor": "gate",
}
QUEUE: Final[dict[str, Any]] = {"stage": "embed", "samples": 48, "oldest": _AT}
ADAPTER: Final[dict[str, Any]] = {
    "name": "inbox",
    "kind": "folder",
    "configured": True,
    "interval_seconds": 60.0,
    "last_success_at": _AT,
    "cursor": None,
    "stored": 1904,
    "rejected": {"corrupt": 2},
    "quarantined": {"label_conflict": 3},
}
JOB: Final[dict[str, Any]] = {
    "job": "cycle",
    "state": "finished",
    "outcome": "ok",
    "due_at": _AT,
    "finished_at": _AT,
    "detail": "48 samples embedded",
    "paused": None,
}
QUARANTINED: Final[dict[str, Any]] = {
    "sha256": "0" * 64,
    "reason": "label_conflict",
    "detail": "inbox says synthetic, partner_feed real",
    "since": _AT,
    "has_picture": True,
    "claims": [
        {"adapter": "inbox", "uri": "flux_3/1.png", "label": "synthetic", "family": "flux_3", "source": "inbox"}
    ],
}
_REIGN: Final = {"at": _AT, "version": "v0003-9c41d2aa", "action": "promote"}
HISTORY: Final[dict[str, Any]] = {
    "mean": [{"at": _AT, "version": "v0003-9c41d2aa", "mean_ap": 0.931, "worst_ap": 0.583, "families": 7}],
    "reigns": [_REIGN],
}
FAMILY_HISTORY: Final[dict[str, Any]] = {
    "family": "flux_3",
    "points": [
        {"at": _AT, "version": "v0003-9c41d2aa", "ap": 0.957, "lower": 0.93, "upper": 0.98, "recall": 0.77, "n": 64}
    ],
    "reigns": [_REIGN],
}
FAMILY_SCORES: Final[dict[str, Any]] = {
    "family": "flux_3",
    "version": "v0003-9c41d2aa",
    "threshold": 1.42,
    "histogram": {
        "edges": [-2.0, 0.0, 2.0, 4.0],
        "family": [0.1, 0.2, 0.7],
        "reals": [0.8, 0.15, 0.05],
        "pictures": 64,
        "real_pictures": 320,
    },
    "most_synthetic": [{"sha256": "0" * 64, "logit": 4.2}],
    "least_synthetic": [{"sha256": "1" * 64, "logit": -1.3}],
    "neighbours": [{"family": "flux_2", "pictures": 40, "share": 0.62}],
}
EVIDENCE: Final[dict[str, Any]] = {
    "family": "flux_3",
    "version": "v0003-9c41d2aa",
    "test": "floor",
    "log10_evidence": [0.0, 0.3, 0.9, 1.6, 2.2],
    "alarm_log10": 2.0,
}
EXPLANATION: Final[dict[str, Any]] = {
    "family": "flux_3",
    "version": "v0003-9c41d2aa",
    "known": True,
    "pictures": 64,
    "groups": 64,
    "level": 0.95,
    "from_statistics": False,
    "resembles": "flux_2",
    "resembles_share": 0.62,
    "profiles": {},
    "notes": [],
}
VERSION_DETAIL: Final[dict[str, Any]] = {
    "version": VERSION,
    "decision": "promote",
    "reason": "flux_3: AP .612 to .957, nothing worse",
    "checks": [
        {
            "name": "trigger",
            "profile": "raw",
            "subject": "flux_3",
            "champion": 0.612,
            "challenger": 0.957,
            "difference": 0.345,
            "lower": 0.28,
            "upper": None,
            "n": 64,
            "outcome": "superior",
        }
    ],
    "card": "# Version v0003-9c41d2aa\n",
    "difference": {
        "parent": "v0002-51b07e3f",
        "values": [{"key": "thresholds.raw.value", "before": 1.4, "after": 1.42}],
        "groups": [{"key": "family flux_3 raw", "before": None, "after": 64}],
        "figures": [{"key": "family flux_3 raw", "before": 0.612, "after": 0.957}],
    },
    "notes": [],
}
EPISODE_DETAIL: Final[dict[str, Any]] = {
    "episode": EPISODE,
    "timeline": [{"at": _AT, "what": "opened", "text": "the first picture that voted was delivered", "version": None}],
    "tests": [{"version": "v0002-51b07e3f", "log10_evidence": 3.4, "log10_alarm": 2.0, "votes": 17, "restarts": 0}],
}
_SCORE: Final[dict[str, Any]] = {
    "sha256": "0" * 64,
    "probability": 0.97,
    "logit": 3.5,
    "threshold": 1.42,
    "verdict": "synthetic",
    "outside": False,
    "family": "flux_3",
    "nearest_real_source": "flickr30k",
    "version": "v0003-9c41d2aa",
    "profile": "raw",
}
SCORE: Final[dict[str, Any]] = _SCORE
FEEDBACK: Final[dict[str, Any]] = {
    "sha256": "0" * 64,
    "label": "real",
    "family": None,
    "outcome": "stored",
    "reason": None,
    "detail": "",
    "repeated": False,
}
PUSHED: Final[dict[str, Any]] = {
    "receipt": 1042,
    "sha256": "0" * 64,
    "outcome": "stored",
    "reason": None,
    "detail": "",
    "repeated": False,
}
DONE: Final[dict[str, Any]] = {"text": "episode 3 of flux_3 is acknowledged by ada"}
DECIDED: Final[dict[str, Any]] = {
    "version": "v0004-07de55b1",
    "champion": "v0004-07de55b1",
    "audit": 17,
    "reason": "figures looked at",
}
STATUS: Final[dict[str, Any]] = {
    "service": {
        "version": "0.1.0",
        "state": "ready",
        "now": _AT,
        "simulated": False,
        "encoder": "open_clip",
        "fingerprint": "3f1c9a20",
        "prevalence": 0.5,
    },
    "champion": {
        "id": "v0003-9c41d2aa",
        "learner": "mixture",
        "promoted_at": _AT,
        "thresholds": {"raw": 1.42, "laundered": 1.77},
        "threshold_method": "left_out_source",
        "alpha": 0.05,
        "families": 7,
        "sources": 4,
    },
    "mean_ap": {"raw": 0.931, "laundered": 0.862},
    "worst_ap": {"raw": 0.583, "laundered": 0.523},
    "worst_family": {"raw": "flux_3", "laundered": "flux_3"},
    "real_false_positive_rate": {"raw": 0.058, "laundered": 0.061},
    "families": [FAMILY],
    "real_sources": [SOURCE],
    "episodes": [EPISODE],
    "versions": [VERSION],
    "decisions": [DECISION],
    "queue": [QUEUE],
    "quarantine": {"label_conflict": 3},
    "samples": {"total": 2767, "active": 2764, "quarantined": 3},
    "adapters": [ADAPTER],
    "jobs": [JOB],
    "events": [{"kind": "family_evades", "at": _AT, "text": "flux_3 evades v0002-51b07e3f: AP .583"}],
}
_DETAILS: Final = {
    400: "the request cannot be read",
    401: "send the read token (http.read_token) as a bearer token",
    403: "this token may not change state (scope operate); send http.write_token",
    404: "there is no family of that name",
    405: "Method Not Allowed",
    408: "the picture did not arrive within 30 s",
    409: "the champion changed meanwhile",
    413: "the picture is larger than 20971520 bytes (http.max_upload)",
    415: "send a multipart form with the field 'image', or a body of type image/*",
    422: "limit: Input should be greater than or equal to 1",
    429: "too many requests (http.requests_per_minute); try again when Retry-After is over",
    500: "an unexpected error; the service's log says more",
    501: "encoder.name is external: vectors are delivered ready-made, pictures are not encoded",
    503: "the service is starting; try again in a moment",
}


def problem_answer(status: int) -> dict[str, Any]:
    """The entry of an error in an operation's `responses`."""
    title = HTTPStatus(status).phrase
    example = {"type": "about:blank", "title": title, "status": status, "detail": _DETAILS[status]}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {"application/problem+json": {"schema": schema, "example": example}}}
