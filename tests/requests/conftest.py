"""Sessions of requests on caches of their own."""

from requests_fixtures import cache_file, plain_environment, session, sessions

__all__ = ["cache_file", "plain_environment", "session", "sessions"]
