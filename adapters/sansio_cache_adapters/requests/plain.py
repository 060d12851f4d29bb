"""The session of requests itself, as it was when this package was imported.

Programs put another in its place (``requests.Session = CachedSession``), and doubles of the network replace its
methods, before the first request or after: what is imported at the first request asks here.
"""

from __future__ import annotations

from typing import Any, Final

import requests

__all__ = ["PLAIN", "METHODS"]

PLAIN: Final = requests.Session
METHODS: Final[tuple[Any, ...]] = (PLAIN.send, PLAIN.prepare_request, PLAIN.merge_environment_settings)
"""What it does with a request on the way to an adapter."""
