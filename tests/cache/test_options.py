"""What a request and a constructor say to the cache, taken out of their keywords."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sansio_cache import Policy, SettingError
from sansio_cache.messages import NO_OPTIONS
from sansio_cache_adapters.cache.options import OPTIONS, take_options
from sansio_cache_adapters.cache.setup import split_policy


def test_options_are_taken_and_the_rest_is_left() -> None:
    keywords: dict[str, Any] = {"expire_after": timedelta(minutes=1), "tags": ["a", "b"], "refresh": True, "timeout": 3}
    options = take_options(keywords)
    assert keywords == {"timeout": 3}
    assert (options.tags, options.refresh, options.force_refresh, options.only_if_cached) == (
        ("a", "b"),
        True,
        False,
        False,
    )
    assert options.expiry is not None


def test_a_request_without_options_makes_no_object() -> None:
    """Most requests: the one that stands for none is given back."""
    assert take_options({"timeout": 3}) is NO_OPTIONS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("only_if_cached", "refresh", "force_refresh") for value in (1, None, "yes")],
        *[("tags", value) for value in ("a", b"a", 5, [""], [5], [None])],
        *[("expire_after", value) for value in ("soon", object(), float("nan"))],
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(name: str, value: object) -> None:
    assert name in OPTIONS
    with pytest.raises(SettingError, match=name):
        take_options({name: value})


def test_settings_make_a_policy_and_the_rest_is_left() -> None:
    keywords: dict[str, Any] = {"expire_after": 60, "allowable_methods": ["GET"], "timeout": 3}
    assert split_policy(keywords) == Policy(expire_after=60, allowed_methods=["GET"])
    assert keywords == {"timeout": 3}


def test_a_policy_made_before_is_taken_as_it_is() -> None:
    policy = Policy(shared=True)
    assert split_policy({"timeout": 3}, policy) is policy


@pytest.mark.parametrize(
    ("keywords", "policy", "said"),
    [
        ({"expire_after": 60}, Policy(), "expire_after to the Policy or to the session, not to both"),
        ({}, {"expire_after": 60}, "policy takes a Policy"),
    ],
)
def test_two_policies_are_an_error(keywords: dict[str, Any], policy: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        split_policy(keywords, policy)
