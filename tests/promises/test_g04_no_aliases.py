"""G4: there is no alias table: a redirect is followed hop by hop, and nothing points from one URL to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker
from local_origin import Origin, fresh, redirect

from sansio_cache import BadSignature


def test_every_hop_is_a_record_of_its_own(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G4: three URLs, three records; without the last the way there is walked and the end fetched."""
    origin.on("/end", fresh(b"end"))
    origin.on("/way", redirect("/end"))
    url = origin.on("/start", redirect("/way"))
    session = sessions()
    session.get(url)
    assert session.cache.size().entries == 3
    session.cache.delete(urls=[origin.url("/end")])
    response = session.get(url)
    assert [hop.from_cache for hop in (*response.history, response)] == [True, True, False]


def test_a_redirect_cannot_be_pointed_elsewhere(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G4: its target is in its signed head; a stored redirect to the attacker's page answers no other URL."""
    origin.on("/evil", fresh(b"evil"))
    origin.on("/end", fresh(b"end"))
    lure, url = origin.on("/lure", redirect("/evil")), origin.on("/start", redirect("/end"))
    session = sessions()
    session.get(lure)
    session.get(url)
    attacker = Attacker(cache_file)
    there = attacker.row("/lure")
    attacker.put("/start", **{name: there[name] for name in ("sealed", "body", "entry", "variant")})
    with pytest.raises(BadSignature):
        session.get(url)


def test_no_table_maps_keys_to_keys(sessions: Any, cache_file: Path, origin: Origin) -> None:
    """G4: the tables are these."""
    sessions().get(origin.on("/a", fresh(b"x")))
    tables = Attacker(cache_file).run(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"
    )
    assert {row["name"] for row in tables} == {
        *("meta", "records", "removed", "small", "bodies", "chunks", "marks", "leases")
    }
