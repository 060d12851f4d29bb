"""A request as options describe it, and as a client would send it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from sansio_cache.messages import Headers, Options, Request
from sansio_cache_adapters.cache.decoding import default_accept_encoding

from .errors import WrongUse

__all__ = ["AskedRequest", "as_sent", "read_fields"]


class AskedRequest(NamedTuple):
    """A request as the options describe it."""

    method: str
    fields: tuple[tuple[str, str], ...]
    options: Options


def read_fields(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Header fields from ``Name: value``, and from the lines of files given as ``@FILE``.

    :raises WrongUse: for what is none.
    """
    lines: list[str] = []
    for each in given:
        if each.startswith("@"):
            try:
                lines += Path(each[1:]).expanduser().read_text("utf-8").splitlines()
            except (OSError, UnicodeError) as error:
                raise WrongUse(f"-H: {each[1:]} cannot be read: {error}") from None
        else:
            lines.append(each)
    found: list[tuple[str, str]] = []
    for line in filter(str.strip, lines):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise WrongUse("-H takes 'Name: value', or @FILE with such lines")
        found.append((name.strip(), value.strip()))
    return tuple(found)


def as_sent(url: str, asked: AskedRequest) -> tuple[Request, str]:
    """The request that a session would send, and whose session.

    :raises WrongUse: for what is no URL.
    """
    if "://" not in url:
        raise WrongUse(f"{url!r} is no URL: it begins with http:// or https://")
    make = _by_requests()
    if make is None:
        named = {name.lower() for name, _ in asked.fields}
        usual = (("Accept", "*/*"), ("Accept-Encoding", default_accept_encoding()))
        fields = (*(each for each in usual if each[0].lower() not in named), *asked.fields)
        request, client = Request(asked.method, url, Headers(fields)), "a plain client"
    else:
        request, client = make(url, asked.method, dict(asked.fields)), "requests"
    return replace(request, options=asked.options), client


def _by_requests() -> Callable[[str, str, Mapping[str, str]], Request] | None:
    """Makes requests as ``CachedSession`` does, where requests is installed."""
    try:
        session: Any = import_module("sansio_cache_adapters.requests.session")
        request_maker: Any = import_module("sansio_cache_adapters.requests.lookup").request_maker
    except ImportError:
        return None

    def make(url: str, method: str, fields: Mapping[str, str]) -> Request:
        with session.CachedSession("memory:") as made:
            try:
                request: Request = request_maker(made, None)(url, method, {"headers": fields})
            except ValueError as error:  # all that requests raises of a URL or a field
                raise WrongUse(str(error)) from None
            return request

    return make
