"""The store in a folder of files.

In reading order: ``store`` (``FileStore``), ``layout`` (what lies where, and the locks), ``heads``, ``commit``,
``bodies``, ``claims`` (marks and leases), ``sweep``.
"""
