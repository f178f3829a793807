"""A feed whose pictures are traps: cut at the caps, nothing of the own network asked, the good ones taken in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import psutil

from daemon.app import opened, verify_store
from daemon.intake.taking_in import intake
from daemon.settings import AdapterSettings, IntakeSettings, Settings, StoreSettings
from tests.integration.test_feedback import jpeg
from tests.unit.adapters.feed_server import dripping, endless, serving

# Twenty ways to name what must not be asked: this machine, its networks, a cloud's metadata, other protocols.
INSIDE = [
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "http://127.0.0.1%2f@pictures.example:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://[fd00::1]/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
]


def test_traps_are_refused_with_a_reason_and_the_rest_of_the_feed_comes(tmp_path: Path) -> None:
    with serving() as site, serving() as canary:
        traps = {
            "/endless": endless,
            "/gzip": (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(10**7))),
            "/loop": (302, {"Location": "/loop"}, b""),
            "/inside": (302, {"Location": canary.url("/secret")}, b""),
            "/file": (302, {"Location": "file:///etc/passwd"}, b""),
            "/dripping": dripping,
            "/empty": (200, {}, b""),
            "/html": (200, {}, b"<html>"),
        }
        good = {f"/{i}.jpg": (200, {}, jpeg(i)) for i in range(3)}
        site.answers |= traps | good
        addresses = [site.url(path) for path in [*traps, *good]] + [one.format(port=canary.port) for one in INSIDE]
        feed = [{"url": address, "label": "real"} for address in addresses]
        site.answers["/feed"] = (200, {"Content-Type": "application/json"}, json.dumps(feed).encode())
        adapter = AdapterSettings(
            name="feed",
            kind="http_feed",
            options={
                "url": site.url("/feed"),
                "image": "url",
                "allowed_hosts": [f"127.0.0.1:{site.port}"],
                "timeout": 1,
                "attempts": 1,
                "max_bytes": 300_000,
            },
        )
        settings = Settings(
            adapters=(), store=StoreSettings(directory=tmp_path / "state"), intake=IntakeSettings(decoders=1)
        )
        this = psutil.Process()
        with opened(settings, encoder=False) as state:
            before = this.memory_info().rss
            assert intake(state.context, adapter) == len(feed)
            growth = this.memory_info().rss - before
            (row,) = state.store.samples.adapters()
        assert canary.asked == []
    assert row.stored == len(good)
    assert sum(row.rejected.values()) == len(traps) + len(INSIDE)
    assert row.rejected["too_many_bytes"] == row.rejected["empty"] == row.rejected["format_not_allowed"] == 1
    assert set(row.rejected) == {"too_many_bytes", "empty", "format_not_allowed", "bad_record", "unreadable"}
    assert growth < 100 * 2**20
    assert [check.name for check in verify_store(settings, deep=True) if not check.ok] == []
