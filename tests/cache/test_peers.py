"""The one spelling of whom a client talks to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache.errors import SettingError
from sansio_cache_adapters.cache.peers import basic, described, hashed, part, proxied
from sansio_cache_adapters.cache.setup import checked_name


def test_a_description_is_its_parts() -> None:
    assert described([]) == described(["", ""]) == ""
    assert described(["b", "", "a", "b"]) == described(["a", "b"]) == "a;b"
    assert part("named", None) == ""
    assert part("named", "") == "named="


names = st.text("a;=%3B", max_size=4)


@given(st.lists(st.tuples(names, names), max_size=3), st.lists(st.tuples(names, names), max_size=3))
def test_values_do_not_run_together(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    """G10: no name can be read as another peer's description."""
    pairs = [{f"x{number}": value for number, (_, value) in enumerate(each)} for each in (one, other)]
    texts = [described(part(name, value) for name, value in each.items()) for each in pairs]
    assert (texts[0] == texts[1]) is (pairs[0] == pairs[1])


@given(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3))
def test_hashes_are_of_values_and_not_of_their_sum(one: list[str], other: list[str]) -> None:
    assert (hashed(*one) == hashed(*other)) is (one == other)


def test_a_proxy_is_its_origin_and_what_it_is_told() -> None:
    """G10: and no secret of it is spelled out."""
    ann, bob = ("Proxy-Authorization", basic("ann", "pw")), ("Proxy-Authorization", basic("bob", "pw"))
    plain = proxied("http://proxy:3128")
    assert plain == proxied("HTTP://PROXY:3128/") != proxied("http://proxy:3129")
    assert len({plain, proxied("http://proxy:3128", [ann]), proxied("http://proxy:3128", [bob])}) == 3
    assert proxied("http://proxy:3128", [ann]) == proxied("http://proxy:3128", [(ann[0].lower(), ann[1])])
    assert "pw" not in proxied("http://ann:pw@proxy:3128", [ann])


@pytest.mark.parametrize("wrong", [0, b"x", ["x"], ""])
def test_a_name_is_a_text(wrong: Any) -> None:
    with pytest.raises(SettingError, match="peer takes a str that names"):
        checked_name(wrong)


def test_a_name_is_taken_as_it_is() -> None:
    assert checked_name(None) is None
    assert checked_name("ann") == "ann"
