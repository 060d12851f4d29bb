"""The contract is public under a name of the core's, which imports nothing until it is asked."""

from __future__ import annotations

import pytest

import sansio_cache.testing
import sansio_cache_adapters.testing


@pytest.mark.parametrize("name", sansio_cache.testing.__all__)
def test_every_name_is_the_adapters_own(name: str) -> None:
    """One contract, two doors."""
    assert getattr(sansio_cache.testing, name) is getattr(sansio_cache_adapters.testing, name)


def test_both_doors_show_the_same() -> None:
    """Nothing is forgotten on either side."""
    assert sansio_cache.testing.__all__ == sansio_cache_adapters.testing.__all__


def test_another_name_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="StoreContrct"):
        sansio_cache.testing.StoreContrct  # type: ignore[attr-defined]  # noqa: B018
