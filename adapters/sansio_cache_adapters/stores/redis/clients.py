"""Where a Redis store connects to, and the clients that do it, with time limits of our own.

A client handed in only says where and how to connect: its own limits may be none, so that a frozen server would hang
a request for ever. The store opens its own connections, and closes only those.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from sansio_cache.errors import SettingError

__all__ = ["Opened", "Target", "describe", "open_client", "redis_module"]

_PLAIN: Final = ("host", "port", "db", "username", "password", "credential_provider", "client_name", "socket_keepalive")
_EXPECTED: Final = (
    "a URL (redis://, rediss:// or unix://) or a client of redis-py: Redis, RedisCluster, or one made by Sentinel"
)


def redis_module(name: str = "redis") -> Any:
    """A module of redis-py.

    :raises ImportError: if it is not installed; says how to.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError("RedisStore needs redis-py: pip install 'sansio-cache[redis]'") from error


@dataclass(frozen=True)
class Target:
    """A server, a cluster, or what sentinels watch over.

    :ivar location: for messages, without any password.
    :ivar options: keywords for the clients' constructors.
    :ivar nodes: host and port of the cluster's nodes, or the keywords for each sentinel.
    :ivar service: what the sentinels call it; ``master`` tells whether it is to be written to.
    :ivar given: a client that leads to no server (fakeredis, for tests): it is used itself, by tasks in threads.
    """

    location: str
    options: dict[str, Any]
    cluster: bool = False
    nodes: tuple[Any, ...] = ()
    service: str | None = None
    master: bool = True
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    given: Any = None


def describe(given: object) -> Target:
    """Where a URL or a client leads.

    :raises SettingError: for anything else.
    """
    if isinstance(given, str):
        return _of_url(given)
    redis, twin = redis_module(), redis_module("redis.asyncio")
    if isinstance(given, redis.RedisCluster | twin.RedisCluster):
        return _of_cluster(given)
    if isinstance(given, redis.Redis | twin.Redis):
        pool: Any = getattr(given, "connection_pool")  # noqa: B009 - a client of either colour
        if hasattr(pool, "sentinel_manager"):
            return _of_sentinel(pool)
        if _is_foreign(type(given)) and _is_foreign(pool.connection_class):
            return _of_look_alike(given, pool, twin.Redis)
        options = _options(pool.connection_kwargs, pool.connection_class)
        return Target(_name(options), options)
    raise SettingError(f"RedisStore takes {_EXPECTED}, not {type(given).__name__}")


def _of_url(url: str) -> Target:
    try:
        parts = urlsplit(url)
        parsed: dict[str, Any] = redis_module("redis.connection").parse_url(url)
    except ValueError:
        # Never show what may be a password.
        raise SettingError(f"RedisStore takes {_EXPECTED}; this URL cannot be read") from None
    if parts.scheme in ("redis", "rediss"):
        parsed.setdefault("host", "localhost")
    options = _options(parsed, parsed.get("connection_class"))
    return Target(_name(options), options)


def _options(found: dict[str, Any], connection_class: object) -> dict[str, Any]:
    options = {name: found[name] for name in _PLAIN if found.get(name) is not None}
    if isinstance(keepalive := found.get("socket_keepalive_options"), dict):
        options["socket_keepalive_options"] = keepalive
    if found.get("path"):
        options["unix_socket_path"] = found["path"]
    if found.get("ssl") or (isinstance(connection_class, type) and "SSL" in connection_class.__name__):
        options["ssl"] = True
        options |= {name: value for name, value in found.items() if name.startswith("ssl_")}
    return options


def _name(options: dict[str, Any]) -> str:
    database = options.get("db") or 0
    if "unix_socket_path" in options:
        return f"unix://{options['unix_socket_path']}?db={database}"
    scheme = "rediss" if options.get("ssl") else "redis"
    return f"{scheme}://{options.get('host', 'localhost')}:{options.get('port', 6379)}/{database}"


def _of_sentinel(pool: Any) -> Target:
    options = _options(pool.connection_kwargs, pool.connection_class)
    manager = pool.sentinel_manager
    sentinels = tuple(
        _options(each.connection_pool.connection_kwargs, each.connection_pool.connection_class)
        for each in manager.sentinels
    )
    return Target(
        f"sentinel://{pool.service_name}",
        options,
        nodes=sentinels,
        service=pool.service_name,
        master=pool.is_master,
        extra={"min_other_sentinels": manager.min_other_sentinels},
    )


