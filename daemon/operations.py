"""What the commands do: one function each, in terms of the ports; printing is theirs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from daemon.app import make_fetch, no_progress, open_for, opened, read_status
from daemon.champion import LoadedVersion, load_version
from daemon.context import Context
from daemon.errors import BadInputError, ConfigurationError, NotFoundError, StateLocked
from daemon.evaluate.measuring import measure
from daemon.evaluate.outside import OUTSIDE, measure_outside
from daemon.figures import HELD_OUT, LEFT_OUT, summaries
from daemon.intake.taking_in import intake, material_for
from daemon.learn.importing import Imported, add_version, encoder_of, read_head
from daemon.learn.importing_export import Exported, add_exported, read_exported
from daemon.model import Batch, EvaluationRow, Material, Trust, VersionRecord
from daemon.ports import Progress
from daemon.promote.deciding import check_vectors
from daemon.registry.naming import version_named
from daemon.runs import tick
from daemon.service import Service
from daemon.settings import AdapterSettings, Settings
from daemon.supervisor import (
    Interrupted,
    StopSignals,
    Supervisor,
    UpdateOutcome,
    gate_imports,
    run_until_idle,
    run_update,
)
from daemon.views import AdapterView, ScoreView, Status
from daemon.web import BEAT_LIMIT, WebServer, create_app
from daemon.web.hosts import names_of
from daemon.wiring import make_poller, make_telemetry

ADAPTERS = "sidwatch.adapters"  # the entry point group
Judged = TypeVar("Judged", bound=ScoreView)


def run_service(settings: Settings, say: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; `say` is told the address of the page."""
    signals = StopSignals()
    signals.install()
    telemetry = make_telemetry(settings)
    with opened(settings, encoder=True, meter=telemetry) as state:
        service = Service(state.context, telemetry, state.simulated, make_fetch(settings))
        with served(settings, service, say):
            drained = Supervisor(state.context, service, state.holder, signals.stop).run()
            if not drained:
                state.context.runs.recover(state.context.clock.now(), holder=state.holder)
                os._exit(0)  # a child may hang far beyond the deadline; it goes with its parent, the store is whole


def run_service_until_idle(settings: Settings, progress: Progress) -> Status:
    """Take in and decide what there is; returns the snapshot at the end."""
    telemetry = make_telemetry(settings)
    with opened(settings, encoder=True, meter=telemetry, progress=progress) as state:
        service = Service(state.context, telemetry, state.simulated)
        signals = StopSignals(interrupting=True)
        signals.install()
        with suppress(Interrupted):
            run_until_idle(state.context, service, state.holder, signals.stop)
        service.state = "stopped"
        return service.refresh()


class served:
    """The HTTP side of a service while the block runs; nothing when `http.enabled` is false.

    beat_limit: age of the last beat, seconds, from which the service counts as unhealthy.
    """

    def __init__(
        self, settings: Settings, service: Service, say: Callable[[str], None], beat_limit: float = BEAT_LIMIT
    ) -> None:
        http = settings.http
        app = create_app(
            service,
            read_token=http.read_token,
            ingest_token=http.ingest_token,
            write_token=http.write_token,
            tokens=http.tokens,
            requests_per_minute=http.requests_per_minute,
            hosts=names_of(http.host, settings.page_address, http.allowed_hosts),
            pictures=http.pictures,
            max_upload=http.max_upload,
            scores_at_once=http.scores_at_once,
            request_timeout=http.request_timeout.total_seconds(),
            beat_limit=beat_limit,
        )
        server = WebServer(
            app,
            http.host,
            http.port,
            http.trusted_proxies,
            connections=http.connections,
            of_one=http.connections_per_address,
            request_timeout=http.request_timeout.total_seconds(),
        )
        self._server = server if http.enabled else None
        self._say = say

    def __enter__(self) -> str | None:
        if self._server is None:
            return None
        self._server.start()
        self._say(self._server.url)
        return self._server.url

    def __exit__(self, *raised: object) -> None:
        if self._server is not None:
            self._server.stop(timeout=2.0)


_EXAMPLES = 5  # refused pictures that `ingest` names


