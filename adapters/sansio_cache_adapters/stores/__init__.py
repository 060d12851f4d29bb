"""Stores: memory, SQLite, files and Redis, all held to one contract (:mod:`sansio_cache.testing`).

In reading order: ``protocol`` (what a store is), ``settings``, ``paths`` and ``default`` (where a store
lies), ``foreign`` (what may lie there instead), ``memory`` and ``memory_parts`` (the reference),
``table`` and ``table_rows`` (a store over any table of bytes), ``sqlite``, ``files``, ``redis``; ``rows`` (a record as
bytes), ``claims``, ``byte_locks`` and ``lock_places`` (who fetches for all, told by locks), ``holders`` (by tokens),
``returning`` (claims on their way back), ``maintenance``, ``forking``, ``worker`` (the one kind of thread),
``afterwards`` (what finalizers leave to be done), ``shown`` (in logs and debuggers), ``system`` (POSIX and Windows).
For awaiting sessions: ``threaded``, ``queued``, ``overlay``, ``waiting``, ``loops``, ``aside``.

No store imports a client or what clients share.
"""
