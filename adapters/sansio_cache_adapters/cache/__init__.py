"""What every session has, whatever its client.

In reading order: ``options``, ``keywords``, ``locations`` and ``opening`` (what users say, and the store that it
names), ``switches`` (``disabled()``), ``notices`` (warnings for a program's author), ``work`` (the coroutines that
blocking and awaiting sessions both carry out), ``engine``, ``exchange`` (one request on its way through the cache),
``flights`` (one fetch for many askers), ``tee`` (bodies on their way into the store), ``stored_body`` (and out of it),
``decoding``, ``prepared`` (what fast paths remember), ``peers``, ``tls``, ``client_certificates`` and
``connection_auth`` (whom a client talks to, as whom), ``doors`` (the list of all that says so), ``circuit_breaker`` (a
store in trouble is bypassed), ``events``, ``background``, ``care`` (``session.cache``) with ``selecting`` (which
entries a user asks for), and the two ways of carrying work out: ``blocking`` and ``asynchronous``.

Every client imports from here; nothing here imports a client.
"""
