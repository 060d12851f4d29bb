"""Unknown keywords: the name that other caches use, the nearest known name, and other classes that may take them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sansio_cache.functions import arguments_of
from sansio_cache.names import ALIASES, OF_SESSION, STORES, advice, place_of, unexpected
from sansio_cache.policy import SETTINGS
from sansio_cache_adapters.stores.store_repr import described

from .notices import warn_once

__all__ = [
    "FixedSettings",
    "check_functions",
    "handing_on",
    "name_settings",
    "overriding",
    "refuse_more",
    "refuse_unknown",
]

_OURS: Final = ("cache", "secret_key", "policy", "on_event", "peer")
_GIVEN: Final = frozenset({*_OURS, "clock", "settings"})


def check_functions(on_event: object, clock: object) -> None:
    """Let pass what can be called as it will be.

    :raises SettingError: for anything else.
    """
    if on_event is not None:
        arguments_of(on_event, "on_event", ("event",))
    arguments_of(clock, "clock", ())


def refuse_more(owner: str, positional: tuple[object, ...], first: str = "the cache") -> None:
    """Let no more be given by position than what comes first.

    :raises TypeError: says how the rest is given.
    """
    if positional:
        raise TypeError(
            f"{owner}() takes {first} by position and everything else by name: cache={STORES}, expire_after=60 and so "
            f"on; not {', '.join(repr(each) for each in positional)}"
        )


def refuse_unknown(owner: str, keywords: Mapping[str, object], otherwise: str = "") -> None:
    """Let no keyword be left over.

    :param otherwise: what to say where there is no better advice.
    :raises TypeError: for the first of them, with the nearest name.
    """
    for name in keywords:
        raise unexpected(owner, name, _place(name, keywords) or advice(name, {*SETTINGS, *_OURS}) or otherwise)


def _place(name: str, keywords: Mapping[str, object]) -> str:
    return place_of(keywords) if name in ("backend", "cache_name") else ""


def overriding(kind: type, here: type, client: type, *names: str) -> bool:
    """Whether a class between one of a session's classes and its client's own has attributes of these names."""
    order = kind.__mro__
    return any(name in vars(each) for each in order[order.index(here) + 1 : order.index(client)] for name in names)


@lru_cache(maxsize=64)
def takers_behind(kind: type[Any], here: type[Any]) -> tuple[frozenset[str], type | None]:
    """The keywords of the constructors behind a class, in the order in which they call each other.

    Those that they name, and a class among them that takes any others too, or None.
    """
    names: set[str] = set()
    open_to: type | None = None
    for each in kind.__mro__[kind.__mro__.index(here) + 1 : -1]:
        made = vars(each).get("__init__")
        if made is None:
            continue
        parameters = list(inspect.signature(made).parameters.values())[1:]
        names.update(one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY))
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            break
        open_to = open_to or each
    return frozenset(names), open_to


@contextmanager
def handing_on(owner: object, here: type, keywords: Mapping[str, object], otherwise: str = "") -> Generator[None]:
    """Let the keywords pass, within the block, that a class behind this one takes.

    :raises TypeError: for one that none of them takes; the message has the nearest name.
    """
    kind: Any = type(owner)
    names, open_to = takers_behind(kind, here) if keywords else (frozenset[str](), None)
    known = {*SETTINGS, *_OURS, *names}
    for name in keywords.keys() - names:
        said = _place(name, keywords) or advice(name, known) or otherwise
        if open_to is None:
            raise unexpected(kind.__name__, name, said)
        if said := advice(name, {*SETTINGS, *_OURS}, 0.8):
            # It may be theirs, and many drop what they do not know.
            warn_once(f"{kind.__name__} hands {name}= on to {open_to.__name__}. For the cache: {said}")
    try:
        yield
    except TypeError as error:
        refused = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if refused is None or refused[1] not in keywords:
            raise
        # It has come to the end of the classes.
        name = refused[1]
        raise unexpected(kind.__name__, name, _place(name, keywords) or advice(name, known) or otherwise) from error


def name_settings(function: Callable[..., None]) -> None:
    """Let a constructor that takes settings as keywords name them in its signature.

    Classes before it in a class of several parts look there for what they may hand on.
    """
    plain = inspect.signature(function)
    *before, rest = plain.parameters.values()
    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in sorted(SETTINGS)]
    setattr(function, "__signature__", plain.replace(parameters=[*before, *named, rest]))  # noqa: B010


class FixedSettings:
    """An object that is made with settings, and refuses to have them set as attributes, which would do nothing."""

    _made = False
    _theirs = OF_SESSION
    """Attributes of other caches, and what to write in their place."""

    if not TYPE_CHECKING:  # to a type checker any attribute would be one that there is

        def __setattr__(self, name: str, value: object) -> None:
            if self._made and (said := self._why_fixed(name)):
                raise AttributeError(f"{type(self).__name__}.{name} cannot be set{said}", name=name, obj=self)
            super().__setattr__(name, value)

        def __getattr__(self, name: str) -> Any:
            # Called only for names that were not found. A class behind may know more.
            behind: Any = getattr(super(), "__getattr__", None)
            if behind is not None:
                return behind(name)
            raise AttributeError(self._missing(name), name=name, obj=self)

    def _why_fixed(self, name: str) -> str:
        """The message for an attribute that would have no effect; ``""`` for one of the user's own."""
        kind = type(self)
        if name.startswith("_") or _defines(kind, name):
            return ""
        if own := _setting_like(name):
            return f", as settings are fixed: {_WHEN_MADE.format(own)}"
        if name in vars(self) or not kind.__module__.startswith("sansio_cache"):
            # A client's own; and a subclass may well have a secret_key for some API.
            return ""
        if name in _GIVEN:
            return f": it is given when it is made, {kind.__name__}(…, {name}=…)"
        said = kind._theirs.get(name) or advice(name, (), 1.0)
        return f": {said}" if said else ""

    def __repr__(self) -> str:
        own = vars(self)
        engine = own.get("_engine") or getattr(own.get("_cache"), "engine", None)
        told = own.get("_told")
        if engine is None and told is not None:  # nothing was asked yet
            return described(self, told, told.sealer)
        if engine is None:  # it is just being made
            return super().__repr__()
        return described(self, engine.store, engine.sealer)

    def _missing(self, name: str) -> str:
        kind = type(self)
        said = kind._theirs.get(name, "")
        if name == "settings":
            said = f"settings are fixed, {_WHEN_MADE.format('…')}"
        return f"{kind.__name__!r} object has no attribute {name!r}{': ' if said else ''}{said}"


_WHEN_MADE: Final = (
    "they are given when a session is made, by name or as policy=Policy({}=…), and a single request may have an "
    "expire_after= of its own"
)


def _setting_like(name: str) -> str:
    """The setting that a name stands for, or is close to; ``""`` for none."""
    if name not in SETTINGS:
        if len(name) < 8:
            return ""
        from difflib import get_close_matches

        name = next(iter(get_close_matches(name, SETTINGS, 1, 0.88)), "")
    return ALIASES.get(name, name)


def _defines(kind: type, name: str) -> bool:
    """Whether a class of the user's has an attribute of that name, which then is theirs."""
    return any(name in vars(each) for each in kind.__mro__)
