"""The store in a Redis or Valkey server.

In reading order: ``store`` (``RedisStore``), ``verbs`` (what each asks of the server), ``commands``, ``scripts``,
``index_scripts``, ``runners`` and ``asynchronous`` (carrying verbs out), ``clients`` (connections), ``maintenance``.
"""
