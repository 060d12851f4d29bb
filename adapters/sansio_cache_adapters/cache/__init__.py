"""The parts that sessions of all clients share.

In reading order:

- what users write: ``setup``, ``first_use``, ``options``, ``keywords``, ``locations``, ``opening`` (the store that is
  named) and ``switches`` (``disabled()``); ``notices`` (warnings for a program's author);
- what a session is made of: ``engine``, ``events``, ``circuit_breaker`` (a store in trouble is bypassed) and
  ``background`` (threads of blocking sessions);
- a request on its way: ``exchange``, ``flights`` (one fetch for many askers), ``tee`` (a body on its way into the
  store), ``stored_body`` (and out of it), ``gathering``, ``verifying`` and ``decoding``; ``session_cache`` with
  ``blocking`` and ``asynchronous``, by which a session answers;
- ``session.cache``: ``lookup`` (the request that a stored response is named by), ``maintenance``, ``selecting``,
  ``reading``, ``response_attributes``, ``putting`` and ``stored_responses``;
- whose answer it is: ``peers``, ``tls``, ``client_certificates`` and ``connection_auth``; ``inherited`` (connections
  from before a fork) and ``within`` (what adapters and transports hold); for the fast paths ``environment``,
  ``prepared`` and ``turns`` (of threads that hit at the same time).

Every client imports from here; nothing here imports a client.
"""
