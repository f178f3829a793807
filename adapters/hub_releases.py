"""Newly released models of the Hugging Face Hub: it delivers no pictures, it reports releases.

Each poll looks at every model that was created within `window`, newest first: a model starts with no downloads and may
reach `min_downloads` weeks later. What was reported before is reported again, which changes nothing, so a poll that was
cut off loses nothing. Only base models count: a repository that names a base model in its card, in its tags or in what
the Hub derived from them (adapter, finetune, merge, quantized) is left alone, and so is a gated one.

A family is called as the repository is, without its owner, in lower snake case; it is released on the day on which the
repository was created.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar

from huggingface_hub import HfApi, ModelInfo
from pydantic import AfterValidator, BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from adapters.hub import COMMIT, HUB_ERRORS, REPOSITORY
from adapters.lines import first_line
from adapters.patterns import wanted
from adapters.secrets import secret
from daemon.errors import BadInputError
from daemon.model import Batch, Release
from daemon.slug import complaint, is_slug, suggest

_BATCH = 200  # releases
_EXPAND = (
    "baseModels", "cardData", "createdAt", "disabled", "downloads", "gated", "private", "sha", "tags",
)  # fmt: skip
_PARTS = ("lora", "controlnet", "ip-adapter", "textual_inversion", "gguf", "merge")


def _slugs(families: dict[str, str]) -> dict[str, str]:
    for family in families.values():
        if not is_slug(family):
            raise ValueError(complaint(family))
    return families


class HubReleasesOptions(BaseModel):
    """Options of the hub_releases adapter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline_tag: str = "text-to-image"  # the Hub's word for what a model does
    library: str | None = "diffusers"  # only models for this library; None: any
    inference_provider: str | None = None  # only models that this provider serves; `all`: any of them does
    min_downloads: NonNegativeInt = 1000  # within 30 days, as the Hub counts
    window: PositiveInt = 60  # days after its creation in which a model may reach them
    since: date | None = None  # models created before this day are left alone
    allow: tuple[str, ...] = ()  # shell patterns of owner/name; none: every one
    deny: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()  # patterns of models that count as base models although they name one
    without_tags: tuple[str, ...] = _PARTS  # tags of what is no generator of its own, though its card names no base
    families: Annotated[dict[str, str], AfterValidator(_slugs)] = {}  # owner/name -> family, where its name will not do
    kind: str | None = None  # kind of generator that they are taken for, such as diffusion
    most: PositiveInt = 20_000  # models that one poll looks at
    token_variable: str | None = None  # environment variable (see `secrets`) with the Hub's token
    token_file: str | None = None  # or a file with it


class HubReleasesAdapter:
    """Reports new text-to-image models as releases."""

    kind: ClassVar[str] = "hub_releases"
    Options: ClassVar[type[BaseModel]] = HubReleasesOptions

    def __init__(self, name: str, options: HubReleasesOptions) -> None:
        self.name = name
        self.options = options

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield the releases of the window, oldest first; the cursor says what was seen last, for people.

        Raises BadInputError when the Hub cannot be asked, or when `most` models are not the whole window; what was
        found up to there is reported first.
        """
        if budget <= 0:
            return
        found: list[Release] = []
        seen, newest, trouble = 0, None, None
        earliest = self._earliest(now)
        try:
            for info in self._listed():
                seen += 1
                created = info.created_at
                if created is None:
                    raise ValueError("a model without createdAt")
                newest = newest or created
                if created.date() < earliest:
                    break
                if created <= now and self._is_wanted(info):
                    found.append(self._release(info, created))
            else:
                if seen >= self.options.most:
                    trouble = f"more than {seen:,} models since {earliest}; take a shorter `window` or more in `most`"
        except HUB_ERRORS as error:
            trouble = f"the Hub cannot be asked: {first_line(error)}"
        mark = f"{seen} models since {earliest}, the newest of {newest.isoformat() if newest else 'no day'}"
        if trouble is None or found:
            for batch in _parts(found[::-1]):
                yield Batch((), mark, tuple(batch))
        if trouble is not None:
            raise BadInputError(trouble)

    def _earliest(self, now: datetime) -> date:
        start = (now.astimezone(UTC) - timedelta(days=self.options.window)).date()
        return start if self.options.since is None else max(start, self.options.since)

    def _listed(self) -> Iterator[ModelInfo]:
        options = self.options
        token = secret(options.token_variable, options.token_file)
        listed = HfApi(token=token or False).list_models(  # never the token of whoever started the service
            pipeline_tag=options.pipeline_tag,
            filter=options.library,
            inference_provider=options.inference_provider,  # type: ignore[arg-type]  # the library lists today's names
            gated=False,
            sort="created_at",
            limit=options.most,
            expand=list(_EXPAND),  # type: ignore[arg-type]
        )
        yield from listed

    def _is_wanted(self, info: ModelInfo) -> bool:
        options = self.options
        tags = {tag.lower() for tag in info.tags or ()}
        return (
            REPOSITORY.fullmatch(info.id) is not None
            and COMMIT.fullmatch(info.sha or "") is not None  # nothing else says what a picture was made with
            and not (info.gated or info.private or info.disabled)
            and (info.downloads or 0) >= options.min_downloads
            and wanted(info.id, options.allow, options.deny)
            and tags.isdisjoint(options.without_tags)
            and (not bases_of(info) or any(wanted(info.id, (pattern,), ()) for pattern in options.derived))
            and is_slug(self._family(info.id))
        )

    def _family(self, model: str) -> str:
        return self.options.families.get(model, suggest(model.rpartition("/")[2]))

    def _release(self, info: ModelInfo, created: datetime) -> Release:
        assert info.sha is not None  # `_is_wanted` has looked
        licence = getattr(info.card_data, "license", None)
        return Release(
            model=info.id,
            revision=info.sha,
            family=self._family(info.id),
            released=created.astimezone(UTC).date().isoformat(),
            kind=self.options.kind,
            licence=licence[:200] if isinstance(licence, str) and licence else None,
        )


def bases_of(info: ModelInfo) -> list[str]:
    """Return the base models that a repository names, wherever it does; [] for a base model itself."""
    named: list[str] = [tag.rpartition(":")[2] for tag in info.tags or () if tag.startswith("base_model:")]
    card: Any = getattr(info.card_data, "base_model", None)
    named += [card] if isinstance(card, str) else [str(one) for one in card or ()]
    derived: Any = info.base_models
    if isinstance(derived, Mapping):
        named += [str(one.get("id") if isinstance(one, Mapping) else one) for one in derived.get("models") or ()]
    elif derived:
        named += [str(derived)]
    return sorted({one for one in named if one and one != info.id})


def _parts(releases: Sequence[Release]) -> Iterator[Sequence[Release]]:
    if not releases:
        yield ()  # a poll that finds nothing has looked all the same
    for start in range(0, len(releases), _BATCH):
        yield releases[start : start + _BATCH]
