"""What pools are remembered by: the origins that authenticate their connections."""

from __future__ import annotations

import gc
from typing import Any

from core_rows import ask

from sansio_cache.messages import EMPTY, Headers
from sansio_cache_adapters.cache.connection_auth import _Authenticated

NTLM = "Authorization: NTLM x"


class Pool:
    """What has connections."""


def refused(known: _Authenticated, pool: object, url: str) -> bool:
    return known.why_not_kept(pool, ask(url=url), 200, EMPTY) == "connection-auth"


def test_an_origin_counts_from_the_first_sign_on() -> None:
    """G10: through that pool, whatever the request says; other origins and other pools do not."""
    known, pool, other = _Authenticated(), Pool(), Pool()
    assert not refused(known, pool, "https://a/1")
    known.sends(pool, ask(NTLM, url="https://A:443/2"))
    assert [refused(known, pool, url) for url in ("https://a/1", "https://a:444/", "http://a/")] == [True, False, False]
    assert not refused(known, other, "https://a/1")


def test_an_offer_is_an_answer_of_its_own() -> None:
    """It is not kept, and no user is authenticated yet."""
    known, pool = _Authenticated(), Pool()
    offer = Headers([("WWW-Authenticate", "NTLM")])
    assert known.why_not_kept(pool, ask(), 401, offer) == "connection-auth"
    assert not refused(known, pool, "https://example.org/a")


def test_a_proxys_connections_are_for_every_origin() -> None:
    known, pool = _Authenticated(), Pool()
    known.sends(pool, ask("Proxy-Authorization: Negotiate x", url="http://a/"))
    assert refused(known, pool, "http://b/")


def test_what_went_by_the_cache_counts() -> None:
    """As bytes, too."""
    known, pool = _Authenticated(), Pool()
    known.bypassed(pool, "http://a/", [(b"authorization", "NTLM x")])
    assert refused(known, pool, "http://a/b")


def test_what_is_remembered_is_bounded_and_goes_with_its_pool() -> None:
    """G28."""
    known, pool = _Authenticated(), Pool()
    for number in range(1100):
        known.sends(pool, ask(NTLM, url=f"http://{number}.example/"))
    assert refused(known, pool, "http://never.example/")
    del pool
    gc.collect()
    assert not known._marked


def test_pools_of_which_nothing_can_be_remembered_count_together() -> None:
    known = _Authenticated()
    one: Any = 1
    known.sends(one, ask(NTLM, url="http://a/"))
    assert refused(known, (), "http://a/")
