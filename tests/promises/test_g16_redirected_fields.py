"""G16: the trio client, which follows redirects itself, takes no credentials to another origin."""

from __future__ import annotations

import pytest
from ask_clients import Ask, ask
from credential_fields import CREDENTIALS
from local_origin import Origin, fresh, redirect

from sansio_cache import MemoryStore

HARMLESS = {"Accept": "text/html", "X-Request-ID": "7", "Idempotency-Key": "8"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_stay_with_their_origin(origin: Origin, status: int) -> None:
    """G16: whatever field carries them, cookies and tokens against CSRF included."""
    other = Origin()
    hop = redirect(other.on("/b", fresh(b"end")))
    hop.status = status
    secrets = dict.fromkeys((*CREDENTIALS, "Cookie", "X-CSRF-Token", "X-Corp"), "hunter2")
    [got] = ask(
        "trio", MemoryStore(), Ask(origin.on("/a", hop), {**secrets, **HARMLESS}), identity=["Authorization", "X-Corp"]
    )
    assert got.text == "end"
    [seen] = other.seen
    assert [name for name, value in seen.fields if value == "hunter2"] == []
    assert {name: seen.get(name) for name in HARMLESS} == HARMLESS
    other.close()


def test_within_an_origin_they_go_along(origin: Origin) -> None:
    """As without a redirect."""
    origin.on("/b", fresh(b"end"))
    ask("trio", MemoryStore(), Ask(origin.on("/a", redirect("/b")), {"X-Acme-Token": "hunter2"}))
    assert origin.last().get("X-Acme-Token") == "hunter2"
