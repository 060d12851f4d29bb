"""The arguments of a new session: checked at once, and made into a cache at its first request.

Many programs make sessions before they send requests, and each process that starts pays for every module that it
imports. So all that making a session needs is here and in ``keywords``; the other modules come with the first request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sansio_cache.errors import SettingError
from sansio_cache.policy import SETTINGS, Policy, make_policy
from sansio_cache.sealing import UNSIGNED, Sealer, SecretKey, make_sealer
from sansio_cache_adapters.stores.settings import Ungiven

from .keywords import check_functions
from .locations import sqlite_path

if TYPE_CHECKING:
    from .events import Event

__all__ = ["Setup", "check_place", "checked_name", "set_up", "split_policy"]


class Setup(NamedTuple):
    """The arguments from which the cache of a session is made.

    :ivar given: the store that the user gave, or that a URL names; None where a SQLite file is opened later.
    :ivar path: that file's; None for the default one.
    :ivar owned: whether the store is made for this session, and closed with it.
    """

    given: Any
    path: str | None
    sealer: Sealer
    policy: Policy
    on_event: Callable[[Event], object] | None
    clock: Callable[[], float]
    owned: bool = True

    @property
    def location(self) -> str:
        """Where the store lies, or will lie, without any password."""
        if self.path is not None:
            return self.path
        from .opening import store_of

        return str(store_of(self).location)


def set_up(
    cache: Any,
    secret_key: SecretKey | Ungiven,
    policy: Policy,
    on_event: Callable[[Event], object] | None,
    clock: Callable[[], float],
) -> Setup:
    """The arguments of a session, checked. A SQLite file is not opened, and its modules are not imported.

    :raises SettingError: see :func:`~sansio_cache_adapters.cache.opening.resolve`.
    """
    check_functions(on_event, clock)
    path = None
    if cache is None:
        check_place(secret_key)
    else:
        path = sqlite_path(cache)
        if path is None:
            from .opening import resolve  # the other stores are rooms of their own, and a store that was made has one

            store, sealer = resolve(cache, secret_key)
            return Setup(store, None, sealer, policy, on_event, clock, owned=store is not cache)
    sealer = UNSIGNED if isinstance(secret_key, Ungiven) else make_sealer(secret_key)
    return Setup(None, path, sealer, policy, on_event, clock)


def check_place(secret_key: SecretKey | Ungiven) -> None:
    """Let no secret be given where no place is.

    :raises SettingError: there is one.
    """
    if not isinstance(secret_key, Ungiven):
        make_sealer(secret_key)  # a wrong key is the more pressing error
        raise SettingError(
            "secret_key needs a place of its own: the default cache is shared by all programs and unsigned. "
            'Name a path or a store: CachedSession("my-cache.sqlite", secret_key=…)'
        )


def checked_name(peer: object) -> str | None:
    """The checked value of ``peer=``.

    :raises SettingError: for what is neither a name nor None.
    """
    if peer is not None and (not isinstance(peer, str) or not peer):
        raise SettingError(
            f"peer takes a str that names whom the client talks to, and as whom (or None), not {peer!r}; "
            'for example peer="intranet as ann"'
        )
    return peer


def split_policy(keywords: dict[str, Any], policy: Policy | None = None) -> Policy:
    """The policy that a session's keywords make; they are removed from there.

    :param policy: one made before; then no settings may be given beside it.
    :raises SettingError: see :class:`~sansio_cache.policy.Policy`.
    """
    settings = {name: keywords.pop(name) for name in list(keywords) if name in SETTINGS}
    if policy is None:
        return make_policy(settings)
    if not isinstance(policy, Policy):
        raise SettingError(f"policy takes a Policy, not {policy!r}")
    if settings:
        raise SettingError(f"give {', '.join(sorted(settings))} to the Policy or to the session, not to both")
    return policy
