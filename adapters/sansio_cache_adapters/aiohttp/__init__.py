"""The cache for aiohttp.

In reading order: ``plain`` (how aiohttp itself sends), ``session`` (``AsyncCachedSession``) with its ``keywords``,
``handling`` (what it does with its requests), ``fast_path`` (a hit without what aiohttp does for the network),
``middleware`` (``CacheMiddleware``: one request through the cache), ``peers`` (whom it talks to), ``transfer`` (the way
to the network), ``connections`` (what a forked child gives up), ``bodies``, ``response``, ``tasks`` (what goes on in
the background), ``lookup`` (the request that a stored response is named by); ``private`` and ``private_reader`` hold
all that depends on aiohttp's private side.
"""
