"""Who takes a keyword in a class of several, and attributes that look like settings."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

from sansio_cache import CachedSession, CacheWarning
from sansio_cache_adapters.cache.keywords import (
    FixedSettings,
    handing_on,
    name_settings,
    overriding,
    refuse_more,
    refuse_unknown,
)


class Here:
    """Where the cache stands in a class of several."""


class Client:
    """The client's own class."""

    def __init__(self) -> None:
        pass


class Closed(Client):
    """Takes one keyword more."""

    def __init__(self, per_second: int = 1) -> None:
        super().__init__()


class Open(Client):
    """Takes one keyword more, and hands any others on."""

    def __init__(self, per_second: int = 1, **more: Any) -> None:
        super().__init__(**more)


class Dropping(Client):
    """Takes anything, and drops it."""

    def __init__(self, **more: Any) -> None:
        super().__init__()


def hand_on(behind: type, **keywords: Any) -> None:
    kind = type("Session", (Here, behind), {})
    owner: Any = kind.__new__(kind)
    with handing_on(owner, Here, keywords):
        behind(**keywords)


@pytest.mark.parametrize("behind", [Closed, Open, Dropping])
def test_a_keyword_of_a_class_behind_is_handed_on(behind: type) -> None:
    hand_on(behind, per_second=5)


@pytest.mark.parametrize("behind", [Closed, Open])
@pytest.mark.parametrize(
    ("name", "said"),
    [("per_secnd", "per_second"), ("expire_afer", "expire_after"), ("backend", "cache="), ("xyzzy", "xyzzy")],
)
def test_a_keyword_that_none_takes_is_an_error_with_the_nearest(behind: type, name: str, said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        with pytest.raises(TypeError, match=said):
            hand_on(behind, **{name: 1})


def test_an_error_of_the_constructor_itself_stays_what_it_is() -> None:
    class Broken(Client):
        def __init__(self, **more: Any) -> None:
            raise TypeError("something else")

    with pytest.raises(TypeError, match=r"^something else$"):
        hand_on(Broken, per_second=5)


def test_whether_a_class_between_overrides_a_name() -> None:
    between = type("Between", (Client,), {"send": lambda self: None})
    kind = type("Session", (Here, between), {})
    assert overriding(kind, Here, Client, "send")
    assert not overriding(kind, Here, Client, "request")
    assert not overriding(type("Plain", (Here, Client), {"send": 1}), Here, Client, "send")


def test_settings_are_named_in_the_signature() -> None:
    """Others look there for what a session takes."""

    def made(self: object, cache: object = None, **more: Any) -> None: ...

    name_settings(made)
    names = list(inspect.signature(made).parameters)
    assert names[:2] == ["self", "cache"]
    assert names[-1] == "more"
    assert "expire_after" in names


def test_more_by_position_and_unknown_names_are_errors() -> None:
    refuse_more("Session", ())
    refuse_unknown("Session", {})
    with pytest.raises(TypeError, match=r"Session\(\) takes the cache by position and everything else by name"):
        refuse_more("Session", (60,))
    with pytest.raises(TypeError, match="expire_after"):
        refuse_unknown("Session", {"expire_afer": 60})


class Fixed(FixedSettings):
    """A session that is made."""

    def __init__(self) -> None:
        self.expire_after = 5
        self._made = True


class Own(Fixed):
    """With an attribute of the user's that is named as a setting."""

    namespace = "mine"


def test_settings_are_fixed_once_a_session_is_made() -> None:
    session = Fixed()
    session.anything = 5
    for name, own in (("expire_after", "expire_after"), ("allowable_codes", "allowed_codes"), ("expire_aftr", "")):
        with pytest.raises(AttributeError, match=f"cannot be set.*{own}"):
            setattr(session, name, 60)
    Own().namespace = "yours"


def test_a_missing_attribute_is_told() -> None:
    with pytest.raises(AttributeError, match="settings are fixed"):
        _ = Fixed().settings
    with pytest.raises(AttributeError, match=r"'Fixed' object has no attribute 'xyzzy'$"):
        _ = Fixed().xyzzy


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("host", 'cache="redis://host:port/0"'),
        ("password", "RedisStore(client)"),
        ("path", 'cache="cache.sqlite"'),
        ("salt", "leave it out"),
        ("session_factory", "CacheMixin"),
        ("max_file_bytes", "max_body="),
        ("key_generator", "key_fn="),
        ("disabled", "session.disabled()"),
    ],
)
def test_what_other_caches_take_is_translated(name: str, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        CachedSession(**{name: 1})
    assert said in str(caught.value)