def ingest_path(
    settings: Settings, path: Path, trust: Trust, progress: Progress, root: Path | None = None
) -> dict[str, Any]:
    """Take in a folder or a manifest under the state's lock; returns what was offered, stored and rejected.

    root: the folder that a manifest's paths lie below; None: its own. Raises BadInputError: there is no such path.
    """
    if not path.exists():
        raise BadInputError(f"{path} is not there; give a folder of pictures or a manifest")
    resolved = str(path.resolve())
    folder = path.is_dir()
    if root is not None and (folder or not root.is_dir()):
        raise BadInputError(f"--root {root}: it is the folder that a manifest's paths lie below")
    below = {} if root is None else {"root": str(root.resolve())}
    adapter = AdapterSettings(
        # the cursor belongs to the path: the same folder again goes on where it was
        name=f"ingest_{sha256(resolved.encode()).hexdigest()[:8]}",
        kind="folder" if folder else "manifest",
        trust=trust,
        # who says "now" has finished writing: no file is left for a later poll
        options={"path": resolved, **({"settle": 0} if folder else {}), **below},
    )
    with opened(settings, encoder=False, progress=progress) as state:
        before = _adapter_row(state.context, adapter.name)
        offered = intake(state.context, adapter)
        after = _adapter_row(state.context, adapter.name)
        rejected = {reason: n - before[1].get(reason, 0) for reason, n in after[1].items()}
        shown = min(sum(rejected.values()), _EXAMPLES)
        examples = state.context.samples.rejections(adapter.name, shown)
    return {
        "offered": offered,
        "stored": after[0] - before[0],
        "rejected": {reason: n for reason, n in rejected.items() if n},
        "examples": [one._asdict() for one in examples],
    }


def _adapter_row(context: Context, name: str) -> tuple[int, dict[str, int]]:
    rows = [row for row in context.samples.adapters() if row.name == name]
    return (rows[0].stored, rows[0].rejected) if rows else (0, {})


def evaluate_version(settings: Settings, version: str | None, window: str | None = None) -> list[dict[str, Any]]:
    """Figures of the champion or another version, or those of an outside detector (`outside:NAME`).

    window: the name of one, `all`, or None for those over every picture. Raises BadInputError for an unknown one.
    """
    return [
        {**{k: v for k, v in asdict(row).items() if k != "subject"}, "kind": row.subject.kind, "name": row.subject.name}
        for row in _measured_rows(settings, version, window)
    ]


def summarise_version(settings: Settings, version: str | None, window: str | None = None) -> list[dict[str, Any]]:
    """What `evaluate_version` says of all families together, by window and profile."""
    rows = _measured_rows(settings, version, window)
    return [
        asdict(found) for found in summaries(rows, settings.evaluate.min_samples, settings.evaluate.min_samples_worst)
    ]


def _measured_rows(settings: Settings, version: str | None, window: str | None) -> list[EvaluationRow]:
    with opened(settings, encoder=False, lock=False, read_only=True) as state:
        if version is not None and version.startswith(OUTSIDE):
            rows = measure_outside(state.context, version)
        else:
            rows = measure(state.context, version_or_champion(state.context, version))
    known = list(dict.fromkeys(row.window for row in rows))
    wanted = {None: [HELD_OUT, LEFT_OUT], "all": known}.get(window, [str(window)])
    if window not in (None, "all", *known):
        raise BadInputError(f"there is no window {window!r} with pictures in it; there are: all, {', '.join(known)}")
    return [row for row in rows if row.window in wanted]


def version_or_champion(context: Context, version: str | None) -> LoadedVersion:
    """A version by its id, or the champion. Raises BadInputError when there is none."""
    if version is not None:
        record = version_named(context.registry, version)
        check_vectors(context, record)
        return load_version(context.registry, record)
    champion = context.champion.get()
    if champion is None:
        raise BadInputError("there is no champion yet, so there is nothing to measure; run the service first")
    return champion


def score_files(settings: Settings, images: Sequence[Path]) -> list[dict[str, Any]]:
    """Judge files by the champion."""
    contents = [read_picture(path, settings.intake.max_bytes) for path in images]
    with opened(settings, encoder=True, lock=False, read_only=True) as state:
        service = Service(state.context, make_telemetry(settings), state.simulated)
        return [
            {"path": str(path), **judge_picture(path, service.score, content).model_dump(mode="json")}
            for path, content in zip(images, contents, strict=True)
        ]


