"""``offline``: whatever is stored is served, save what only a private cache may hold to a shared one."""

from __future__ import annotations

from typing import Any

import pytest
from core_rows import ask, rules_of
from core_world import SmallWorld, reply

from sansio_cache.errors import NotCached
from sansio_cache.policy import Policy

FRESH = "Cache-Control: max-age=60"


@pytest.mark.parametrize("kept_under", [{}, {"shared": True}, {"cache_control": False}, {"expire_after": 1}])
def test_offline_serves_what_any_settings_have_kept(kept_under: dict[str, Any]) -> None:
    """G10: a shared cache only what it may hold; the record of a private one it does not even see."""
    made = SmallWorld(rules_of(Policy(**kept_under)), [reply(FRESH)])
    made.answer(ask())
    made.now += 1e6
    for settings, served in (({}, True), ({"shared": True}, "shared" in kept_under)):
        made.rules = rules_of(Policy(offline=True, **settings))
        if served:
            assert made.answer(ask()).cache_status.detail == "offline"
            continue
        with pytest.raises(NotCached):
            made.answer(ask())


@pytest.mark.parametrize("line", ["Cache-Control: private, max-age=60", "Cache-Control: max-age=60"])
def test_offline_a_shared_cache_serves_nothing_of_one_user(line: str) -> None:
    """G10: though a plain TTL cache has kept it."""
    asked = ask("Authorization: ann")
    made = SmallWorld(rules_of(Policy(shared=True, cache_control=False)), [reply(line)])
    made.answer(asked)
    for cache_control in (True, False):
        made.rules = rules_of(Policy(shared=True, offline=True, cache_control=cache_control))
        with pytest.raises(NotCached):
            made.answer(asked)
