"""A module of requests-cache, whose names are in the one above."""

from . import SerializerPipeline, Stage

__all__ = ["SerializerPipeline", "Stage"]
