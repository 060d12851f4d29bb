"""Required tests that do not pass, by client, each with its reason; a run fails when this list is not exact."""

#: h11 refuses every Transfer-Encoding but "chunked".
_H11 = {
    "headers-store-Transfer-Encoding": "h11 refuses a response with a Transfer-Encoding other than chunked",
}

_AIOHTTP_LENGTH = "aiohttp refuses a body longer than its Content-Length"

KNOWN: dict[str, dict[str, str]] = {
    "requests": {},
    "aiohttp": {
        "headers-store-Content-Length": _AIOHTTP_LENGTH,
        "304-etag-update-response-Content-Length": _AIOHTTP_LENGTH,
    },
    "trio": _H11,
    "httpx2": _H11,
}
