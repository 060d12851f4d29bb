"""requests-cache's names over ours: ``from sansio_cache.compat import requests_cache``.

Sessions, caches and functions have its names, arguments and defaults; how it stores and what it promises is ours. What
is otherwise warns once, and is listed in ``docs/howto/move-from-requests-cache.md``.
"""

from ._utils import get_placeholder_class as get_placeholder_class
from ._utils import get_valid_kwargs as get_valid_kwargs
from ._utils import try_int as try_int
from .backends import *  # noqa: F403
from .cache_keys import *  # noqa: F403
from .models import *  # noqa: F403
from .patcher import *  # noqa: F403
from .policy import *  # noqa: F403
from .serializers import *  # noqa: F403
from .session import *  # noqa: F403
