"""The Images API of OpenAI, and every server that is compatible with it.

What has to be paid is not known from every failure. An answer of 401, 403, 404 or 429 and a connection that did not
come about made nothing; after anything else the picture may have been made.
"""

from __future__ import annotations

import base64
import binascii

import httpx2
import openai
from openai.types import Image, ImagesResponse

from adapters.fetching import Fetcher, FetchLimits, FetchRefused, Unavailable, asked_wait
from adapters.generation.backend import Busy, Closed, Lost, Picture, Refused, Unusable
from adapters.generation.options import GenerateOptions
from adapters.generation.orders import Order
from adapters.lines import first_line

_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached")


class OpenAiImages:
    """Makes pictures through `POST {base_url}/images/generations`."""

    def __init__(self, options: GenerateOptions, token: str | None) -> None:
        self._options = options
        self._client = openai.OpenAI(
            api_key=token or "none",  # a server in the own network may ask for none
            base_url=options.openai.base_url,
            timeout=options.timeout,
            max_retries=0,  # each attempt is reserved for
        )
        self._fetcher = Fetcher(FetchLimits(options.timeout, options.attempts), options.openai.allowed_hosts)

    def make(self, order: Order) -> Picture:
        """Make one picture. Raises as `Backend` says."""
        body: dict[str, object] = {**self._options.parameters}
        if self._options.openai.send_seed:
            body["seed"] = order.seed
        try:
            answer = self._client.images.generate(
                model=order.model.name, prompt=order.prompt.text, n=1, extra_body=body
            )
        except openai.APITimeoutError as error:
            raise Lost(f"no answer within {self._options.timeout:g} s") from error
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, httpx2.ConnectError):
                raise Busy(f"cannot be connected to: {first_line(error.__cause__)}") from error
            raise Lost(f"the connection broke: {first_line(error.__cause__ or error)}") from error
        except openai.APIStatusError as error:
            raise _failure(error) from error
        except (openai.OpenAIError, ValueError) as error:
            raise Lost(f"an answer that is none: {first_line(error)}") from error
        return self._picture(answer)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._fetcher.close()

    def _picture(self, answer: ImagesResponse) -> Picture:
        images = answer.data if isinstance(answer, ImagesResponse) else None
        if not images:
            raise Lost("the answer has no picture")
        image = images[0]
        said: dict[str, str | int | float | bool] = {}
        for name in ("size", "quality", "output_format", "background"):
            value = getattr(answer, name, None)
            if isinstance(value, str):
                said[name] = value[:100]
        if image.revised_prompt:
            said["revised_prompt"] = image.revised_prompt[:10_000]
        if answer.usage is not None:
            said["output_tokens"] = answer.usage.output_tokens
        return Picture(self._content(image), said)

    def _content(self, image: Image) -> bytes:
        if image.b64_json:
            try:
                return base64.b64decode(image.b64_json, validate=True)
            except binascii.Error as error:
                raise Lost(f"the picture is not base64: {error}") from error
        if image.url:
            try:
                return self._fetcher.get(image.url, self._options.max_bytes).content
            except (FetchRefused, Unavailable) as error:
                raise Lost(f"the picture cannot be fetched: {error}") from error
        raise Lost("the answer has neither b64_json nor url")


def _failure(error: openai.APIStatusError) -> Exception:
    """What an answer with an error status means for the order and for the money."""
    status, said = error.status_code, first_line(error)
    if status == 429:
        if error.code in _NO_MONEY:
            return Closed(said)
        return Busy(said, asked_wait(error.response.headers.get("retry-after")))
    if status in (401, 403):
        return Closed(said)
    if status == 404:
        return Unusable(said)
    if status in (400, 422):
        # the prompt's own fault, unless it names another parameter: that one is wrong for every prompt
        return Refused(said) if error.param in (None, "prompt") else Closed(said)
    return Lost(said)
