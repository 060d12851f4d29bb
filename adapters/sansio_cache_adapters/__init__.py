"""All input and output: clients and stores around the pure core of :mod:`sansio_cache`.

One folder a client, one a store, and one for what all clients share; each folder's first lines are its map.

- ``cache``: what every session has, whatever its client
- ``requests``, ``aiohttp``, ``httpx``, ``trio``: the clients; none knows of another
- ``stores``: memory, SQLite, files, Redis, and any table
- ``cli``: the command line
- ``importing``: what other libraries have kept, and our own as lines of text
- ``compat``: other libraries' modules under their names, done by ours
- ``patch``: one cache for every session of a script
- ``moved``: modules under the names that they had before there were folders
- ``testing``: the contract that every store keeps
"""

from .moved import find_moved_modules

find_moved_modules()
