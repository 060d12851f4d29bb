"""The cache for nurseries, on trio and, through anyio, on asyncio.

In reading order: ``session`` (``TrioCachedSession``) with its ``keywords``, ``handling`` (what it does with its
requests), ``fast_path`` (a hit whose request need not be prepared anew), ``lookup`` (the request that a
stored response is named by), ``bodies`` (the cache between the
client and its connections), ``response``. ``http`` is the client below; it knows of no cache.
"""
