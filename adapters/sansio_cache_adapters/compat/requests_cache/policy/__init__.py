"""Settings and times, under the names of requests-cache."""

from .directives import *  # noqa: F403
from .expiration import *  # noqa: F403
from .settings import *  # noqa: F403
