"""Settings and times, under the names of requests-cache."""

from .actions import *  # noqa: F403
from .directives import *  # noqa: F403
from .expiration import *  # noqa: F403
from .settings import *  # noqa: F403
