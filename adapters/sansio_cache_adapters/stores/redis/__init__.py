"""The store in a Redis or Valkey server.

In reading order: ``store`` (``RedisStore``), ``verbs`` (what each asks of the server), ``commands``, ``scripts``,
``runners`` and ``asynchronous`` (carrying verbs out), ``clients`` (connections).
"""
