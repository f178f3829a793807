"""Options of the adapter `generate`."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from adapters.batching import MAX_BYTES
from adapters.generation.budget import Limits
from adapters.generation.orders import Model
from adapters.records import released_on
from daemon.slug import complaint, is_slug

Parameter = str | int | float | bool


def _slug(family: str) -> str:
    if not is_slug(family):
        raise ValueError(complaint(family))
    return family


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value  # YAML reads 2024-08-01 as a date


def _day(text: str | None) -> str | None:
    if text is not None:
        released_on(text)
    return text


class Section(BaseModel):
    """A part of the options."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class ModelOptions(Section):
    """A model to make pictures with."""

    model: str = Field(min_length=1, max_length=400)  # as the back-end calls it; a folder is written /…, ./… or ~/…
    revision: str | None = None  # of a model on the Hub, the commit; of a service's, what its pages call the version
    family: Annotated[str, AfterValidator(_slug)]
    released: Annotated[str | None, BeforeValidator(_text), AfterValidator(_day)] = None  # YYYY, YYYY-MM or YYYY-MM-DD
    kind: str | None = None  # kind of generator: diffusion, autoregressive, ...

    def of(self) -> Model:
        """Return the model."""
        return Model(self.model, self.revision, self.family, self.released, self.kind)


class DiffusersOptions(Section):
    """For the back-end diffusers alone."""

    device: str | None = None  # such as cuda:1; None: cuda or mps when there is one, else cpu
    dtype: Literal["float32", "float16", "bfloat16"] | None = None  # None: bfloat16 on cuda, else float32
    variant: str | None = None  # of the weights' files, such as fp16


class OpenAiOptions(Section):
    """For the back-end openai alone."""

    base_url: str | None = None  # of a compatible server; None: OpenAI's own
    send_seed: bool = False  # OpenAI's own API takes no seed, many compatible servers do
    allowed_hosts: tuple[str, ...] = ()  # hosts of picture addresses that may speak http and lie in the own network


class HfInferenceOptions(Section):
    """For the back-end hf_inference alone."""

    provider: str = "auto"  # who serves the models: a name of the Hub's list, or auto
    bill_to: str | None = None  # the organisation that pays


class GenerateOptions(Section):
    """Options of the generate adapter."""

    backend: Literal["diffusers", "openai", "hf_inference"]
    models: tuple[ModelOptions, ...] = ()  # beside those of `releases_from`
    path: str | None = None  # of a file of prompts; None: `captions` of the photographs taken in
    prompt: str = "prompt"  # column of a table that holds the prompts
    group: str | None = None  # column with what a prompt belongs to, such as the photograph that it describes
    per_model: PositiveInt = 50  # pictures of each model
    parameters: dict[str, Parameter] = {}  # handed to the back-end with each prompt, and recorded
    seed: int = 0  # another one gives other pictures
    licence: str | None = None  # of the pictures
    images_per_day: PositiveInt  # pictures that are asked for from UTC midnight to midnight, failed ones included
    money_per_day: Annotated[Decimal, Field(gt=0)] | None = None  # in the currency of `price`
    price: Annotated[Decimal, Field(ge=0)] | None = None  # the most that one picture can cost
    token_variable: str | None = None  # environment variable (see `secrets`) with the service's token
    token_file: str | None = None  # or a file with it
    timeout: PositiveFloat = 120.0  # seconds for one picture of a service
    attempts: PositiveInt = 3
    first_wait: NonNegativeFloat = 1.0  # seconds before the second attempt, then doubled, with jitter
    longest_wait: PositiveFloat = 60.0  # seconds; a service that asks for more is given up for this poll
    stop_after: PositiveFloat = 420.0  # seconds after which a poll begins no picture; below the adapter's `deadline`
    give_up_after: PositiveInt = 5  # polls in a row that failed with a model
    max_bytes: PositiveInt = MAX_BYTES  # of one picture
    diffusers: DiffusersOptions = DiffusersOptions()
    openai: OpenAiOptions = OpenAiOptions()
    hf_inference: HfInferenceOptions = HfInferenceOptions()

    @model_validator(mode="after")
    def _what_costs_has_a_budget(self) -> GenerateOptions:
        if self.money_per_day is not None and self.price is None:
            raise ValueError("money_per_day: give `price` too, the most that one picture can cost")
        if self.backend != "diffusers":
            if self.price is None or (self.price > 0 and self.money_per_day is None):
                raise ValueError(
                    "money_per_day, price: a service is paid; give both (price: 0 for a server that costs nothing)"
                )
            paid = self.backend == "hf_inference" or self.openai.base_url is None
            if paid and self.token_variable is None and self.token_file is None:
                raise ValueError("token_variable: this service needs a token; name its variable, or a file")
        if self.money_per_day is not None and self.price is not None and self.price > self.money_per_day:
            raise ValueError("money_per_day: is below the price of one picture, so nothing would ever be made")
        return self

    @model_validator(mode="after")
    def _models_differ_and_are_pinned(self) -> GenerateOptions:
        keys = [one.of().key for one in self.models]
        for one, key in zip(self.models, keys, strict=True):
            if keys.count(key) > 1:
                raise ValueError(f"models: {one.model!r} is there twice")
            if self.backend == "diffusers" and not is_folder(one.model) and not is_commit(one.revision):
                raise ValueError(
                    f"models: {one.model!r} needs its `revision`, a commit of 40 hex digits: a branch or tag can move "
                    "(a folder is written /…, ./… or ~/…)"
                )
        return self

    @property
    def limits(self) -> Limits:
        """The budget of a day."""
        return Limits(self.images_per_day, self.money_per_day, self.price or Decimal(0))

    def digest(self) -> str:
        """Return 16 hex digits that change with any option: models that were given up are tried again then."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def is_folder(model: str) -> bool:
    """Say whether it is a folder of this machine; one must be written as such."""
    return model.startswith(("/", "./", "../", "~/"))


def is_commit(revision: str | None) -> bool:
    """Say whether a revision can never stand for something else."""
    return revision is not None and len(revision) == 40 and all(digit in "0123456789abcdef" for digit in revision)
