"""The report as one HTML file that needs nothing else. Names come from outside: all text is escaped."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from daemon.backtest.policies import POLICIES


def render(report: Mapping[str, Any]) -> str:
    """The page of a report as `Report.to_dict` made it, with what the command adds.

    Its script may run because the page's policy names the script's own digest; nothing is fetched from anywhere.
    """
    environment = _environment()
    script = environment.get_template("plots.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    meanings = {name: policy.meaning for name, policy in POLICIES.items()}
    return environment.get_template("backtest.html").render(
        report=report,
        script=Markup(script),  # ours, and without a name in it
        digest=digest,
        data=Markup(_as_script_data({**report, "meanings": meanings})),
        meanings=meanings,
    )


def _as_script_data(value: object) -> str:
    """JSON that no text in it can end: inside a script element only these characters mean anything."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("daemon.backtest"),
        autoescape=lambda name: name is None or name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
