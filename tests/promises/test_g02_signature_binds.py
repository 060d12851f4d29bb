"""G2: the signature binds a record to its place, and its body; nothing altered reaches the user."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker, flipped
from clock import Clock
from local_origin import Origin, fresh

from sansio_cache import BadSignature, BrokenRecord, CachedSession
from sansio_cache.keys import Keys
from sansio_cache.records import Place, Record, Stored, open_record
from sansio_cache.sealing import Sealer

MINE, YOURS = b"what you asked for", b"what the attacker likes"
LARGE = bytes(range(256)) * 12_000  # three chunks


@pytest.fixture
def attacker(cache_file: Path) -> Attacker:
    return Attacker(cache_file)


@pytest.fixture
def two(session: CachedSession, origin: Origin) -> tuple[str, str]:
    """The URLs of two stored responses."""
    urls = origin.on("/mine", fresh(MINE)), origin.on("/yours", fresh(YOURS))
    for url in urls:
        session.get(url)
    return urls


def test_an_item_written_under_a_different_key(
    session: CachedSession, attacker: Attacker, two: tuple[str, str]
) -> None:
    """G2: read with yours, it is no answer but BadSignature."""
    there = attacker.row("/yours")
    place = {name: attacker.row("/mine")[name] for name in ("partition", "partition_64", "resource", "resource_64")}
    attacker.run("DELETE FROM records WHERE url LIKE '%/mine'")
    attacker.plant(there | place)
    with pytest.raises(BadSignature) as caught:
        session.get(two[0])
    assert caught.value.reason == "place"
    assert caught.value.url == two[0]
    assert session.get(two[1]).content == YOURS


@pytest.mark.parametrize("columns", [["sealed"], ["body"], ["sealed", "body"], ["sealed", "body", "entry", "variant"]])
def test_two_rows_swapped(session: CachedSession, attacker: Attacker, two: tuple[str, str], columns: list[str]) -> None:
    """G2: wholly or in part."""
    mine, yours = attacker.row("/mine"), attacker.row("/yours")
    for path, other in (("/mine", yours), ("/yours", mine)):
        attacker.run(
            "UPDATE records SET " + ", ".join(f"{name} = ?" for name in columns) + " WHERE url LIKE ?",
            *(other[name] for name in columns),
            "%" + path,
        )
    for url in two:
        with pytest.raises(BadSignature):
            session.get(url)


def test_a_record_from_another_file(
    sessions: Any, tmp_path: Path, attacker: Attacker, origin: Origin, key: str
) -> None:
    """G2: signed with the same secret, for the same URL; it names another store, and is a counted miss."""
    bodies = iter([b"old", b"new", b"newer"])
    url = origin.on("/a", lambda _: fresh(next(bodies)))
    with CachedSession(tmp_path / "other.sqlite", secret_key=key) as other:
        other.get(url)
    session = sessions()
    session.get(url)
    there = Attacker(tmp_path / "other.sqlite").row("/a")
    attacker.put("/a", **{name: there[name] for name in ("sealed", "body", "entry", "variant")})
    assert session.get(url).content == b"newer"
    assert session.cache.stats.flaws == 1


def test_a_record_of_another_namespace(sessions: Any, attacker: Attacker, origin: Origin) -> None:
    """G2: in the same store, under the same secret."""
    url = origin.on("/a", fresh(b"x"))
    other, session = sessions(namespace="other"), sessions()
    other.get(url)
    session.get(url)
    rows = attacker.run("SELECT * FROM records ORDER BY id")
    attacker.run("UPDATE records SET sealed = ? WHERE id = ?", rows[0]["sealed"], rows[1]["id"])
    assert not session.get(url).from_cache
    assert other.get(url).from_cache


def test_a_record_of_another_user(session: CachedSession, attacker: Attacker, origin: Origin) -> None:
    """G2: of the same URL."""
    url = origin.on("/a", lambda seen: fresh((seen.get("Authorization") or "nobody").encode()))
    session.get(url, auth=("ann", "pw"))
    session.get(url)
    rows = attacker.run("SELECT * FROM records ORDER BY id")
    for name in ("sealed", "body", "entry"):
        attacker.run(f"UPDATE records SET {name} = ? WHERE id = ?", rows[0][name], rows[1]["id"])
    with pytest.raises(BadSignature):
        session.get(url)


def test_a_variant_under_another(session: CachedSession, attacker: Attacker, origin: Origin) -> None:
    """G2: what Vary chose is inside the signature: a variant in another's row still answers only its own request."""
    url = origin.on("/a", lambda seen: fresh((seen.get("Accept") or "").encode(), vary="Accept"))
    for accept in ("de", "en"):
        session.get(url, headers={"Accept": accept})
    rows = attacker.run("SELECT * FROM records ORDER BY id")
    for here, there in ((0, 1), (1, 0)):
        for name in ("sealed", "body", "entry"):
            attacker.run(f"UPDATE records SET {name} = ? WHERE id = ?", rows[there][name], rows[here]["id"])
    for accept in ("de", "en"):
        assert session.get(url, headers={"Accept": accept}).content == accept.encode()


