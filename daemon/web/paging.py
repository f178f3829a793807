"""Paging: a list is answered in parts; `Link` (RFC 8288) names the next one and `X-Total-Count` says how long it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response

LONGEST = 1000
Item = TypeVar("Item")

HEADERS = {
    "Link": {"description": "The next and the previous part, rel=next and rel=prev", "schema": {"type": "string"}},
    "X-Total-Count": {"description": "How many there are in all", "schema": {"type": "integer"}},
}


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is asked for; a dependency."""

    request: Request
    response: Response
    limit: int
    offset: int

    def of(self, items: Sequence[Item]) -> list[Item]:
        """That part of a whole list."""
        self.tell(len(items))
        return list(items[self.offset : self.offset + self.limit])

    def tell(self, total: int) -> None:
        """Set the headers of an answer that is a part of `total` items."""
        self.response.headers["X-Total-Count"] = str(total)
        links = []
        if self.offset + self.limit < total:
            links.append(self._link(self.offset + self.limit, "next"))
        if self.offset > 0:
            links.append(self._link(max(0, self.offset - self.limit), "prev"))
        if links:
            self.response.headers["Link"] = ", ".join(links)

    def _link(self, offset: int, rel: str) -> str:
        url = self.request.url.include_query_params(limit=self.limit, offset=offset)
        return f'<{url.path}?{url.query}>; rel="{rel}"'


def part(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=LONGEST, description="Most items of one answer")] = 200,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1, description="How many items before the first one")] = 0,
) -> Part:
    """The dependency."""
    return Part(request, response, limit, offset)
