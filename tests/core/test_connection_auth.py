"""Which messages say that their connection is, or will be, authenticated (RFC 4559, and NTLM over HTTP)."""

from __future__ import annotations

import time

import pytest
from core_rows import fields, rows

from sansio_cache.connection_auth import ConnectionAuth, said_by_request, said_by_response


@rows(
    "lines expected",
    ("nothing", "4559", [], ConnectionAuth.NOTHING),
    ("another scheme", "9110-11.6.2", ["Authorization: Basic bnRsbQ=="], ConnectionAuth.NOTHING),
    ("a scheme that begins alike", "9110-11.6.2", ["Authorization: NTLMv3 x"], ConnectionAuth.NOTHING),
    ("its name within other credentials", "9110-11.6.2", ["Authorization: Bearer negotiate"], ConnectionAuth.NOTHING),
    ("NTLM", "4559", ["Authorization: NTLM TlRMTVNTUAAB"], ConnectionAuth.BY_ORIGIN),
    ("Negotiate, in any case", "4559", ["authorization: nEGOTIATE YII="], ConnectionAuth.BY_ORIGIN),
    ("without a token", "4559", ["Authorization: Negotiate"], ConnectionAuth.BY_ORIGIN),
    ("Kerberos", "4559", ["Authorization: Kerberos\tYII="], ConnectionAuth.BY_ORIGIN),
    ("on a second line", "4559", ["Authorization: Basic x", "Authorization: NTLM x"], ConnectionAuth.BY_ORIGIN),
    ("for a proxy", "4559", ["Proxy-Authorization: NTLM x", "Authorization: NTLM x"], ConnectionAuth.BY_PROXY),
    ("endlessly", "G28", ["Authorization: Basic " + "x" * 70_000], ConnectionAuth.BY_ORIGIN),
)
def test_credentials_say_it(lines: list[str], expected: ConnectionAuth) -> None:
    """G10."""
    assert said_by_request(fields(*lines)) is expected


@rows(
    "status lines expected",
    ("nothing", "4559", 200, [], ConnectionAuth.NOTHING),
    ("another scheme is offered", "9110-11.6.1", 401, ['WWW-Authenticate: Basic realm="ntlm"'], ConnectionAuth.NOTHING),
    ("it is offered", "4559", 401, ["WWW-Authenticate: NTLM"], ConnectionAuth.OFFERED),
    ("among others", "4559", 401, ['WWW-Authenticate: Basic realm="a", Negotiate, NTLM'], ConnectionAuth.OFFERED),
    ("by a proxy", "4559", 407, ["Proxy-Authenticate: Negotiate"], ConnectionAuth.OFFERED),
    ("a challenge under way", "4559", 401, ["WWW-Authenticate: NTLM TlRMTVNTUAAC"], ConnectionAuth.BY_ORIGIN),
    ("a proxy's", "4559", 407, ["Proxy-Authenticate: NTLM TlRMTVNTUAAC"], ConnectionAuth.BY_PROXY),
    ("the server proves itself", "4559", 200, ["WWW-Authenticate: Negotiate oYG="], ConnectionAuth.BY_ORIGIN),
    ("it says so with success", "4559", 200, ["WWW-Authenticate: Negotiate"], ConnectionAuth.BY_ORIGIN),
    ("it stays so", "MS-NTHT", 200, ["Persistent-Auth: true"], ConnectionAuth.BY_ORIGIN),
    ("it does not", "MS-NTHT", 200, ["Persistent-Auth: False"], ConnectionAuth.NOTHING),
    ("endlessly", "G28", 401, ["WWW-Authenticate: Basic " + "x" * 70_000], ConnectionAuth.BY_ORIGIN),
)
def test_answers_say_it(status: int, lines: list[str], expected: ConnectionAuth) -> None:
    """G10."""
    assert said_by_response(status, fields(*lines)) is expected


@pytest.mark.parametrize("text", [",\t" * 32_000, ", " + " " * 65_000, "ntlm," * 13_000, "negotiate " * 6_500])
def test_a_field_is_read_in_linear_time(text: str) -> None:
    """G28."""
    begun = time.process_time()
    assert said_by_response(401, fields(f"WWW-Authenticate: {text}")) in ConnectionAuth
    assert time.process_time() - begun < 1.0