def test_a_forged_row(sessions: Any, attacker: Attacker, origin: Origin, tmp_path: Path) -> None:
    """G2: made by the library itself, for this very place, without the secret or with another."""
    url = origin.on("/a", fresh(MINE))
    session = sessions()
    session.get(url)
    for secret in ("another secret of sixteen", ...):
        copy = tmp_path / f"copy-{secret is ...}.sqlite"
        session.close()
        copy.write_bytes(attacker.path.read_bytes())
        forger = Attacker(copy)
        forger.run("UPDATE meta SET signed = 0")
        forger.run("DELETE FROM records")
        origin.on("/a", fresh(YOURS))
        sessions(copy, secret_key=secret).get(url)
        forged = forger.row("/a")
        attacker.put("/a", **{name: forged[name] for name in ("sealed", "body", "entry", "variant")})
        origin.on("/a", fresh(MINE))
        try:
            assert session.get(url).content == MINE
        except BadSignature:
            assert secret is not ...
        session.get(url, force_refresh=True)


def opened(stored: Stored, keys: Keys, place: Place, sealer: Sealer) -> tuple[Any, ...] | None:
    """All that a record tells, or None where it is refused."""
    record = open_record(stored, keys, place, sealer)
    return (record.head, record.stored.body) if isinstance(record, Record) else None


def test_bits_flipped_in_a_record(session: CachedSession, attacker: Attacker, two: tuple[str, str]) -> None:
    """G2: 2,000 of them, in head and body: none is read as anything, be the record signed or not."""
    row = attacker.row("/mine")
    rules = session._cache.engine.rules
    assert rules is not None
    stored = Stored(row["sealed"], row["body"], row["entry"], row["rev"])
    keys = Keys(row["resource"], row["partition"])
    assert opened(stored, keys, rules.place, rules.sealer) is not None
    bits = len(stored.sealed) * 8
    chosen = random.Random(2).sample(range(bits + len(MINE) * 8), 2_000)
    for bit in chosen:
        if bit < bits:
            changed = stored._replace(sealed=flipped(stored.sealed, bit))
        else:
            changed = stored._replace(body=flipped(MINE, bit - bits))
        assert opened(changed, keys, rules.place, rules.sealer) is None, bit


def test_bits_flipped_on_disk(session: CachedSession, attacker: Attacker, two: tuple[str, str]) -> None:
    """G2: in real rows: BadSignature or a miss, never something else than the origin said."""
    row = attacker.row("/mine")
    chosen = random.Random(3)
    outcomes = {"raised": 0, "fetched": 0}
    for _ in range(120):
        name = chosen.choice(["sealed", "sealed", "body", "entry", "partition", "resource", "variant"])
        attacker.run("UPDATE records SET sealed = ?, body = ? WHERE url LIKE '%/mine'", row["sealed"], row["body"])
        attacker.put("/mine", **{name: flipped(row[name], chosen.randrange(len(row[name]) * 8))})
        try:
            response = session.get(two[0])
        except BadSignature:
            outcomes["raised"] += 1
        else:
            assert response.content == MINE
            assert response.headers["Cache-Control"] == "max-age=3600"
            outcomes["fetched"] += not response.from_cache
        attacker.run("DELETE FROM records WHERE url LIKE '%/mine'")
        attacker.plant(row)
    assert outcomes["raised"] > 20
    assert outcomes["fetched"] > 5


