"""An API that replies as GitHub's REST API is documented to: validators of each user's own, quota, pages."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from typing import Any

from local_origin import Origin, Reply, Seen

__all__ = ["GitHub"]

_PAGES = 3


class GitHub:
    """Repositories and issues on an origin.

    :ivar left: how many requests the user has left; a 304 to a request with a token costs none.
    :ivar title: of issue 1; changing it changes every answer that shows it.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.left = 5000
        self.title = "a fault"
        self._lock = threading.Lock()
        for path, answer in {
            "/repos/o/r": lambda _: {"id": 1, "name": "r", "full_name": "o/r", "url": self.url("/repos/o/r")},
            "/repos/o/r/issues": self._issues,
            "/repos/o/r/issues/1": lambda _: self._issue(1),
            "/rate_limit": lambda _: {"resources": {}, "rate": {}},
        }.items():
            origin.on(path, lambda seen, answer=answer: self._reply(seen, answer(seen)))

    def url(self, path: str) -> str:
        return self.origin.url(path)

    def _issue(self, number: int) -> dict[str, Any]:
        url = self.url(f"/repos/o/r/issues/{number}")
        return {"id": number, "number": number, "title": self.title if number == 1 else f"issue {number}", "url": url}

    def _issues(self, seen: Seen) -> list[Any]:
        return [self._issue(_page(seen))]

    def _links(self, seen: Seen) -> dict[str, str]:
        page = _page(seen)
        if seen.path != "/repos/o/r/issues":
            return {}
        near = {"prev": page - 1, "next": page + 1, "first": 1, "last": _PAGES}
        links = [f'<{self.url(seen.path)}?page={n}>; rel="{rel}"' for rel, n in near.items() if 1 <= n <= _PAGES]
        return {"Link": ", ".join(links)}

    def _reply(self, seen: Seen, data: Any) -> Reply:
        if seen.method == "PATCH":
            self.title = json.loads(seen.body)["title"]
            data = self._issue(1)
        body = json.dumps(data).encode()
        # An entity tag is another for every token and media type. Where the body is coded it is weak.
        asked = f"{seen.get('authorization')} {seen.get('accept')} {seen.target}".encode()
        tag = f'W/"{hashlib.sha256(asked + body).hexdigest()}"'
        unchanged = seen.method == "GET" and seen.get("if-none-match") == tag
        with self._lock:
            self.left -= not (unchanged and seen.get("authorization"))
            fields = self._fields(tag, self.left) | self._links(seen)
        if unchanged:
            return Reply(status=304, fields=fields)
        fields["Content-Type"] = "application/json; charset=utf-8"
        if seen.method != "GET":
            return Reply(body, fields=fields)
        return Reply(gzip.compress(body), fields=fields | {"Content-Encoding": "gzip"}, framing="chunked")

    @staticmethod
    def _fields(tag: str, left: int) -> dict[str, str]:
        return {
            "Cache-Control": "private, max-age=60, s-maxage=60",
            "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With",
            "ETag": tag,
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": "4102444800",
            "X-RateLimit-Used": str(5000 - left),
            "X-RateLimit-Resource": "core",
        }


def _page(seen: Seen) -> int:
    return int(seen.target.partition("page=")[2] or 1)
