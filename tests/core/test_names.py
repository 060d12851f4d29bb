"""Names: what other caches call a thing, and the nearest to a misspelt one."""

from __future__ import annotations

import inspect

import pytest

from sansio_cache.names import ALIASES, advice, explains, unexpected
from sansio_cache.policy import SETTINGS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("backend", "cache=SQLiteStore"),
        ("expire_aftr", "did you mean expire_after=?"),
        ("allowable_cods", "did you mean allowed_codes=?"),
        ("refresh", "session.get(url, refresh=…)"),
        ("qqqqq", ""),
    ],
)
def test_what_to_write(name: str, said: str) -> None:
    assert said in advice(name, SETTINGS)
    assert bool(said) == bool(advice(name, SETTINGS))


def test_how_near_a_name_must_be() -> None:
    assert advice("expire", SETTINGS, 0.6)
    assert not advice("expire", SETTINGS, 0.9)


def test_aliases_are_settings() -> None:
    assert set(ALIASES.values()) <= SETTINGS
    assert set(ALIASES) <= SETTINGS


def test_an_error_without_advice_is_as_pythons_own() -> None:
    assert str(unexpected("f", "x", "")) == "f() got an unexpected keyword argument 'x'"


def test_a_function_that_explains_keeps_its_signature_and_its_result() -> None:
    @explains("make", ("expire_after",))
    def make(path: str, *, size: int = 1) -> tuple[str, int]:
        return path, size

    assert make("a", size=2) == ("a", 2)
    assert list(inspect.signature(make).parameters) == ["path", "size"]
    for keywords, said in (
        ({"expire_after": 5}, "a setting of the session"),
        ({"cache_name": "x"}, "write path="),
        ({"sizes": 5}, "did you mean size=?"),
    ):
        with pytest.raises(TypeError) as caught:
            make("a", **keywords)  # type: ignore[arg-type]
        assert said in str(caught.value)
