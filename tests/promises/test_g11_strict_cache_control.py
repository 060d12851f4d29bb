"""G11: Cache-Control is read strictly, and what is malformed or doubled towards not storing and not reusing."""

from __future__ import annotations

from typing import Any

import pytest
from local_origin import Origin, Reply

# What it says, whether a private cache may reuse it without asking, and whether a shared one may.
RESPONSES: list[tuple[str | list[str], bool, bool]] = [
    ("max-age=60", True, True),
    ("MAX-AGE=60", True, True),
    ('max-age="60"', True, True),
    ("max-age=60, foo, bar=baz", True, True),
    ("no-store", False, False),
    ("No-Store", False, False),
    ("no-store=x, max-age=60", False, False),
    ("max-age=60, no-store=", False, False),
    (["max-age=60", "no-store"], False, False),
    ("private, max-age=60", True, False),
    ('private="", max-age=60', True, False),
    ("PRIVATE , max-age=60", True, False),
    ("private=x y, max-age=60", True, False),
    ("no-cache, max-age=60", False, False),
    ("no-cache=, max-age=60", False, False),
    ("max-age=60, no-cache = x", False, False),
    ("max-age=-1", False, False),
    ("max-age=6o", False, False),
    ("max-age=1.5", False, False),
    ("max-age=", False, False),
    ("max-age", False, False),
    ("max-age=0, max-age=60", False, False),
    (["max-age=60", "max-age=0"], False, False),
    ("max-age=99999999999999999999", True, True),
    ("s-maxage=0, max-age=60", True, False),
    ("s-maxage=x, max-age=60", True, False),
    ('foo="no-store", max-age=60', True, True),
    ('foo="a, max-age=60', False, False),
    ('foo="\\"", no-store, max-age=60', False, False),
    ("max-age=60, must-understand", True, True),
]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("says", "private_hit", "shared_hit"), RESPONSES, ids=lambda value: str(value))
def test_responses(
    sessions: Any, origin: Origin, says: str | list[str], private_hit: bool, shared_hit: bool, shared: bool
) -> None:
    """G11: each twice asked for."""
    lines = [says] if isinstance(says, str) else says
    url = origin.on("/a", Reply(b"x", fields=[("Cache-Control", line) for line in lines]))
    session = sessions(shared=shared)
    session.get(url)
    assert session.get(url).from_cache is (shared_hit if shared else private_hit)


@pytest.mark.parametrize("directive", ["max-stale", "max-stale=99999", "only-if-cached, max-stale", "max-age=9999"])
@pytest.mark.parametrize("forbids", ["must-revalidate", "no-cache", "no-store"])
def test_no_request_relaxes_a_prohibition(sessions: Any, origin: Origin, directive: str, forbids: str) -> None:
    """G11: a stale response that must not be used stale is not, and what must not be stored is not."""
    url = origin.on("/a", Reply(b"x", fields={"Cache-Control": f"max-age=0, {forbids}", "ETag": '"1"'}))
    session = sessions()
    session.get(url)
    response = session.get(url, headers={"Cache-Control": directive})
    assert not response.from_cache or response.revalidated


@pytest.mark.parametrize("directive", ["no-cache", "NO-CACHE", "max-age=x", "max-age=-1", "no-cache=x", "min-fresh=x"])
def test_a_request_that_cannot_be_read_is_strict(sessions: Any, origin: Origin, directive: str) -> None:
    """G11: the origin is asked."""
    url = origin.on("/a", Reply(b"x", fields={"Cache-Control": "max-age=60"}))
    session = sessions()
    session.get(url)
    assert not session.get(url, headers={"Cache-Control": directive}).from_cache
