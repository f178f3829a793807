"""Makes pictures: prompts through a local pipeline or a service, as many as the day's budget allows.

The models are those of the options and, with `releases_from`, every release that another adapter reported, the newest
first; each gets `per_model` pictures. Prompts come from a file, or are the captions of the photographs taken in: then a
picture belongs to the photograph's group, and so do the pictures that other models made of it.

The most that a picture can cost is reserved before it is asked for: the poll goes on only when the cursor, which holds
what was reserved, is stored (`confirmed`). Whatever dies afterwards, it stays reserved; it is given back only when the
service said that there is nothing to pay. The cursor also counts the polls in a row that a model failed, so that one
which kills the process each time it is loaded is given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from adapters.batching import refused
from adapters.generation.backend import Backend, Busy, Closed, Lost, Picture, Refused, Unusable
from adapters.generation.budget import Spent, give_back, reserve
from adapters.generation.options import GenerateOptions
from adapters.generation.orders import Model, Order, model_of, order_of
from adapters.generation.prompts import read_prompts
from adapters.records import released_on
from adapters.secrets import secret
from daemon.errors import BadInputError
from daemon.model import Batch, Candidate, Material, Prompt

_TROUBLED = 2  # failed polls after which a model waits behind the others


class _Cursor(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    options: str
    made: dict[str, NonNegativeInt] = {}  # key of a model -> its orders that are done
    troubles: dict[str, NonNegativeInt] = {}  # -> polls in a row that failed with it
    spent: dict[date, Spent] = Field(default_factory=dict)


class GenerateAdapter:
    """Delivers pictures that it has made for the purpose."""

    kind: ClassVar[str] = "generate"
    Options: ClassVar[type[BaseModel]] = GenerateOptions
    confirmed: ClassVar[bool] = True  # a reservation must be stored before a picture is asked for

    def __init__(self, name: str, options: GenerateOptions) -> None:
        self.name = name
        self.options = options
        self._material: Material | None = None
        self._sleep: Callable[[float], None] = time.sleep

    def give(self, material: Material) -> None:
        """Take releases and captions for the next poll."""
        self._material = material

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` pictures, each in a batch of its own behind one that reserves it.

        Ends when everything is made, the day's budget is used up, or `stop_after` seconds have passed. Raises
        BadInputError when there is nothing to make pictures of, or the service takes no orders or cannot be reached.
        """
        run = _Run(self.options, self._models(now), self._prompts(), self._resume(cursor), now, self._sleep)
        try:
            yield from run.make(budget)
        finally:
            run.close()

    def preview(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield what `poll` would ask for first; nothing is made and nothing spent."""
        run = _Run(self.options, self._models(now), self._prompts(), self._resume(cursor), now, self._sleep)
        for order in run.plan(budget):
            yield Batch((candidate_of(order, self.options),), run.cursor())

    def _models(self, now: datetime) -> list[Model]:
        given = [one.of() for one in self.options.models]
        known = {model.key for model in given}
        releases = [model_of(one) for one in (self._material or Material()).releases]
        # sorted is stable: of one day, in the order in which they were registered
        newest = sorted(releases, key=lambda model: model.released or "", reverse=True)
        models = given + [model for model in newest if model.key not in known]
        return [model for model in models if model.released is None or released_on(model.released) <= now.date()]

    def _prompts(self) -> list[Prompt]:
        options = self.options
        if options.path is not None:
            return read_prompts(options.path, options.prompt, options.group)
        if self._material is None:
            raise BadInputError("there are no prompts: give a file in `path`, or `captions: 1000` beside the options")
        return list(dict.fromkeys(self._material.captions))

    def _resume(self, cursor: str | None) -> _Cursor:
        start = _Cursor(options=self.options.digest())
        if cursor is None:
            return start
        try:
            at = _Cursor.model_validate_json(cursor)
        except ValidationError:
            return start  # of another kind of adapter under the same name
        # Other options make no picture again and free no money; they are a reason to try what failed once more.
        return at if at.options == start.options else at.model_copy(update={"options": start.options, "troubles": {}})


class _Run:
    """One poll."""

    def __init__(
        self,
        options: GenerateOptions,
        models: Sequence[Model],
        prompts: Sequence[Prompt],
        at: _Cursor,
        now: datetime,
        sleep: Callable[[float], None],
    ) -> None:
        self._options = options
        self._prompts = prompts
        self._at = at
        self._now = now
        self._sleep = sleep
        self._began = time.monotonic()
        self._backend: Backend | None = None
        # what fails again and again must not hold up the others
        self._models = sorted(models, key=lambda model: at.troubles.get(model.key, 0) >= _TROUBLED)

    def cursor(self) -> str:
        """Return what is done and what is spent."""
        return self._at.model_dump_json()

    def close(self) -> None:
        """Let go of the back-end."""
        if self._backend is not None:
            self._backend.close()

    def plan(self, budget: int) -> Iterator[Order]:
        """Yield the first orders that are open."""
        left = budget
        for model in self._models:
            for number in range(self._at.made.get(model.key, 0), self._options.per_model):
                if left <= 0 or not self._prompts:
                    return
                left -= 1
                yield order_of(model, number, self._prompts, self._options.seed)

    def make(self, budget: int) -> Iterator[Batch]:
        """Yield a reservation and a picture in turn."""
        left = budget
        for model in self._models:
            while left > 0 and self._prompts and self._at.made.get(model.key, 0) < self._options.per_model:
                if self._elapsed() > self._options.stop_after:
                    return
                if self._at.troubles.get(model.key, 0) >= self._options.give_up_after:
                    outcome: Candidate | None = self._given_up(model, "its attempts failed or ended this process")
                else:
                    order = order_of(model, self._at.made.get(model.key, 0), self._prompts, self._options.seed)
                    outcome = yield from self._attempts(order)
                if outcome is None:  # the day's budget is used up
                    return
                left -= 1
                yield Batch((outcome,), self.cursor())

    def _attempts(self, order: Order) -> Generator[Batch, None, Candidate | None]:
        """Make one picture; returns what to deliver, None when nothing more may be spent today."""
        key = order.model.key
        troubles = self._at.troubles.get(key, 0)
        for attempt in range(1, self._options.attempts + 1):
            day = self._today()
            ledger = reserve(self._at.spent, day, self._options.limits)
            if ledger is None:
                return None
            if self._backend is None:
                self._backend = make_backend(self._options)  # first: what is not installed costs no reservation
            self._note(spent=ledger, troubles={**self._at.troubles, key: troubles + 1})
            yield Batch((), self.cursor())  # stored when this line is left: only now may something be asked for
            try:
                picture = self._patiently(order)
            except Refused as error:
                self._done(key)
                return refused(candidate_of(order, self._options), "unreadable", f"refused: {error}"[:500])
            except Unusable as error:
                self._note(spent=give_back(self._at.spent, day, self._options.limits))
                return self._given_up(order.model, str(error))
            except (Busy, Closed) as error:
                self._note(
                    spent=give_back(self._at.spent, day, self._options.limits),
                    troubles={**self._at.troubles, key: troubles},
                )
                yield Batch((), self.cursor())
                raise BadInputError(f"{self._options.backend}: {error}"[:500]) from None
            except Lost as error:
                if attempt == self._options.attempts:  # it stays one of the model's troubles
                    raise BadInputError(f"{self._options.backend}: {order.model.title}: {error}"[:500]) from None
                self._sleep(min(self._options.first_wait * 2 ** (attempt - 1), self._options.longest_wait))
                continue
            self._done(key)
            return self._delivered(order, picture)
        raise AssertionError("attempts is at least 1")

    def _patiently(self, order: Order) -> Picture:
        """Ask until the service is not busy. Nothing was made before, so that it is one reservation."""
        options = self._options
        backoff = wait_exponential(multiplier=options.first_wait, max=options.longest_wait)
        jitter = wait_random(0, options.first_wait)

        def asked(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            return error.wait if isinstance(error, Busy) else 0.0

        attempts = Retrying(
            stop=lambda state: stop_after_attempt(options.attempts)(state) or asked(state) > options.longest_wait,
            wait=lambda state: max(backoff(state) + jitter(state), asked(state)),
            retry=retry_if_exception_type(Busy),
            sleep=self._sleep,
            reraise=True,
        )
        assert self._backend is not None  # made before anything was reserved
        return attempts(self._backend.make, order)

    def _delivered(self, order: Order, picture: Picture) -> Candidate:
        candidate = candidate_of(order, self._options, picture)
        if len(picture.content) > self._options.max_bytes:
            return refused(candidate, "too_many_bytes", f"{order.uri}: {len(picture.content):,} bytes")
        return replace(candidate, content=picture.content)

    def _given_up(self, model: Model, why: str) -> Candidate:
        """Every order of the model is done with; said once, as a delivery that could not be had."""
        self._note(
            made={**self._at.made, model.key: self._options.per_model},
            troubles={key: count for key, count in self._at.troubles.items() if key != model.key},
        )
        return Candidate(model.title, problem="unreadable", problem_detail=f"{model.title} is given up: {why}"[:500])

    def _done(self, key: str) -> None:
        self._note(
            made={**self._at.made, key: self._at.made.get(key, 0) + 1},
            troubles={one: count for one, count in self._at.troubles.items() if one != key},
        )

    def _note(self, **changed: object) -> None:
        self._at = self._at.model_copy(update=changed)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _today(self) -> date:
        return (self._now + timedelta(seconds=self._elapsed())).astimezone(UTC).date()


def make_backend(options: GenerateOptions) -> Backend:
    """Return the back-end that the options name. Raises BadInputError when its packages are not installed."""
    token = secret(options.token_variable, options.token_file)
    try:
        if options.backend == "diffusers":
            from adapters.generation.diffusers_pipelines import DiffusersPipelines

            return DiffusersPipelines(options, token)
        if options.backend == "openai":
            from adapters.generation.openai_images import OpenAiImages

            return OpenAiImages(options, token)
        from adapters.generation.hf_inference import HfInference

        return HfInference(options, token)
    except ImportError as error:
        extra = options.backend.replace("_", "-")
        raise BadInputError(
            f"the back-end {options.backend} needs a package that is not installed ({error}): "
            f"pip install 'sidwatch[{extra}]'"
        ) from error


def candidate_of(order: Order, options: GenerateOptions, picture: Picture | None = None) -> Candidate:
    """Return an order as a candidate without its picture; how it was made is said as far as it is known."""
    said: dict[str, str | int | float | bool] = {**options.parameters}
    if picture is not None:
        said |= picture.parameters
    said |= {"model": order.model.name, "backend": options.backend}
    if order.model.revision is not None:
        said["revision"] = order.model.revision
    if options.backend != "openai" or options.openai.send_seed:
        said["seed"] = order.seed  # where none can be sent, none decided the picture
    return Candidate(
        uri=order.uri,
        label="synthetic",
        family=order.model.family,
        group=order.group,
        caption=order.prompt.text,
        generation=said,
        licence=options.licence,
        released=order.model.released,
        kind=order.model.kind,
    )
