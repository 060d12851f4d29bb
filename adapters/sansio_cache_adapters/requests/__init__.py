"""The cache for requests.

In reading order: ``plain`` (the session of requests itself), ``session`` (``CachedSession``, ``CacheMixin``),
``handling`` (what it does with its requests), ``parts`` (other classes in one session with the cache), ``fast_path`` (a
hit without what requests does for the network) and ``preparing`` (a GET as requests prepares it), ``following`` (what
requests does beside asking an adapter), ``adapter`` (``CacheAdapter``: one hop through the cache), ``peers`` (whom it
talks to), ``common`` (its types and the core's), ``transfer`` (the way to the network), ``connections`` (what a forked
child gives up), ``bodies``, ``foreign`` (bodies that are not urllib3's), ``response``; ``paused`` (an exchange that
began before its request is sent), ``keywords`` (what a session and its requests take) and ``lookup`` (the request that
a stored response is named by).
"""
