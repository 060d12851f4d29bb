"""aiohttp-client-cache's names over ours: ``from sansio_cache.compat import aiohttp_client_cache``.

Sessions and caches have its names, arguments and defaults; how it stores and what it promises is ours. What is
otherwise warns once, and is listed in ``docs/howto/move-from-aiohttp-client-cache.md``.
"""

from .backends import *  # noqa: F403
from .backends import get_placeholder_backend as get_placeholder_backend
from .backends import get_valid_kwargs as get_valid_kwargs
from .response import CachedResponse as CachedResponse
from .session import CachedSession as CachedSession
from .session import CacheMixin as CacheMixin
