"""The main job, on a real local origin: three clients on one signed SQLite file, then a tampered file, a new secret.

Run it with ``pip install tox && tox -e demo``, or where the command line is installed with ``sansio-cache demo``, whose
story this is (``adapters/sansio_cache_adapters/cli/demo/story.py``). It exits with 0 only if everything was as it
should be.
"""

from __future__ import annotations

import sys

from sansio_cache_adapters.cli.demo.story import main

if __name__ == "__main__":
    sys.exit(main())
