"""G7: keys rotate: the last of a list signs, all verify, ``resign`` brings old records up."""

from __future__ import annotations

from typing import Any

import pytest
from local_origin import Origin, fresh

from sansio_cache import BadSignature

OLD, NEW, NEWEST = "an old secret of sixteen", b"a new secret of sixteen.", "the newest secret of all"


def test_all_verify_and_the_last_signs(sessions: Any, origin: Origin) -> None:
    """G7: str or bytes, in a list, oldest first."""
    first, second = origin.on("/1", fresh(b"1")), origin.on("/2", fresh(b"2"))
    sessions(secret_key=OLD).get(first)
    both = sessions(secret_key=[OLD, NEW])
    assert both.get(first).from_cache
    both.get(second)
    assert sessions(secret_key=NEW).get(second).from_cache
    with pytest.raises(BadSignature):
        sessions(secret_key=NEW).get(first)
    with pytest.raises(BadSignature):
        sessions(secret_key=OLD).get(second)
    assert sessions(secret_key=(NEW, OLD)).get(second).from_cache


def test_resign_brings_up(sessions: Any, origin: Origin) -> None:
    """G7: then the old key can go; bodies in chunks, variants and users stay what they were."""
    large = origin.on("/large", fresh(bytes(3_000_000)))
    mine = origin.on("/mine", lambda seen: fresh((seen.get("X-API-Key") or "").encode()))
    old = sessions(secret_key=OLD)
    old.get(large)
    for name in ("ann", "bob"):
        old.get(mine, headers={"X-API-Key": name})
    both = sessions(secret_key=[OLD, NEW, NEWEST])
    assert both.cache.resign() == 3
    assert both.cache.resign() == 0
    newest = sessions(secret_key=NEWEST)
    assert newest.cache.verify() == (3, {})
    assert newest.get(large).content == bytes(3_000_000)
    for name in ("ann", "bob"):
        response = newest.get(mine, headers={"X-API-Key": name})
        assert (response.content, response.from_cache) == (name.encode(), True)
    assert origin.count() == 3
    with pytest.raises(BadSignature):
        sessions(secret_key=NEW).get(large)
