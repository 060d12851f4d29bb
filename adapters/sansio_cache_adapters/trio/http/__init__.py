"""A small HTTP/1.1 client on h11 and anyio, which knows of no cache.

In reading order: ``client`` (``HTTPSession``), ``sending`` (what a session does from its first request on), ``cookies``
(and ``suffixes``, which they may not be set for), ``redirects``, ``content`` (requests on their way out), ``response``;
below the interface of ``hop``: ``pool`` and ``connection``. ``url``, ``fields``, ``limits``, ``checks`` and
``errors`` serve all of them.
"""
