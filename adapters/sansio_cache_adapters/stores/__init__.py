"""Stores: memory, SQLite, files and Redis, all held to one contract (:mod:`sansio_cache.testing`).

In reading order: ``protocol`` (what a store is), ``settings``, ``paths`` and ``default`` (where a store
lies), ``foreign`` (what may lie there instead), ``memory`` and ``memory_parts`` (the reference),
``table`` and ``table_rows`` (a store over any table of bytes), ``sqlite``, ``files``, ``redis``; ``rows`` (a record as
bytes), ``claims``, ``byte_locks`` and ``lock_places`` (who fetches for all, told by locks), ``lease_tokens`` (told by
tokens), ``returned_claims`` (claims on their way back), ``work`` (coroutines for callers that block and for
those that await), ``worker`` (the only class that begins threads), ``maintenance``, ``finalizers`` (the work that they
leave to threads), ``forking``, ``store_repr`` (how logs and debuggers show a store), ``system`` (POSIX and Windows).
For awaiting sessions: ``threaded``, ``queued``, ``overlay``, ``waiting``, ``loops``, ``off_loop``.

No store imports a client or what clients share.
"""
