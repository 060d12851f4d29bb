"""Stores: memory, SQLite, files and Redis, all held to one contract (:mod:`sansio_cache.testing`).

In reading order: ``protocol`` (what a store is), ``settings``, ``paths`` and ``default`` (where a store
lies), ``foreign`` (what may lie there instead), ``memory`` and ``memory_parts`` (the reference),
``table`` and ``table_rows`` (a store over any table of bytes), ``sqlite``, ``files``, ``redis``; ``rows`` (a record as
bytes), ``holders`` (who holds a lease), ``maintenance``, ``forking``, ``afterwards`` (what finalizers leave to
be done). For awaiting sessions: ``threaded``, ``queued``, ``overlay``, ``worker``, ``waiting``,
``loops``.

No store imports a client or what clients share.
"""
