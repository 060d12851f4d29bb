"""The cache for httpx2.

In reading order: ``transports`` (``CacheTransport`` and ``AsyncCacheTransport``), ``handling`` (what they need from the
first request on), ``common`` (its types and the core's), ``peers`` (whom a transport talks to), ``transfers`` (the way
to the network), ``connections`` (what a forked child gives up), ``bodies``, ``tasks`` (what goes on in the background),
``lookup`` (the request that a stored response is named by).
"""
