"""The default store: one SQLite file.

In reading order: ``store`` (``SQLiteStore``), ``schema``, ``records`` (the inside of each transaction), ``reader``,
``connections``, ``place`` (ours, nothing yet, or foreign), ``maintenance``.
"""
