"""The pictures of a manifest on the web: fetched as `adapters.fetching` says, never from outside of one root."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from urllib.parse import quote, unquote

import httpx

from adapters.addresses import on_the_web, shown
from adapters.batching import EXTENSIONS, refused
from adapters.fetching import Fetcher, FetchLimits, FetchRefused, Unavailable
from adapters.records import BadRecord
from daemon.errors import BadInputError
from daemon.model import Candidate

_IN_A_PATH = "/%:@!$&'()*+,;=~"  # stays as it is in a path: what is escaped already is meant so
_MOST_BYTES = 256 * 2**20  # of the list itself, which is held in memory
_IN_TROUBLE = 5  # pictures in a row that their server does not give: it is in trouble, and not the pictures


@contextmanager
def fetching(allowed: Collection[str]) -> Iterator[Fetcher]:
    """A fetcher for one poll; allowed: hosts that may speak plain http and may lie in the own network."""
    fetcher = Fetcher(FetchLimits(deadline=60.0), allowed)
    try:
        yield fetcher
    finally:
        fetcher.close()


def fetch_list(fetcher: Fetcher, address: str) -> BytesIO:
    """Fetch a list as a whole. Raises BadInputError."""
    try:
        return BytesIO(fetcher.get(address, _MOST_BYTES).content)
    except (FetchRefused, Unavailable) as error:
        raise BadInputError(f"the list cannot be read: {error}") from None


class WebPictures:
    """The pictures below one address; a manifest cannot name anything outside of it."""

    def __init__(self, fetcher: Fetcher, root: str, max_bytes: int) -> None:
        self._fetcher = fetcher
        try:
            self._root = httpx.URL(root).copy_with(query=None, fragment=None, userinfo=b"")
        except (httpx.InvalidURL, ValueError) as error:
            raise BadInputError(f"{shown(root)}: is no address: {error}") from None
        self._folder = f"{self._root.path.rstrip('/')}/"
        self._max_bytes = max_bytes
        self.failed = 0  # pictures in a row whose server was in trouble

    def locate(self, uri: str) -> str:
        """Return the picture's address. Raises BadRecord when it lies outside of the root."""
        root = self._root
        try:
            path = quote(posixpath.join(self._folder, uri), _IN_A_PATH)
            url = httpx.URL(uri) if on_the_web(uri) else root.copy_with(path=path)
            same = (url.scheme, url.host, url.port, url.userinfo) == (root.scheme, root.host, root.port, b"")
        except (httpx.InvalidURL, ValueError) as error:
            raise BadRecord(f"uri {uri[:80]!r} is no address: {error}") from None
        # the server may undo percent signs once or twice, and may take a backslash for a slash
        path = unquote(unquote(url.path)).replace("\\", "/")
        if not same or "\0" in path or not url.path.startswith(self._folder) or ".." in path.split("/"):
            raise BadRecord(f"uri {uri[:80]!r} lies outside of the root {shown(str(self._root))}; name another `root`")
        return str(url)

    def read(self, candidate: Candidate) -> Candidate:
        """Return the candidate with its bytes, or with the problem that kept them away."""
        address = self.locate(candidate.uri)
        if not httpx.URL(address).path.lower().endswith(EXTENSIONS):
            return refused(candidate, "format_not_allowed", f"{shown(address)} is not {', '.join(EXTENSIONS)}")
        try:
            content = self._fetcher.get(address, self._max_bytes).content
        except Unavailable as error:
            self.failed += 1
            return refused(candidate, "unreadable", str(error))
        except FetchRefused as error:
            self.failed = 0
            return refused(candidate, error.reason, str(error))
        self.failed = 0
        return replace(candidate, content=content)


class UntilOutage:
    """Candidates up to where their server breaks down: what is not to be had then is asked for by the next poll."""

    def __init__(self, pictures: WebPictures, candidates: Iterable[Candidate], cursor: Callable[[], str]) -> None:
        self._pictures = pictures
        self._candidates = candidates
        self._behind = cursor  # the last candidate taken from `candidates`
        self._at = cursor()
        self.outage: str | None = None  # what is wrong, once it broke down

    def cursor(self) -> str:
        """Return the cursor behind the last candidate yielded."""
        return self._at

    def __iter__(self) -> Iterator[Candidate]:
        waiting: list[tuple[Candidate, str]] = []  # failed, and whether that is theirs or their server's is not known
        for candidate in self._candidates:
            failed = self._pictures.failed
            waiting.append((candidate, self._behind()))
            if failed >= _IN_TROUBLE:
                self.outage = f"{candidate.problem_detail}; neither were the {failed - 1} before it"
                return
            if failed == 0:
                yield from self._released(waiting)
                waiting = []
        yield from self._released(waiting)

    def _released(self, waiting: Iterable[tuple[Candidate, str]]) -> Iterator[Candidate]:
        for candidate, self._at in waiting:
            yield candidate