def _of_cluster(client: Any) -> Target:
    manager = client.nodes_manager
    kwargs: dict[str, Any] = getattr(client, "connection_kwargs", None) or manager.connection_kwargs
    options = _options(kwargs, kwargs.get("connection_class"))
    for name in ("host", "port", "db"):
        options.pop(name, None)
    known = [*manager.startup_nodes.values(), *manager.nodes_cache.values()]
    nodes = tuple(dict.fromkeys((node.host, int(node.port)) for node in known))
    remap = getattr(manager, "address_remap", None)
    extra = {} if remap is None else {"address_remap": remap}
    return Target(f"cluster://{nodes[0][0]}:{nodes[0][1]}", options, cluster=True, nodes=nodes, extra=extra)


def _is_foreign(cls: type) -> bool:
    return cls.__module__.partition(".")[0] != "redis"


def _of_look_alike(given: Any, pool: Any, twin: type) -> Target:
    """A client whose connections are not redis-py's own: none of ours would lead to where they do."""
    name = type(given).__module__.partition(".")[0]
    if isinstance(given, twin):
        theirs = f"{type(given).__module__}.{type(given).__name__}"
        raise SettingError(f"RedisStore takes the blocking client of {name}, for tasks too, not {theirs}")
    if pool.connection_kwargs.get("decode_responses"):
        raise SettingError(f"RedisStore keeps bytes: make the client of {name} without decode_responses")
    if name == "fakeredis" and importlib.util.find_spec("lupa") is None:
        raise SettingError("RedisStore runs scripts, which fakeredis does with lupa: pip install 'fakeredis[lua]'")
    return Target(f"{name}://{type(given).__name__}", {}, given=given)


def _bounded(cls: type, options: dict[str, Any], timeout: float, retry: Any) -> dict[str, Any]:
    """The keywords for a client: what this version of redis-py knows of ``options``, and our own limits."""
    known = inspect.signature(cls).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in known.values())
    kept = {name: value for name, value in options.items() if takes_all or name in known}
    # A lost connection is tried once again, at once; a silent one is not: that would double the wait.
    ours = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_read_size": 65_536,
        "protocol": 2,
        "retry": retry,
    }
    return kept | {name: value for name, value in ours.items() if takes_all or name in known}


class Opened(NamedTuple):
    """A client to send commands with, and all that must be closed at the end."""

    client: Any
    closing: tuple[Any, ...]


def open_client(target: Target, timeout: float, package: str) -> Opened:
    """A client that waits at most ``timeout`` seconds for a connection, and as long for a reply.

    :param package: ``redis``, or ``redis.asyncio`` for one that belongs to the running event loop.
    """
    if target.given is not None:
        # Whose it is closes it.
        return Opened(target.given, ())
    redis, errors = redis_module(package), redis_module("redis.exceptions")
    retries, backoff = redis_module(f"{package}.retry"), redis_module("redis.backoff").NoBackoff()
    again = retries.Retry(backoff, 1, supported_errors=(errors.ConnectionError,))
    if target.cluster:
        cluster = redis_module(f"{package}.cluster")
        # The cluster's client retries time limits too, after asking all nodes for the slots: so it may not.
        bounded = _bounded(cluster.RedisCluster, target.options, timeout / 2, retries.Retry(backoff, 0))
        nodes = [cluster.ClusterNode(host, port) for host, port in target.nodes]
        client = cluster.RedisCluster(startup_nodes=nodes, **bounded, **target.extra)
        return Opened(client, (client,))
    bounded = _bounded(redis.Redis, target.options, timeout, again)
    if target.service is None:
        client = redis.Redis(**bounded)
        return Opened(client, (client,))
    sentinel = redis_module(f"{package}.sentinel").Sentinel([], **target.extra)
    sentinel.sentinels = [redis.Redis(**_bounded(redis.Redis, each, timeout / 2, again)) for each in target.nodes]
    make = sentinel.master_for if target.master else sentinel.slave_for
    client = make(target.service, **{name: value for name, value in bounded.items() if name not in ("host", "port")})
    return Opened(client, (client, *sentinel.sentinels))
