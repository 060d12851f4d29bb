"""The keys of a session of requests-cache: what tells its requests apart beside what does for every session of ours."""

# The values of programs are whatever they are.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from sansio_cache.keys import digest_of
from sansio_cache.messages import Request
from sansio_cache_adapters.compat.keys import keyed_by_method
from sansio_cache_adapters.compat.notes import REQUESTS_CACHE

__all__ = ["is_a_list", "keyed", "normal_field"]

_LONGEST_JSON: Final = 10 * 1024 * 1024


def keyed(ignored: frozenset[str], fields: Collection[str], root: str | None) -> Callable[[Request], bytes]:
    """A ``key_fn`` with the parameters, and the request fields, that count in requests-cache.

    :param ignored: names of parameters whose values do not count; whether one is there does.
    :param fields: names of request fields that count, which are lists, in any order.
    :param root: the member of a JSON body whose members are the parameters, where there is one.
    """

    def in_body(request: Request) -> frozenset[str]:
        within = isinstance(_members(request, root), dict)
        return frozenset(f"{root}.{name}" for name in ignored) if within else ignored

    by_method = keyed_by_method(ignored, in_body=in_body if root else None)
    names = sorted(set(fields) - ignored, key=str.lower)

    def key(request: Request) -> bytes:
        said = [f"{name.lower()}={normal_field(request.headers.get(name) or '')}" for name in names]
        there = _ignored_in(request, ignored, root) if ignored else []
        if request.body and request.body[:1] == b"[" and _is_json(request):
            REQUESTS_CACHE.differs("bodies", "a JSON body that is a list is another one in another order")
        if not said and not there:
            return by_method(request)
        return digest_of(by_method(request), *(part.encode("utf-8", "surrogatepass") for part in (*said, "", *there)))

    return key


def is_a_list(field: str) -> bool:
    """Whether the order of what a request field says makes no difference; such a field holds no secret."""
    return field.lower().startswith("accept")


def normal_field(value: str) -> str:
    """A field in the form in which it is compared: a list in an order of ours."""
    if "," not in value:
        return value
    return ", ".join(sorted(each.strip() for each in value.lower().split(",") if each.strip()))


def _ignored_in(request: Request, ignored: frozenset[str], root: str | None) -> list[str]:
    """The parameters of a request, each with a mark of where it is, whose values do not count."""
    there = [f"url {name}" for name in _names_of(urlsplit(request.url).query) if name in ignored]
    kind = (request.headers.get("content-type") or "").partition(";")[0].lower()
    if request.body and kind == "application/x-www-form-urlencoded":
        there += [f"body {name}" for name in _names_of(request.body.decode("latin-1")) if name in ignored]
    elif request.body and _is_json(request):
        within = _members(request, root) if root else None
        members: Iterable[Any] = within if isinstance(within, dict) else _members(request, None)
        there += [f"body {name}" for name in members or () if name in ignored]
    return sorted(there)


def _names_of(query: str) -> list[str]:
    return [name for name, _ in parse_qsl(query)]


def _is_json(request: Request) -> bool:
    return "json" in (request.headers.get("content-type") or "").partition(";")[0].lower()


def _members(request: Request, root: str | None) -> Any:
    """The JSON object that a body is, or that is a member of it; None where there is none."""
    if not request.body or len(request.body) > _LONGEST_JSON or not _is_json(request):
        return None
    try:
        value: Any = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    if root is not None and isinstance(value, dict):
        value = value.get(root)
    return value if isinstance(value, dict) else None
