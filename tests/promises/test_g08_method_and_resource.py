"""G8: method and resource in the record are compared with the request on every hit; keys are SHA-256."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker
from local_origin import Origin, fresh

from sansio_cache import BadSignature


def moved(attacker: Attacker, source: dict[str, Any], target: dict[str, Any]) -> None:
    """Put one record into the place of another, as anyone who holds both rows would."""
    for name in ("sealed", "body", "entry", "variant", "body_id", "small_id"):
        attacker.run(f"UPDATE records SET {name} = ? WHERE id = ?", source[name], target["id"])


@pytest.mark.parametrize("secret", [True, False])
def test_another_urls_record(sessions: Any, cache_file: Path, origin: Origin, secret: bool) -> None:
    """G8: signed or not, it answers only its own."""
    session = sessions(**({} if secret else {"secret_key": ...}))
    url = origin.on("/a", fresh(b"a"))
    session.get(url)
    session.get(origin.on("/b", fresh(b"b")))
    attacker = Attacker(cache_file)
    moved(attacker, attacker.row("/b"), attacker.row("/a"))
    if secret:
        with pytest.raises(BadSignature):
            session.get(url)
    else:
        assert session.get(url).content == b"a"


def test_another_methods_record(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G8: a stored HEAD in the place of the GET is no GET."""
    session = sessions()
    url = origin.on("/a", fresh(b"body"))
    session.head(url)
    attacker = Attacker(cache_file)
    head = attacker.row("/a")
    assert head["method"] == "HEAD"
    attacker.put("/a", method="GET")
    assert session.get(url).content == b"body"


def test_a_posts_record(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G8: where POST is opted in, its answer is none to GET."""
    session = sessions(allowed_methods=["GET", "POST"])
    url = origin.on("/a", lambda seen: fresh(seen.method.encode()))
    session.post(url)
    session.get(url)
    attacker = Attacker(cache_file)
    post, get = attacker.run("SELECT * FROM records ORDER BY id")
    moved(attacker, dict(post), dict(get))
    with pytest.raises(BadSignature):
        session.get(url)


def test_with_a_key_function_its_result_is_compared(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G8: instead of the URL."""
    session = sessions(key_fn=lambda request: request.url[-1])
    first, second = origin.on("/xa", fresh(b"a")), origin.on("/ya", fresh(b"other a"))
    other = origin.on("/xb", fresh(b"b"))
    session.get(first)
    assert session.get(second).content == b"a"
    session.get(other)
    attacker = Attacker(cache_file)
    moved(attacker, attacker.row("/xb"), attacker.row("/xa"))
    with pytest.raises(BadSignature):
        session.get(second)


def test_keys_are_whole_digests(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G8: 32 bytes each; the 64 bits by which rows are found do not decide."""
    session = sessions()
    url = origin.on("/a", fresh(b"a"))
    session.get(url)
    session.get(origin.on("/b", fresh(b"b")))
    attacker = Attacker(cache_file)
    row = attacker.row("/a")
    assert [len(row[name]) for name in ("partition", "resource", "variant")] == [32, 32, 32]
    attacker.put("/b", partition_64=row["partition_64"], resource_64=row["resource_64"])
    assert session.get(url).content == b"a"
    assert session.cache.stats.flaws == 0
