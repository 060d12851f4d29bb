"""G18: a stored validator that no request can carry breaks no request; more rows: tests/core/test_validation.py."""

from __future__ import annotations

import pytest
from asking import CLIENTS, Asking
from clock import Clock
from local_origin import Origin, Reply, Seen


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("ETag", '"a\x01c"', None),
        ("ETag", '"a\x7fc"', None),
        ("ETag", '"unclosed', None),
        ("ETag", '"a,b"', '"a,b"'),
        ("ETag", '"\xc3\xa9"', '"\xc3\xa9"'),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT\x01", None),
        ("Last-Modified", "yesterday", "yesterday"),
    ],
)
def test_what_no_request_can_carry_is_not_sent(
    client: str, clock: Clock, origin: Origin, name: str, value: str, sent: str | None
) -> None:
    """G18: in no client; what can be sent is sent byte for byte."""

    def answer(seen: Seen) -> Reply:
        return Reply(b"whole", fields={"Cache-Control": "max-age=10", name: value})

    url = origin.on("/a", answer)
    asking = Asking(client, clock)
    for _ in range(3):
        assert asking.get(url).body == b"whole"
        clock.advance(20)
    precondition = "If-None-Match" if name == "ETag" else "If-Modified-Since"
    assert [seen.get(precondition) for seen in origin.seen] == [None, sent, sent]


@pytest.mark.parametrize("client", CLIENTS)
def test_bytes_that_are_no_utf8_are_sent_as_they_came_or_not_at_all(client: str, clock: Clock, origin: Origin) -> None:
    """G18: aiohttp writes nothing else."""
    url = origin.on("/a", Reply(b"whole", fields={"Cache-Control": "max-age=10", "ETag": '"\xe9"'}))
    asking = Asking(client, clock)
    asking.get(url)
    clock.advance(20)
    assert asking.get(url).status == 200
    assert origin.last().get("If-None-Match") == (None if client == "aiohttp" else '"\xe9"')
