"""Where the weights of an open_clip model are; answers within seconds, without importing torch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from daemon.errors import WeightsMissing
from daemon.settings import OpenClipSettings

PROBE_SECONDS = 2.5  # how long to wait for a sign of life of the hub, name resolution included

# Repository and file of OpenAI's models on the hub: what open_clip itself would fetch. Kept here because asking
# open_clip imports torch (8 s on a cold disk); a test compares.
_OPENAI = {
    "ViT-B-32": "timm/vit_base_patch32_clip_224.openai",
    "ViT-B-16": "timm/vit_base_patch16_clip_224.openai",
    "ViT-L-14": "timm/vit_large_patch14_clip_224.openai",
    "ViT-L-14-336": "timm/vit_large_patch14_clip_336.openai",
}
_SAFE_NAME = "open_clip_model.safetensors"
_PICKLED_NAME = "open_clip_pytorch_model.bin"


@dataclass(frozen=True, slots=True)
class HubFile:
    """Files on the hub of which any one will do, the preferred first."""

    repository: str
    names: tuple[str, ...]


def locate_weights(settings: OpenClipSettings, *, announce: Callable[[str], None] | None = None) -> Path:
    """The weights file: the local path, the hub cache, or downloaded into the cache.

    announce: told before a download starts. Raises WeightsMissing, one line with the three ways out, within
    10 seconds when there is neither file nor network.
    """
    if settings.weights_path is not None:
        if not settings.weights_path.is_file():
            raise _missing(settings, f"{settings.weights_path} is not there", hub_file(settings))
        return settings.weights_path
    wanted = hub_file(settings)
    if wanted is None:
        raise _missing(settings, f"open_clip knows no hub file for {settings.model} ({settings.pretrained})", None)
    found = _in_cache(settings, wanted)
    if found is not None:
        return found
    unreachable = _why_unreachable(wanted)
    if unreachable is not None:
        raise _missing(settings, f"they are not in the hub cache {_cache(settings)} and {unreachable}", wanted)
    if announce is not None:
        announce(f"downloading {wanted.repository}")
    return _download(settings, wanted)


def hub_file(settings: OpenClipSettings) -> HubFile | None:
    """The hub's file for a model and a tag; None when open_clip knows none."""
    base = settings.model.removesuffix("-quickgelu")
    if settings.pretrained == "openai" and base in _OPENAI:
        return HubFile(_OPENAI[base], (_SAFE_NAME, _PICKLED_NAME))
    from open_clip.pretrained import get_pretrained_cfg  # imports torch: only for models that are not in the table

    where = get_pretrained_cfg(settings.model, settings.pretrained).get("hf_hub", "")
    if not where:
        return None
    repository, _, name = where.rpartition("/")
    if not name:
        return HubFile(repository, (_SAFE_NAME, _PICKLED_NAME))
    stem, dot, kind = name.rpartition(".")
    return HubFile(repository, (f"{stem}.safetensors", name) if dot and kind in ("bin", "pth") else (name,))


def _in_cache(settings: OpenClipSettings, wanted: HubFile) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    for name in wanted.names:
        found = try_to_load_from_cache(wanted.repository, name, cache_dir=settings.cache_dir)
        if isinstance(found, str):
            return Path(found)
    return None


def _cache(settings: OpenClipSettings) -> Path:
    from huggingface_hub import constants

    return settings.cache_dir or Path(constants.HF_HUB_CACHE)


def _why_unreachable(wanted: HubFile) -> str | None:
    """Ask the hub once, without retries; None when it answers."""
    from huggingface_hub import constants, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids to fetch them"
    url = hf_hub_url(wanted.repository, wanted.names[0])
    outcome = [f"the hub did not answer within {PROBE_SECONDS:g} s"]

    def probe() -> None:
        try:
            httpx.head(url, timeout=PROBE_SECONDS)
        except httpx.HTTPError as error:
            outcome[0] = f"the hub cannot be reached ({type(error).__name__})"
        else:
            outcome.clear()

    # On a thread, because no timeout covers a name server that does not answer.
    asking = threading.Thread(target=probe, name="hub-probe", daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    return outcome[0] if outcome else None


def _download(settings: OpenClipSettings, wanted: HubFile) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for name in wanted.names:
        try:
            return Path(hf_hub_download(wanted.repository, name, cache_dir=settings.cache_dir))
        except EntryNotFoundError:
            continue  # this one does not exist there; the next may
        except (OSError, ValueError, httpx.HTTPError) as error:
            reason = str(error).partition("\n")[0]
            raise _missing(settings, f"the download of {wanted.repository}/{name} failed: {reason}", wanted) from error
    raise _missing(settings, f"{wanted.repository} has none of {', '.join(wanted.names)}", wanted)


def _missing(settings: OpenClipSettings, why: str, wanted: HubFile | None) -> WeightsMissing:
    command = f"hf download {wanted.repository} {wanted.names[0]}" if wanted else "hf download REPOSITORY FILE"
    return WeightsMissing(
        f"no weights for {settings.model} ({settings.pretrained}): {why}; three ways out: "
        f"set encoder.open_clip.weights_path to a local .safetensors or .pt file; "
        f"or fill the hub cache where there is a network: `{command}` (encoder.open_clip.cache_dir names the cache); "
        f"or choose the encoder without weights: encoder.name: forensic"
    )