@pytest.mark.parametrize("cut", [0, 1, 9, 50, -1])
def test_a_truncated_row(session: CachedSession, attacker: Attacker, two: tuple[str, str], cut: int) -> None:
    """G2, G5: is a miss."""
    attacker.put("/mine", sealed=attacker.row("/mine")["sealed"][:cut])
    response = session.get(two[0])
    assert (response.content, response.from_cache) == (MINE, False)
    assert session.get(two[0]).from_cache


@pytest.fixture
def large(origin: Origin) -> str:
    return origin.on("/large", fresh(LARGE))


CHANGES: dict[str, str] = {
    "changed": "CAST(x'ff' || substr(data, 2) AS BLOB)",
    "cut": "substr(data, 1, 1000)",
    "empty": "x''",
    "longer": "CAST(data || x'00' AS BLOB)",
    "another": "(SELECT data FROM chunks WHERE id % 1048576 = 2)",
    "text": "'text'",
    "no text": "CAST(x'ff' AS TEXT)",
    "number": "7",
}


@pytest.mark.once
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("policy", ["raise", "miss"])
def test_a_changed_chunk_is_found_before_it_is_given(
    sessions: Any, attacker: Attacker, large: str, change: str, secret: bool, policy: str
) -> None:
    """G2: the chunks before it are good, reading on raises, in either mode, and the record is dropped."""
    session = sessions(on_bad_signature=policy, **({} if secret else {"secret_key": ...}))
    session.get(large)
    attacker.run(f"UPDATE chunks SET data = {CHANGES[change]} WHERE id % 1048576 = 1")
    with session.get(large, stream=True) as response:
        assert response.from_cache
        assert response.raw.read(2**20) == LARGE[: 2**20]
        with pytest.raises(BadSignature if secret else BrokenRecord):
            response.raw.read(1)
    assert session.get(large).content == LARGE
    assert session.get(large).from_cache


@pytest.mark.parametrize("secret", [True, False])
def test_a_changed_list_of_hashes_is_found_before_the_first_chunk(
    sessions: Any, attacker: Attacker, large: str, secret: bool
) -> None:
    """G2: the list is checked against the signed head; nothing was handed out: without a secret it is a miss."""
    session = sessions(**({} if secret else {"secret_key": ...}))
    session.get(large)
    attacker.run("UPDATE bodies SET hashes = zeroblob(96)")
    if secret:
        with pytest.raises(BadSignature):
            session.get(large)
    response = session.get(large)
    assert (response.from_cache, response.content) == (False, LARGE)


@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("policy", ["raise", "miss"])
def test_a_changed_chunk_of_a_body_that_is_read_whole(
    sessions: Any, attacker: Attacker, large: str, secret: bool, policy: str
) -> None:
    """G2: nothing was handed out, so that it is a miss where a changed head would be one."""
    session = sessions(on_bad_signature=policy, **({} if secret else {"secret_key": ...}))
    session.get(large)
    attacker.run(f"UPDATE chunks SET data = {CHANGES['changed']} WHERE id % 1048576 = 1")
    if secret and policy == "raise":
        with pytest.raises(BadSignature):
            session.get(large)
    response = session.get(large)
    assert (response.from_cache, response.content) == (False, LARGE)


def test_bodies_of_two_records_swapped(session: CachedSession, attacker: Attacker, origin: Origin) -> None:
    """G2: chunks, hashes and all."""
    urls = [origin.on(f"/{name}", fresh(name.encode() * 1_500_000)) for name in ("a", "b")]
    for url in urls:
        session.get(url)
    first, second = attacker.row("/a"), attacker.row("/b")
    attacker.put("/a", entry=second["entry"], body_id=second["body_id"])
    with pytest.raises(BadSignature):
        session.get(urls[0])
    assert session.get(urls[1]).content == b"b" * 1_500_000
    assert first["entry"] != second["entry"]


def test_an_older_answer_of_this_very_place(sessions: Any, attacker: Attacker, clock: Clock, origin: Origin) -> None:
    """G2: it can be put back within its lifetime, which is out of scope, but it does not live longer by that."""
    url = origin.on("/a", lambda _: fresh(str(origin.count()).encode(), 100))
    session = sessions(clock=clock)
    session.get(url)
    old = attacker.row("/a")
    clock.advance(50)
    session.get(url, force_refresh=True)
    attacker.put("/a", sealed=old["sealed"], body=old["body"], stale_at=9e12, received_at=clock())
    assert session.get(url).content == b"1"
    clock.advance(51)
    assert session.get(url).content == b"3"
