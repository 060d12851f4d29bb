"""Required tests that do not pass, by client, each with its reason; a run fails when this list is not exact."""

_SHARED = "a test of shared caches, for a private one; it passes with shared=True"
_DISCONNECT = "after the origin has hung up the suite still wants its answer, which no cache can give"
_COOKIES = "no cookie is stored, lest the next reader be logged in as the first"
_ETAG = "RFC 9111 §4.3.4: a 304 with another strong ETag must not update the stored response; it is fetched anew"
_AGE = (
    "RFC 9111 §5.1: an invalid Age is ignored, and of several the first counts; newer versions of the suite test that"
)

_ALL = {
    "age-parse-nonnumeric": _AGE,
    "age-parse-negative": _AGE,
    "age-parse-float": _AGE,
    "age-parse-prefix-twoline": _AGE,
    "age-parse-dup-0": _AGE,
    "age-parse-dup-0-twoline": _AGE,
    "age-parse-dup-old": _AGE,
    "age-parse-parameter": _AGE,
    "age-parse-numeric-parameter": _AGE,
    "stale-close-must-revalidate": _DISCONNECT,
    "stale-close-proxy-revalidate": _DISCONNECT,
    "stale-close-no-cache": _DISCONNECT,
    "stale-close-s-maxage=2": _DISCONNECT,
    "headers-store-Set-Cookie": _COOKIES,
    "304-etag-update-response-Set-Cookie": _COOKIES,
    "304-etag-update-response-ETag": _ETAG,
}

_PRIVATE = _ALL | {
    "freshness-s-maxage-shared": _SHARED,
    "freshness-max-age-s-maxage-shared-longer": _SHARED,
    "freshness-max-age-s-maxage-shared-longer-reversed": _SHARED,
    "freshness-max-age-s-maxage-shared-longer-multiple": _SHARED,
    "cc-resp-private-shared": _SHARED,
}

_H11 = {
    "headers-store-Transfer-Encoding": "h11 refuses a response with a Transfer-Encoding other than chunked",
}

_AIOHTTP_LENGTH = "aiohttp refuses a body longer than its Content-Length"

KNOWN: dict[str, dict[str, str]] = {
    "requests": _PRIVATE,
    "requests-shared": _ALL,
    "aiohttp": _PRIVATE
    | {
        "headers-store-Content-Length": _AIOHTTP_LENGTH,
        "304-etag-update-response-Content-Length": _AIOHTTP_LENGTH,
    },
    "trio": _PRIVATE | _H11,
    "httpx2": _PRIVATE | _H11,
}
