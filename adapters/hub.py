"""What the adapters of the Hugging Face Hub share: how it names models and commits, and what its client raises."""

from __future__ import annotations

import re

import httpx2
from huggingface_hub.errors import HfHubHTTPError

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ERRORS = (HfHubHTTPError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError, ValueError)