def read_picture(path: Path, max_bytes: int) -> bytes:
    """A file's bytes, of one that is too large only one more than `max_bytes`. Raises BadInputError."""
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error


def judge_picture(path: Path, judge: Callable[[bytes], Judged], content: bytes) -> Judged:
    """What `judge` says of a file's bytes; an error names the file."""
    try:
        return judge(content)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error


def update_now(settings: Settings, job: str = "update", progress: Progress = no_progress) -> UpdateOutcome:
    """Learn and gate now, or leave a request for the service that runs on this state; job: or a retraining."""
    try:
        with opened(settings, encoder=False, progress=progress) as state:
            return run_update(state.context, job)
    except StateLocked:
        with opened(settings, encoder=False, lock=False) as state:
            tick(state.context, job)
        asked = job.replace("_", " by ", 1)
        return UpdateOutcome(f"the running service was asked to {asked}; `sidwatch models list` shows the outcome")


def import_head(settings: Settings, path: Path, fingerprint: str | None) -> dict[str, Any]:
    """A published checkpoint becomes a challenger; one transaction, so it may happen beside a running service."""
    imported = read_head(path, settings)
    with opened(settings, encoder=False, lock=False) as state:
        known = encoder_of(imported, state.context, fingerprint)
        if known:
            return _import(imported, state.context, known)
    return _import_for_configured(settings, path, imported)


def _import_for_configured(settings: Settings, path: Path, imported: Imported) -> dict[str, Any]:
    """Nothing in the store says which encoder the head belongs to: ask the configured one."""
    stack = ExitStack()
    try:
        state = stack.enter_context(opened(settings, encoder=True, lock=False))
    except ConfigurationError as error:
        raise type(error)(f"{error}; or state the encoder's fingerprint with --encoder-fingerprint") from error
    with stack:
        encoder = state.context.encoder
        if encoder.dimension != imported.head.dimension:
            raise BadInputError(
                f"{path} takes {imported.head.dimension} features, the configured encoder {encoder.name} gives "
                f"{encoder.dimension}: configure the encoder that it was trained with, or state --encoder-fingerprint"
            )
        return _import(imported, state.context, encoder.fingerprint)


def import_exported(settings: Settings, folder: Path, progress: Progress = no_progress) -> dict[str, Any]:
    """An exported folder becomes a challenger and passes through the gate, here or in the running service.

    The same folder again adds nothing. Raises BadInputError, CorruptArtifact, TemporaryError.
    """
    exported = read_exported(folder)
    try:
        with opened(settings, encoder=False, progress=progress) as state:
            record = _add(exported, folder, state.context)
            outcome = gate_imports(state.context) if record.verdict is None else UpdateOutcome("it was judged before")
            record = state.context.registry.version(record.id)
    except StateLocked:
        with opened(settings, encoder=False, lock=False) as state:
            record = _add(exported, folder, state.context)
            outcome = UpdateOutcome(
                "the running service was asked to judge it; `sidwatch models list` shows the outcome"
            )
            tick(state.context, "gate_imports")
    return {
        "version": record.id,
        "state": record.state,
        "kind": exported.artifact.head.kind,
        "encoder": record.fingerprint,
        "decision": outcome.decision,
        "outcome": outcome.text,
    }


def _add(exported: Exported, folder: Path, context: Context) -> VersionRecord:
    try:
        return add_exported(exported, context)
    except BadInputError as error:
        raise BadInputError(f"{folder}: {error}") from error


def _import(imported: Imported, context: Context, fingerprint: str) -> dict[str, Any]:
    record = add_version(imported, context, fingerprint)
    thresholds = load_version(context.registry, record).artifact.thresholds
    return {
        "version": record.id,
        "kind": imported.model_type,
        "sha256": imported.sha256,
        "encoder": fingerprint,
        "thresholds": {p: None if t.value == float("inf") else t.value for p, t in thresholds.items()},
        "notes": sorted({t.note for t in thresholds.values() if t.note}),
    }


