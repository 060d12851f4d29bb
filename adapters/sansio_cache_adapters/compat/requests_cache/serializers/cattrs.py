"""A module of requests-cache, whose names are in the one above."""

from . import CattrStage

__all__ = ["CattrStage"]
