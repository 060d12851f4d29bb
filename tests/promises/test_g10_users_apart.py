"""G10: requests with different credentials never share an entry; nor do a verified and an unverified one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ask_clients import CLIENTS, Ask, ask
from attacker import Attacker
from certificates import Certificates
from credential_fields import CREDENTIALS
from local_origin import Origin, Seen, fresh
from requests.exceptions import SSLError

from sansio_cache import DEFAULT_IDENTITY, CachedSession, MemoryStore


def echo(seen: Seen) -> Any:
    return fresh(repr(sorted(seen.fields)).encode())


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(DEFAULT_IDENTITY))
def test_each_identity_field_separates(session: CachedSession, origin: Origin, name: str) -> None:
    """G10: in whatever case, absent or empty as well."""
    url = origin.on("/a", echo)
    values: list[dict[str, str]] = [{}, {name: "ann"}, {name.upper(): "bob"}, {name: ""}, {name: "Ann"}]
    first = [session.get(url, headers=fields).content for fields in values]
    again = [session.get(url, headers=fields) for fields in values]
    assert all(response.from_cache for response in again)
    assert [response.content for response in again] == first
    assert origin.count() == len(values)
    assert session.get(url, headers={name.title(): "ann"}).from_cache


def test_fields_do_not_run_together(session: CachedSession, origin: Origin) -> None:
    """G10: what one field says is not what another says."""
    url = origin.on("/a", echo)
    fields = [{"X-API-Key": "a", "X-Auth-Token": "b"}, {"X-API-Key": "b", "X-Auth-Token": "a"}, {"X-API-Key": "ab"}]
    keys = {session.get(url, headers=each).cache_key for each in fields}
    assert len(keys) == 3


def test_a_field_of_the_users_own(sessions: Any, origin: Origin) -> None:
    """G10: ``identity`` replaces the list; userinfo separates always."""
    session = sessions(identity=["X-Tenant"])
    url = origin.on("/a", echo)
    session.get(url)
    assert not session.get(url, headers={"X-Tenant": "1"}).from_cache
    assert not session.get(url.replace("://", "://me:pw@")).from_cache


def test_sessions_that_separate_differently_do_not_meet(sessions: Any, origin: Origin) -> None:
    """G10: what a session with a shorter list kept is not for one with a longer."""
    url = origin.on("/a", echo)
    sessions(identity=[]).get(url, headers={"X-API-Key": "ann"})
    assert not sessions().get(url).from_cache
    assert not sessions(identity=["X-Other"]).get(url).from_cache


def test_cookies(sessions: Any, origin: Origin) -> None:
    """G10: they separate in a shared cache, and where the user says so."""
    url = origin.on("/a", echo)
    for settings in ({"shared": True}, {"identity": [*DEFAULT_IDENTITY, "Cookie"]}):
        session = sessions(**settings)
        assert not session.get(url, cookies={"sid": "ann"}).from_cache
        assert not session.get(url, cookies={"sid": "bob"}).from_cache
        assert session.get(url, cookies={"sid": "ann"}).from_cache
        assert not session.get(url).from_cache


def test_only_a_keyed_hash_is_kept(tmp_path: Path, key: str, origin: Origin) -> None:
    """G10: under the salt of the store: the same credentials have another key in another file."""
    url = origin.on("/a", fresh(b"x"))
    keys = set()
    for number in range(3):
        with CachedSession(tmp_path / f"{number}.sqlite", secret_key=key) as session:
            keys.add(session.get(url, headers={"Authorization": "Bearer hunter2"}).cache_key)
            plain = session.get(url).cache_key
        assert plain == session.get(url).cache_key
    assert len(keys) == 3
    for path in tmp_path.glob("*.sqlite*"):
        assert b"hunter2" not in path.read_bytes()


@pytest.mark.once
@pytest.mark.parametrize("client", CLIENTS)
def test_fields_of_real_apis_separate_users(client: str, origin: Origin) -> None:
    """G10: though no list names them; what only looks alike does not."""
    url = origin.on("/a", echo)
    for name in CREDENTIALS:
        got = ask(client, MemoryStore(), *[Ask(url, {name: value}) for value in ("ann", "bob", "ann")])
        assert [each.from_cache for each in got] == [False, False, True], name
    asks = [Ask(url, {name: value}) for name in ("Idempotency-Key", "X-CSRF-Token", "X-Author") for value in "ab"]
    got = ask(client, MemoryStore(), Ask(url), *asks)
    assert [each.from_cache for each in got] == [False] + [True] * len(asks)


def test_the_rule_can_be_changed(sessions: Any, origin: Origin) -> None:
    """G10: by names, by patterns, and by what is not meant."""
    url = origin.on("/a", echo)
    wider = sessions(identity=[*DEFAULT_IDENTITY, "X-CSRF-Token", "X-Corp-*"])
    narrower = sessions(identity=[*DEFAULT_IDENTITY, "!X-Trace-Key"])
    for session, name, separates in [
        (wider, "X-CSRF-Token", True),
        (wider, "X-Corp-Desk", True),
        (wider, "X-API-Key", True),
        (narrower, "X-Trace-Key", False),
        (narrower, "X-API-Key", True),
    ]:
        session.cache.clear()
        for value in ("ann", "bob"):
            response = session.get(url, headers={name: value})
        assert response.from_cache is not separates


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_unverified_answers(session: CachedSession, tls_origin: Origin, certificates: Certificates) -> None:
    """G10: anyone who verifies does not get them."""
    url = tls_origin.on("/a", fresh(b"x"))
    session.get(url, verify=False)
    with pytest.raises(SSLError):
        session.get(url)
    assert not session.get(url, verify=certificates.bundle).from_cache


def test_a_row_does_not_tell_who_asked(session: CachedSession, cache_file: Path, origin: Origin) -> None:
    """G10: all plain columns of two users' rows are alike but for keys and times."""
    url = origin.on("/a", fresh(b"x"))
    for name in ("ann", "bob"):
        session.get(url, auth=(name, "pw"))
    rows = Attacker(cache_file).run("SELECT url, method, status, tags, size, resource FROM records")
    assert len({tuple(row) for row in rows}) == 1
