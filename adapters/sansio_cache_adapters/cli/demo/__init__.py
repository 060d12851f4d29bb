"""``sansio-cache demo``: the main job on a real local origin, and that origin to try things on.

``origin`` is a small API of the standard library alone, ``report`` shows what was expected and what came, ``story`` is
what happens, and ``command`` the command.
"""
