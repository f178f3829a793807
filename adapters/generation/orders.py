"""Orders: which picture is made next, with which model, prompt and seed. A pure function of what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.model import Prompt, Release


@dataclass(frozen=True, slots=True)
class Model:
    """A generator at one revision."""

    name: str  # as the back-end calls it
    revision: str | None  # None: the service that serves it names none
    family: str  # lower snake case
    released: str | None  # YYYY, YYYY-MM or YYYY-MM-DD
    kind: str | None = None

    @property
    def key(self) -> str:
        """12 hex digits for the cursor, which has to stay small."""
        return _digest(f"{self.name}@{self.revision or ''}")[:12]

    @property
    def title(self) -> str:
        """How messages and uris call it."""
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


@dataclass(frozen=True, slots=True)
class Order:
    """One picture to be made."""

    model: Model
    number: int  # of the model's pictures, from 0
    prompt: Prompt
    seed: int  # 31 bits

    @property
    def uri(self) -> str:
        """The name of the delivery: the same order has the same one."""
        return f"{self.model.title}#{self.number}-{_digest(self.prompt.text)[:12]}"

    @property
    def group(self) -> str:
        """What the picture must stay together with: pictures of one prompt share a group, whoever made them."""
        return self.prompt.group or f"prompt:{_digest(self.prompt.text)[:32]}"


def order_of(model: Model, number: int, prompts: Sequence[Prompt], seed: int) -> Order:
    """Return a model's picture of that number: prompts in turn, from the first again with other seeds.

    prompts: at least one. seed: another one gives other pictures.
    """
    prompt = prompts[number % len(prompts)]
    drawn = _digest(f"{seed}\n{model.title}\n{number}\n{prompt.text}")[:8]
    return Order(model, number, prompt, int(drawn, 16) >> 1)


def model_of(release: Release) -> Model:
    """Return the model of a release."""
    return Model(release.model, release.revision, release.family, release.released, release.kind)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
