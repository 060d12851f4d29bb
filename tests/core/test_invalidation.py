"""Invalidation: RFC 9111 §4.4."""

from __future__ import annotations

from core_rows import URL, ask, got, rows

from sansio_cache.invalidation import invalidated_urls

SAME = "https://example.org/b"


@rows(
    "method status lines expected",
    ("POST", "4.4", "POST", 200, [], [URL]),
    ("PUT", "4.4", "PUT", 204, [], [URL]),
    ("DELETE", "4.4", "DELETE", 202, [], [URL]),
    ("a method nobody knows", "4.4", "M-SEARCH", 200, [], [URL]),
    ("a redirect", "4.4", "POST", 303, [], [URL]),
    ("an error invalidates nothing", "4.4", "POST", 400, [], []),
    ("an error of the server neither", "4.4", "POST", 500, [], []),
    ("no final answer neither", "4.4", "POST", 199, [], []),
    ("GET is safe", "9110-9.2.1", "GET", 200, [], []),
    ("HEAD is safe", "9110-9.2.1", "HEAD", 200, [], []),
    ("OPTIONS is safe", "9110-9.2.1", "OPTIONS", 200, [], []),
    ("QUERY is safe", "9110-9.2.1", "QUERY", 200, [], []),
    ("Location", "4.4", "POST", 201, ["Location: /b"], [URL, SAME]),
    ("Content-Location", "4.4", "POST", 200, ["Content-Location: b"], [URL, SAME]),
    ("both", "4.4", "POST", 200, ["Location: /b", "Content-Location: ?c"], [URL, SAME, URL + "?c"]),
    ("both the same", "4.4", "POST", 200, ["Location: /b", "Content-Location: /b"], [URL, SAME]),
    ("the target itself", "4.4", "POST", 200, ["Location: /a"], [URL]),
    ("more lines than are read", "G31", "POST", 200, ["Location: /b"] * 4 + ["Location: /c"], [URL, SAME]),
    ("a longer one than is read", "G31", "POST", 200, ["Location: /b?" + "a" * 8_192], [URL]),
    ("two lines", "4.4", "POST", 200, ["Location: /b", "Location: /c"], [URL, SAME, "https://example.org/c"]),
    (
        "the same origin by another spelling",
        "4.4",
        "POST",
        200,
        ["Location: HTTPS://EXAMPLE.org:443/b"],
        [URL, "https://EXAMPLE.org:443/b"],
    ),
    ("another host", "4.4", "POST", 200, ["Location: https://other.org/b"], [URL]),
    ("another scheme", "4.4", "POST", 200, ["Location: http://example.org/b"], [URL]),
    ("another port", "4.4", "POST", 200, ["Location: https://example.org:8443/b"], [URL]),
    ("a host that only begins so", "4.4", "POST", 200, ["Location: https://example.org.evil.net/"], [URL]),
    ("a host in the userinfo", "4.4", "POST", 200, ["Location: https://example.org@evil.net/"], [URL]),
    ("what is no URL", "4.4", "POST", 200, ["Location: http://["], [URL]),
)
def test_an_unsafe_request_invalidates(method: str, status: int, lines: list[str], expected: list[str]) -> None:
    urls = invalidated_urls(ask(method=method), got(*lines, status=status))
    assert list(urls) == expected
