"""Runs the public suite `http-cache-tests` against a client-side cache: see `run.py`."""
