"""Stores: memory, SQLite, files and Redis, all held to one contract (:mod:`sansio_cache.testing`)."""
