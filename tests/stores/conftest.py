"""Real Redis servers for tests of stores."""

from redis_servers import join, make_redis, redis_cluster, redis_server, shared_redis, short_path

__all__ = ["join", "make_redis", "redis_cluster", "redis_server", "shared_redis", "short_path"]
