"""The work of ``Session.send`` beside asking an adapter, where it is known to do no more than this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter, is_
from typing import Any, Final, cast

import requests
from requests import sessions
from requests.cookies import RequestsCookieJar
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from sansio_cache.messages import REDIRECTS

from .plain import PLAIN

__all__ = ["copied", "followed", "parted", "sends_plainly", "sets_cookies"]

_NAMES: Final = ("resolve_redirects", "get_redirect_target")
_of: Final[Any] = attrgetter(*_NAMES)
_METHODS: Final[tuple[Any, ...]] = _of(PLAIN)
_SETTING: Final = frozenset({"set-cookie", "set-cookie2"})
_sessions: Final = vars(sessions)


def sends_plainly(session: requests.Session, native: requests.PreparedRequest) -> bool:
    """Whether sending a request does no more than :func:`followed`, once its adapter was asked."""
    return (
        all(map(is_, _of(type(session)), _METHODS))
        and session.__dict__.keys().isdisjoint(_NAMES)
        and not any(native.hooks.values())
    )


def followed(
    session: requests.Session,
    native: requests.PreparedRequest,
    response: requests.Response,
    settings: dict[str, Any],
    *,
    follow: bool,
) -> requests.Response:
    """The response at the end of the redirects, read unless it is streamed; its cookies are the session's.

    :param response: what an adapter has given.
    :param settings: the keywords that it was asked with.
    """
    extract: Any = _sessions["extract_cookies_to_jar"]
    for each in response.history:
        extract(session.cookies, each.request, each.raw)
    if _may_set_cookies(session, response):
        extract(session.cookies, native, response.raw)
    if _may_redirect(response) and session.get_redirect_target(response) is not None:
        resolve = cast(Any, session).resolve_redirects
        following: Iterator[Any] = resolve(response, native, yield_requests=not follow, **settings)
        if follow:
            history: list[requests.Response] = [response, *following]
            response = history.pop()
            response.history = history
        else:
            vars(response)["_next"] = next(following, None)
    if not settings["stream"]:
        _read(response)
    return response


def _may_redirect(response: requests.Response) -> bool:
    """Whether a response has to be asked where it redirects to, for which it makes its fields."""
    facts = vars(response).get("_facts")
    return facts is None or facts.answer.status in REDIRECTS


def _read(response: requests.Response) -> None:
    """Read the body, as ``content`` does, which goes through it in pieces of 10 KiB."""
    known = vars(response)
    facts, raw = known.get("_facts"), known.get("raw")
    if (
        facts is not None
        and type(raw) is HTTPResponse
        and known["_content"] is False
        and facts.tee is not None
        and facts.tee.came_whole
    ):
        known["_content"], known["_content_consumed"] = raw.read(), True
    else:
        read: Any = response
        _ = read.content


def _may_set_cookies(session: requests.Session, response: requests.Response) -> bool:
    """Whether a session has to look for cookies: most responses are known to have come without any."""
    facts = vars(response).get("_facts")
    if facts is None or type(session.cookies) is not RequestsCookieJar:
        return True
    # Those of a confirmation are in its body's place: see ``take_cookies``.
    return (facts.answer.revalidated and "raw" in vars(response)) or not _SETTING.isdisjoint(
        facts.answer.headers.names()
    )


def sets_cookies(names: Iterable[str]) -> bool:
    """Whether the fields of a response, in lower case, set any cookies."""
    return not _SETTING.isdisjoint(names)


def copied(native: requests.PreparedRequest) -> requests.PreparedRequest:
    """``native.copy()`` of a request without cookies and hooks."""
    made = parted(native)
    vars(made).update(_cookies=RequestsCookieJar(), hooks=default_hooks())
    return made


def parted(native: requests.PreparedRequest) -> requests.PreparedRequest:
    """The same request with fields of its own, which are copied in one step."""
    headers: Any = native.headers
    if type(native) is not requests.PreparedRequest or type(headers) is not CaseInsensitiveDict:
        return native.copy()
    fields = cast(Any, CaseInsensitiveDict).__new__(CaseInsensitiveDict)
    vars(fields)["_store"] = vars(headers)["_store"].copy()
    made = requests.PreparedRequest.__new__(requests.PreparedRequest)
    vars(made).update(vars(native), headers=fields)
    return made