def _has_store(settings: Settings) -> bool:
    return (settings.store.directory / "sidwatch.db").exists() or settings.store.database_url is not None


def describe_adapters(settings: Settings) -> dict[str, Any]:
    """Installed kinds and configured adapters, with what the store remembers of them."""
    kinds = sorted({point.name for point in entry_points(group=ADAPTERS)})
    remembered = {}
    if _has_store(settings):
        remembered = {view.name: view for view in read_status(settings).adapters}
    rows = []
    for adapter in settings.adapters:
        view = remembered.get(adapter.name)
        rows.append(
            {
                **{
                    key: shown_value for key, shown_value in adapter.model_dump(mode="json").items() if key != "secrets"
                },
                "installed": adapter.kind in kinds,
                "last_success_at": view.last_success_at.isoformat() if view and view.last_success_at else None,
                "cursor": view.cursor if view else None,
                "stored": view.stored if view else 0,
                "rejected": view.rejected if view else {},
                "circuit": _circuit(view),
                "spending": view.spending.model_dump(mode="json") if view and view.spending else None,
            }
        )
    return {"kinds": kinds, "adapters": rows, "releases": _releases(settings) if remembered else []}


def _circuit(view: AdapterView | None) -> dict[str, Any]:
    """Whether the adapter's circuit is open, as the last poll left it."""
    if view is None:
        return {"state": "closed", "failures": 0, "retry_at": None, "failure": ""}
    return {
        "state": "closed" if view.retry_at is None else "open",
        "failures": view.failures,
        "retry_at": view.retry_at.isoformat() if view.retry_at else None,
        "failure": view.failure,
    }


def _releases(settings: Settings) -> list[dict[str, Any]]:
    """What adapters reported as released, by adapter and in the order in which it was registered."""
    with open_for(settings, read_only=True) as store:
        return [
            {"adapter": adapter.name, **asdict(release)}
            for adapter in settings.adapters
            for release in store.samples.releases(adapter.name)
        ]


def preview_adapter(settings: Settings, name: str, limit: int) -> list[dict[str, Any]]:
    """What an adapter would deliver first, from its beginning; nothing is stored."""
    from datetime import UTC, datetime

    found = [adapter for adapter in settings.adapters if adapter.name == name]
    if not found:
        known = ", ".join(adapter.name for adapter in settings.adapters) or "none"
        raise NotFoundError(f"no adapter is named {name!r}; configured are: {known}")
    adapter = found[0]
    poll = make_poller(settings, adapter, preview=True)
    batches = poll(
        adapter.name,
        adapter.kind,
        adapter.options,
        None,
        limit,
        datetime.now(UTC),
        material=_material(settings, adapter),
    )
    rows: Iterator[dict[str, Any]] = (row for batch in batches for row in _rows(batch))
    return list(islice(rows, limit))


def _material(settings: Settings, adapter: AdapterSettings) -> Material | None:
    """What an adapter that makes pictures would be given now."""
    if not _has_store(settings):
        asks = adapter.releases_from is not None or adapter.captions > 0
        return Material() if asks else None
    with open_for(settings, read_only=True) as store:
        return material_for(store.samples, adapter)


def _rows(batch: Batch) -> list[dict[str, Any]]:
    """A batch as `adapters check` shows it: candidates, then releases."""
    return [
        {
            "uri": c.uri,
            "label": c.label,
            "family": c.family,
            "source": c.source,
            "group": c.group,
            "caption": c.caption,
            "released": c.released,
            "generation": dict(c.generation),
            "licence": c.licence,
            "consent": c.consent,
            "bytes": len(c.content) if c.content is not None else None,
            "problem": f"{c.problem}: {c.problem_detail}" if c.problem else None,
        }
        for c in batch.candidates
    ] + [
        {
            "uri": release.model,
            "label": None,
            "family": release.family,
            "source": None,
            "group": None,
            "caption": None,
            "released": release.released,
            "generation": {"model": release.model, "revision": release.revision},
            "licence": release.licence,
            "consent": None,
            "bytes": None,
            "problem": None,
        }
        for release in batch.releases
    ]
