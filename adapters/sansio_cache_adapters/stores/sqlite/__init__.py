"""The default store: one SQLite file.

In reading order: ``store`` (``SQLiteStore``), ``schema``, ``records`` (the inside of each transaction), ``reader``,
``guarded`` (nothing of the file's own runs), ``opening``, ``connections``, ``place`` (ours, nothing yet, or foreign),
``maintenance`` and ``sweep``.
"""
