"""G5: when BadSignature is raised, when it is not, and the ways out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker, flipped
from clock import Clock
from local_origin import Origin, Reply, fresh

from sansio_cache import BadSignature

OTHER = "quite another secret of sixteen"


@pytest.fixture
def attacker(cache_file: Path) -> Attacker:
    return Attacker(cache_file)


@pytest.fixture
def url(origin: Origin, sessions: Any, attacker: Attacker) -> str:
    """Of a record whose signature was tampered with."""
    url = origin.on("/a", lambda _: fresh(str(origin.count()).encode(), etag='"1"'))
    with sessions() as session:
        session.get(url)
    sealed = attacker.row("/a")["sealed"]
    attacker.put("/a", sealed=flipped(sealed, 8 * len(sealed) - 20))
    return url


def test_a_tampered_record_raises(sessions: Any, url: str, origin: Origin, attacker: Attacker) -> None:
    """G5: with URL, key and reason; each time, since nothing is dropped, and before anything is claimed."""
    session = sessions()
    for _ in range(2):
        with pytest.raises(BadSignature) as caught:
            session.get(url)
    error = caught.value
    assert (error.url, error.reason) == (url, "signature")
    assert len(error.key) == 64
    for way in ("secret_key=[old, new]", "force_refresh=True", "session.cache.delete", 'on_bad_signature="miss"'):
        assert way in str(error)
    assert origin.count() == 1
    assert attacker.run("SELECT * FROM leases") == []
    assert session.cache.stats.bad_signatures == 2
    with pytest.raises(BadSignature):
        session.get(url, refresh=True)
    with pytest.raises(BadSignature):
        session.get(url, only_if_cached=True)
    with pytest.raises(BadSignature):
        session.get(url, stream=True)


def test_the_ways_out(sessions: Any, url: str, attacker: Attacker) -> None:
    """G5: fetch anew, delete, or go on."""
    tampered = attacker.row("/a")
    ways: list[Callable[[], object]] = [
        lambda: sessions().get(url, force_refresh=True),
        lambda: sessions().cache.delete(urls=[url]),
        lambda: sessions().cache.delete(invalid=True),
        lambda: sessions(on_bad_signature="miss").get(url),
    ]
    for out in ways:
        attacker.run("DELETE FROM records")
        attacker.run("DELETE FROM removed")
        attacker.plant(tampered)
        with pytest.raises(BadSignature):
            sessions().get(url)
        out()
        session = sessions()
        session.get(url)
        assert session.get(url).from_cache


def test_a_wrong_key_eats_nothing(sessions: Any, origin: Origin) -> None:
    """G5: the right one finds all as it was, and an old one given along verifies."""
    url = origin.on("/a", fresh(b"x"))
    sessions().get(url)
    wrong = sessions(secret_key=OTHER)
    with pytest.raises(BadSignature):
        wrong.get(url)
    assert wrong.cache.verify().flaws == {"signature": 1}
    assert sessions().get(url).from_cache
    assert origin.count() == 1


def test_another_verified_record_answers(sessions: Any, origin: Origin, attacker: Attacker) -> None:
    """G5: a tampered variant is no trouble for those who ask for another."""
    url = origin.on("/a", lambda seen: fresh((seen.get("Accept") or "").encode(), vary="Accept"))
    session = sessions()
    for accept in ("de", "en"):
        session.get(url, headers={"Accept": accept})
    first = attacker.run("SELECT * FROM records ORDER BY id")[0]
    attacker.run("UPDATE records SET sealed = ? WHERE id = ?", flipped(first["sealed"], 2000), first["id"])
    assert session.get(url, headers={"Accept": "en"}).from_cache
    assert session.cache.stats.flaws == 1
    with pytest.raises(BadSignature):
        session.get(url, headers={"Accept": "de"})


def unsigned(attacker: Attacker, sessions: Any, url: str, tmp_path: Path) -> None:
    """The record as an unsigned store of the same id would have it."""
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(attacker.path.read_bytes())
    forger = Attacker(copy)
    forger.run("UPDATE meta SET signed = 0")
    forger.run("DELETE FROM records")
    with sessions(copy, secret_key=...) as session:
        session.get(url)
    attacker.put("/a", sealed=forger.row("/a")["sealed"], body=forger.row("/a")["body"])


MISSES: dict[str, Any] = {
    "unsigned": unsigned,
    "cut": lambda attacker, *_: attacker.put("/a", sealed=attacker.row("/a")["sealed"][:-1]),
    "garbage": lambda attacker, *_: attacker.put("/a", sealed=b"garbage" * 100),
    "foreign": lambda attacker, *_: attacker.put("/a", sealed=b"SCR1s" + bytes(200)),
    "huge": lambda attacker, *_: attacker.put("/a", sealed=attacker.row("/a")["sealed"] + bytes(10**6)),
    "number": lambda attacker, *_: attacker.put("/a", sealed=5),
    "text": lambda attacker, *_: attacker.put("/a", sealed="text", body="text"),
}


@pytest.mark.parametrize("case", MISSES)
def test_what_claims_nothing_is_a_counted_miss(
    sessions: Any, origin: Origin, attacker: Attacker, tmp_path: Path, case: str
) -> None:
    """G5: without signature, cut, foreign or unreadable: fetched anew, and replaced."""
    url = origin.on("/a", fresh(b"x"))
    with sessions() as session:
        session.get(url)
    MISSES[case](attacker, sessions, url, tmp_path)
    session = sessions()
    response = session.get(url)
    assert (response.content, response.from_cache) == (b"x", False)
    # A value that is larger than a record can be is not read at all.
    assert session.cache.stats.flaws == (case != "huge")
    assert session.get(url).from_cache


def test_unsafe_requests_never_raise(sessions: Any, url: str) -> None:
    """G5: they invalidate the tampered record as any other."""
    session = sessions()
    assert session.post(url).status_code == 200
    assert not session.get(url).from_cache


def test_care_never_raises(sessions: Any, url: str, origin: Origin) -> None:
    """G5: it logs and counts, and goes on with the others."""
    other = origin.on("/b", fresh(b"y"))
    session = sessions()
    session.get(other)
    assert session.cache.urls() == [other]
    assert [entry.url for entry in session.cache.filter(lambda _: True)] == [other]
    assert session.cache.verify() == (1, {"signature": 1})
    assert session.cache.resign() == 0
    assert session.cache.contains(url) is False
    assert session.cache.delete(older_than=0) == 1
    assert session.cache.stats.bad_signatures > 0
    assert session.cache.delete(invalid=True) == 1


def test_maintenance_never_raises(sessions: Any, url: str, attacker: Attacker) -> None:
    """G5: expiry and eviction do not open records."""
    session = sessions()
    attacker.put("/a", purge_at=1.0)
    assert session.cache.store.sweep(now=time.time()) > 0
    assert session.get(url).from_cache is False


def test_background_validation_never_raises(sessions: Any, clock: Clock, origin: Origin, attacker: Attacker) -> None:
    """G5: a record tampered with between the answer and the validation behind it is replaced."""
    fields = {"Cache-Control": "max-age=10, stale-while-revalidate=100", "ETag": '"1"'}
    url = origin.on("/a", Reply(b"x", fields=fields))
    session = sessions(clock=clock)
    session.get(url)
    clock.advance(50)
    hold = session._cache.background
    sealed = attacker.row("/a")["sealed"]

    def tamper() -> None:
        attacker.put("/a", sealed=flipped(sealed, 8 * len(sealed) - 20))

    tampered = threading.Event()
    for number in range(4):
        hold.submit(number, lambda: tampered.wait(30))
    assert session.get(url).content == b"x"
    tamper()
    tampered.set()
    deadline = time.monotonic() + 30
    while session.cache.stats.stored < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert session.cache.stats.background_errors == 0
    assert session.get(url).from_cache
