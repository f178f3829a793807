"""A feed of image addresses over HTTP: JSON pages or NDJSON, oldest first, with the address of the next page.

A page is an object with a list of items and the next page (`items`, `next`), a bare list, or NDJSON lines; a
`Link: <…>; rel="next"` header counts too. The cursor holds the page, how many of its items are done and their digest.
A page that changed before that point, or that is gone, starts the feed over. A feed with its newest items on the first
page would start over with each of them.

Addresses are fetched as `adapters.fetching` says. A picture that cannot be had is counted and skipped; a server that
fails several times in a row opens the circuit: the poll ends before the first of these, and the next one goes on there.
When that happened in three polls, these pictures are given up, lest one dead server holds up the feed for ever.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal
from urllib.parse import urljoin

import httpx
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from adapters.addresses import shown
from adapters.batching import MAX_BYTES, batched, refused
from adapters.fetching import Fetched, Fetcher, FetchLimits, FetchRefused, Unavailable
from adapters.mapping import BadRecord, ItemMapping, is_released, value_at
from adapters.secrets import secret
from daemon.errors import BadInputError
from daemon.model import Batch, Candidate

_PATIENCE = 3  # polls that may end at the same pictures
_MOST_HELD = 1_000  # candidates behind a server in trouble
_NEXT = re.compile(r'<([^>]*)>[^,]*;\s*rel="?next"?', re.IGNORECASE)


class HttpFeedOptions(ItemMapping):
    """Options of the http_feed adapter."""

    url: str  # of the first page
    format: Literal["json", "ndjson"] | None = None  # None: by the content type
    items: str = "items"  # key of the list in a page that is an object
    next: str = "next"  # key of the next page's address, or of its token when `next_parameter` is given
    next_parameter: str | None = None  # query parameter that takes the token
    image: str = "url"  # key of the picture's address in an item; `columns: {uri: id}` names the delivery otherwise
    token_variable: str | None = None  # environment variable (see `secrets`) with the bearer token of the feed's server
    token_file: str | None = None  # or a file with it
    allowed_hosts: tuple[str, ...] = ()  # `host` or `host:port` that may speak http and may lie in the own network
    max_bytes: PositiveInt = MAX_BYTES  # of one picture
    max_page_bytes: PositiveInt = 16 * 2**20
    timeout: PositiveFloat = 30.0  # seconds for one attempt
    attempts: PositiveInt = 4
    first_wait: NonNegativeFloat = 0.5  # seconds before the second attempt, then doubled, with jitter
    longest_wait: PositiveFloat = 30.0  # seconds; a server that asks for more is given up
    interval: NonNegativeFloat = 0.0  # seconds between two requests
    failures: PositiveInt = 5  # pictures in a row that a server in trouble may cost before the poll ends

    def digest(self) -> str:
        """Return 16 hex digits that change with what is delivered."""
        deciding = {"url", "format", "items", "next", "next_parameter", "image", "columns", "words", "defaults"}
        deciding |= {"max_bytes", "family_of_real"}
        return hashlib.sha256(self.model_dump_json(include=deciding).encode()).hexdigest()[:16]


class _Cursor(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    options: str
    page: str
    done: int = Field(0, ge=0)  # items of that page
    digest: str = ""  # of those items
    troubles: int = Field(0, ge=0)  # polls that ended here because servers failed


@dataclass(frozen=True, slots=True)
class _Page:
    items: list[object]
    next: str | None


class HttpFeedAdapter:
    """Delivers the pictures that a feed lists."""

    kind: ClassVar[str] = "http_feed"
    Options: ClassVar[type[BaseModel]] = HttpFeedOptions

    def __init__(self, name: str, options: HttpFeedOptions) -> None:
        self.name = name
        self.options = options

    def poll(self, cursor: str | None, budget: int, now: datetime) -> Iterator[Batch]:
        """Yield at most `budget` candidates behind the cursor.

        Raises BadInputError when the feed cannot be read, or when its pictures' servers fail in a row.
        """
        fetcher = self._fetcher()
        try:
            walk = _Walk(self.options, fetcher, now)
            if budget > 0:
                walk.resume(cursor)
            yield from batched(walk.candidates(), walk.cursor, budget)
            if walk.trouble is not None:
                yield Batch((), walk.cursor())  # remembers that it ended here
        finally:
            fetcher.close()
        if walk.trouble is not None:
            raise BadInputError(walk.trouble)

    def _fetcher(self) -> Fetcher:
        options = self.options
        limits = FetchLimits(
            options.timeout, options.attempts, options.first_wait, options.longest_wait, options.interval
        )
        try:
            url = httpx.URL(options.url)
        except (httpx.InvalidURL, TypeError) as error:
            raise BadInputError(f"{shown(options.url)}: no address: {error}") from None
        token = secret(options.token_variable, options.token_file)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        return Fetcher(limits, options.allowed_hosts, {origin: headers})


class _Walk:
    """One poll's way through the pages."""

    def __init__(self, options: HttpFeedOptions, fetcher: Fetcher, now: datetime) -> None:
        self._options = options
        self._fetcher = fetcher
        self._now = now
        self._at = _Cursor(options=options.digest(), page=options.url)
        self._first: _Page | None = None  # the page that the cursor lies on, when it was looked at
        self.trouble: str | None = None  # why the poll ended early

    def cursor(self) -> str:
        """Return the cursor behind the last candidate taken."""
        return self._at.model_dump_json()

    def resume(self, cursor: str | None) -> None:
        """Go on from the cursor when its page still begins as it did, start over otherwise."""
        if cursor is None:
            return
        try:
            at = _Cursor.model_validate_json(cursor)
        except ValidationError:
            return  # of another kind of adapter under the same name: repeats are harmless, a guess is not
        if at.options != self._at.options:
            return
        try:
            page = self._page(at.page)
        except FetchRefused as error:
            if at.page == self._options.url or error.status not in (400, 404, 410):
                raise BadInputError(f"the feed cannot be read: {error}") from None
            return  # the page is gone
        if len(page.items) >= at.done and _digest(page.items[: at.done]) == at.digest:
            self._at, self._first = at, page

    def candidates(self) -> Iterator[Candidate]:
        """Yield what is due; `cursor()` between two of them resumes behind the first."""
        held: list[tuple[_Cursor, Candidate]] = []  # behind a server in trouble: the circuit may open
        failures = 0
        for at, candidate, address in self._readable():
            if address is not None:
                try:
                    content = self._fetcher.get(address, self._options.max_bytes).content
                    candidate, failures = replace(candidate, content=content), 0
                except FetchRefused as error:
                    candidate = refused(candidate, error.reason, str(error)[:500])
                    failures = 0 if error.status is not None else failures  # it answers
                except Unavailable as error:
                    candidate, failures = refused(candidate, "unreadable", str(error)[:500]), failures + 1
                    if failures >= self._options.failures and self._at.troubles < _PATIENCE:
                        self._at = self._at.model_copy(update={"troubles": self._at.troubles + 1})
                        self.trouble = (
                            f"{failures} pictures in a row failed, the next poll goes on there; last: {error}"
                        )
                        return
            held.append((at.model_copy(update={"troubles": 0}), candidate))
            if not failures or failures >= self._options.failures or len(held) >= _MOST_HELD:
                failures = 0
                for self._at, ready in held:
                    yield ready
                held.clear()
        for self._at, ready in held:
            yield ready

    def _readable(self) -> Iterator[tuple[_Cursor, Candidate, str | None]]:
        try:
            yield from self._listed()
        except BadInputError as error:
            self.trouble = str(error)  # said at the end: what came before it counts

    def _listed(self) -> Iterator[tuple[_Cursor, Candidate, str | None]]:
        """Yield (cursor behind it, candidate without its picture, the picture's address unless it is a bad record)."""
        at, page = self._at, self._first
        seen: set[str] = set()
        while True:
            if at.page in seen:
                raise BadInputError(f"the feed goes in a circle: {shown(at.page)} comes again")
            seen.add(at.page)
            try:
                page = page or self._page(at.page)
            except FetchRefused as error:
                raise BadInputError(f"the feed cannot be read: {error}") from None
            running = hashlib.sha256()
            for number, item in enumerate(page.items, start=1):
                running.update(_line(item))
                if number <= at.done:
                    continue
                candidate, address = self._candidate(item, f"{shown(at.page)}#{number}")
                if not is_released(candidate, self._now):
                    return
                yield at.model_copy(update={"done": number, "digest": running.hexdigest()[:32]}), candidate, address
            if page.next is None:
                return
            at, page = _Cursor(options=at.options, page=page.next), None

    def _candidate(self, item: object, place: str) -> tuple[Candidate, str | None]:
        if not isinstance(item, dict):
            why = item if isinstance(item, str) else "is not a JSON object"
            return refused(Candidate(place), "bad_record", f"{place}: {why}"[:500]), None
        address = value_at(item, self._options.image)
        row = self._options.row(item)
        name = row["uri"] or address
        candidate = Candidate(str(name)[:2000] if name else place)
        try:
            if not isinstance(address, str) or not address:
                raise BadRecord(f"has no address at {self._options.image!r}")
            candidate = self._options.claim(candidate, item)
        except BadRecord as error:
            return refused(candidate, "bad_record", f"{place}: {error}"[:500]), None
        return candidate, address

    def _page(self, url: str) -> _Page:
        try:
            answer = self._fetcher.get(url, self._options.max_page_bytes)
        except Unavailable as error:
            raise BadInputError(f"the feed cannot be read: {error}") from None
        try:
            text = answer.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BadInputError(f"{shown(url)}: the page is not UTF-8") from None
        kind = answer.headers.get("content-type", "")
        ndjson = self._options.format == "ndjson" or (self._options.format is None and "ndjson" in kind)
        return self._ndjson(text, answer) if ndjson else self._json(text, answer)

    def _ndjson(self, text: str, answer: Fetched) -> _Page:
        items: list[object] = []
        for line in text.split("\n"):  # nothing else ends a line: texts may hold what splitlines() takes for an end
            if line.strip():
                try:
                    items.append(json.loads(line))
                except (ValueError, RecursionError):
                    items.append("is not JSON")
        return _Page(items, _linked(answer))

    def _json(self, text: str, answer: Fetched) -> _Page:
        where = shown(answer.url)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise BadInputError(f"{where}: the page is not JSON") from None
        items = value if isinstance(value, list) else value_at(value, self._options.items)
        if not isinstance(items, list):
            raise BadInputError(f"{where}: the page has no list at {self._options.items!r}")
        following = value_at(value, self._options.next)
        if following is None or following == "":
            return _Page(items, _linked(answer))
        if self._options.next_parameter is not None:
            url = httpx.URL(self._options.url).copy_merge_params({self._options.next_parameter: str(following)})
            return _Page(items, str(url))
        if not isinstance(following, str):
            raise BadInputError(f"{where}: {self._options.next!r} is no address; for a token set `next_parameter`")
        return _Page(items, _joined(answer, following))


def _linked(answer: Fetched) -> str | None:
    found = _NEXT.search(answer.headers.get("link", ""))
    return None if found is None else _joined(answer, found.group(1))


def _joined(answer: Fetched, following: str) -> str:
    try:
        return urljoin(answer.url, following)
    except ValueError:
        return following  # refused when it is asked for: what is on this page counts


def _line(item: object) -> bytes:
    return json.dumps(item, sort_keys=True).encode() + b"\n"


def _digest(items: list[object]) -> str:
    return hashlib.sha256(b"".join(_line(item) for item in items)).hexdigest()[:32] if items else ""
