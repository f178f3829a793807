"""Models that the Hugging Face Hub's inference providers serve, through the library's InferenceClient.

An answer of 401, 402, 403, 404 or 429 and a connection that did not come about made nothing; after anything else the
picture may have been made. Which revision of a model a provider serves, it does not say.
"""

from __future__ import annotations

import json
from io import BytesIO

import httpx2
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, RepositoryNotFoundError
from PIL import Image

from adapters.fetching import asked_wait
from adapters.generation.backend import Busy, Closed, Lost, Picture, Refused, Unusable
from adapters.generation.options import GenerateOptions
from adapters.generation.orders import Order
from adapters.lines import first_line

_MALFORMED = (json.JSONDecodeError, UnicodeDecodeError, KeyError, IndexError, TypeError, OSError)


class HfInference:
    """Makes pictures through a provider."""

    def __init__(self, options: GenerateOptions, token: str | None) -> None:
        self._options = options
        self._client = InferenceClient(
            provider=options.hf_inference.provider,  # type: ignore[arg-type]  # the library lists today's names
            api_key=token,
            timeout=options.timeout,
            bill_to=options.hf_inference.bill_to,
        )

    def make(self, order: Order) -> Picture:
        """Make one picture. Raises as `Backend` says."""
        try:
            image = self._client.text_to_image(
                order.prompt.text,
                model=order.model.name,
                seed=order.seed,
                extra_body=dict(self._options.parameters),
            )
        except (InferenceTimeoutError, TimeoutError) as error:
            raise Lost(f"no answer within {self._options.timeout:g} s") from error
        except RepositoryNotFoundError as error:
            raise Unusable(first_line(error)) from error
        except HfHubHTTPError as error:
            raise _failure(error) from error
        except httpx2.ConnectError as error:
            raise Busy(f"cannot be connected to: {first_line(error)}") from error
        except (httpx2.HTTPError, *_MALFORMED) as error:
            raise Lost(f"an answer that is none: {first_line(error)}") from error
        except ValueError as error:  # the provider does not serve it, or not for this task
            raise Unusable(first_line(error)) from error
        said = {"provider": self._options.hf_inference.provider}
        return Picture(*_undecoded(image, said))

    def close(self) -> None:
        """The library keeps its connections for itself."""


def _undecoded(image: Image.Image, said: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """The bytes as the provider sent them; the library hands them on as a picture that is opened, not decoded."""
    source = getattr(image, "fp", None)
    if isinstance(source, BytesIO):
        return source.getvalue(), said
    encoded = BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue(), {**said, "encoded": "here, as PNG"}


def _failure(error: HfHubHTTPError) -> Exception:
    """What an answer with an error status means for the order and for the money."""
    status, said = error.response.status_code, first_line(error)
    if status == 429:
        return Busy(said, asked_wait(error.response.headers.get("retry-after")))
    if status in (401, 402, 403):
        return Closed(said)
    if status in (404, 410):
        return Unusable(said)
    if status in (400, 413, 422):
        return Refused(said)
    return Lost(said)
