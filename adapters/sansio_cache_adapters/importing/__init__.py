"""Moving in and out: what other caches have kept, and our own as lines of text.

In reading order: ``report`` (what became of the entries, and the reasons), ``entries`` (an entry as every other cache
can be read into it), ``pickles``, ``bson`` and ``texts`` (serialised values, read as data: nothing in them runs),
``values`` (which of them a value is, and its signature), ``requests_cache``, ``aiohttp_client_cache`` and
``packed`` (what those of each library mean), ``databases`` and ``folders`` (files that strangers may have written),
``sources`` (which cache lies at a place), ``places`` (our own stores), ``importer`` (``import_cache``), and ``lines``,
``exporting`` and ``loading`` (``export_cache`` and ``load_cache``).

It uses ``cache`` and ``stores``, and no client; only the front door and the command line import from here.
"""
