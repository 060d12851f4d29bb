"""What people do first, with every client."""

from requests_fixtures import plain_environment

__all__ = ["plain_environment"]
