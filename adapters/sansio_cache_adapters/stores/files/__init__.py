"""The store in a folder of files.

In reading order: ``store`` (``FileStore``), ``stores.system.folders`` (a folder in which no link is followed),
``layout`` (what lies where, and the locks), ``heads``, ``commit``, ``bodies``, ``marks`` (of dropped resources) and
``sweep``.
"""
