"""G27: stale-if-error (RFC 5861); a failed validation keeps the good entry. More: tests/requests/test_background.py."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from clock import Clock
from local_origin import Origin, Reply

GOOD = {"Cache-Control": "max-age=10, stale-if-error=100", "ETag": '"1"'}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_stored_response_in_the_place_of_an_error(sessions: Any, clock: Clock, origin: Origin, status: int) -> None:
    """G27: for as long as it says; then the error; then, when the origin is well, the stored one is good again."""
    confirmed = Reply(status=304, fields=GOOD, framing="none")
    answers = [Reply(b"good", fields=GOOD), Reply(b"e", status), Reply(b"e", status), confirmed]
    url = origin.on("/a", *answers)
    session = sessions(clock=clock)
    session.get(url)
    clock.advance(60)
    assert session.get(url).content == b"good"
    clock.advance(60)
    assert session.get(url).status_code == status
    assert session.get(url).content == b"good"
    assert session.get(url).from_cache


@pytest.mark.parametrize("status", [400, 403, 404, 429, 501])
def test_other_statuses_are_answers(sessions: Any, clock: Clock, origin: Origin, status: int) -> None:
    """G27: RFC 5861 §4 names those that are not."""
    url = origin.on("/a", Reply(b"good", fields=GOOD), Reply(b"e", status))
    session = sessions(clock=clock, stale_if_error=True)
    session.get(url)
    clock.advance(60)
    assert session.get(url).status_code == status


def test_the_request_may_allow_it(sessions: Any, clock: Clock, origin: Origin) -> None:
    """G27: by its own directive."""
    url = origin.on("/a", Reply(b"good", fields={"Cache-Control": "max-age=10", "ETag": '"1"'}), Reply(b"e", 503))
    session = sessions(clock=clock)
    session.get(url)
    clock.advance(60)
    assert session.get(url, headers={"Cache-Control": "stale-if-error=100"}).content == b"good"
    assert session.get(url).status_code == 503


@pytest.mark.parametrize("directive", ["must-revalidate", "no-cache"])
def test_a_prohibition_wins(sessions: Any, clock: Clock, origin: Origin, directive: str) -> None:
    """G27: RFC 9111 §4.2.4."""
    fields = {"Cache-Control": f"max-age=10, stale-if-error=100, {directive}", "ETag": '"1"'}
    url = origin.on("/a", Reply(b"good", fields=fields))
    session = sessions(clock=clock, stale_if_error=True)
    session.get(url)
    clock.advance(60)
    origin.script("/a", lambda _, peer: peer.reset())
    with pytest.raises(requests.ConnectionError):
        session.get(url)
    origin._scripts.clear()
    origin.on("/a", Reply(status=304, fields=fields, framing="none"))
    assert session.get(url).content == b"good"


def test_a_user_may_not_be_shown_anothers(sessions: Any, clock: Clock, origin: Origin) -> None:
    """G27: nor in the place of an error."""
    url = origin.on("/a", Reply(b"ann's", fields=GOOD), Reply(b"e", 503))
    session = sessions(clock=clock, stale_if_error=True)
    session.get(url, auth=("ann", "pw"))
    clock.advance(60)
    assert session.get(url, auth=("bob", "pw")).status_code == 503
    assert session.get(url, auth=("ann", "pw")).content == b"ann's"
