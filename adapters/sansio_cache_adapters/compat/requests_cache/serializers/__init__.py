"""Serializers of requests-cache, which have nothing to do here: there is one form of records, and it is data only.

A program may name one and goes on to work. Of one that signs, the secret is taken: it signs the records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Final

from sansio_cache_adapters.compat.notes import REQUESTS_CACHE

__all__ = [
    "SERIALIZERS",
    "CattrStage",
    "SerializerPipeline",
    "SerializerType",
    "Stage",
    "bson_document_serializer",
    "bson_serializer",
    "dict_serializer",
    "dynamodb_document_serializer",
    "init_serializer",
    "json_serializer",
    "orjson_serializer",
    "pickle_serializer",
    "safe_pickle_serializer",
    "secret_of",
    "ujson_serializer",
    "utf8_encoder",
    "utf8_serializer",
    "yaml_serializer",
]


def _no_form(_: Any) -> Any:
    raise REQUESTS_CACHE.refusal(
        "serializers", "a serializer makes no bytes of a response: records have one form here, data only"
    )


class Stage:
    """A step of a serializer: two functions, or two methods of an object, by name."""

    def __init__(
        self, obj: Any = None, dumps: str | Callable[..., Any] = "dumps", loads: str | Callable[..., Any] = "loads"
    ) -> None:
        self.obj = obj
        self.dumps: Any = getattr(obj, dumps, _no_form) if isinstance(dumps, str) else dumps
        self.loads: Any = getattr(obj, loads, _no_form) if isinstance(loads, str) else loads


class CattrStage(Stage):
    """A step of a serializer that makes plain values of objects."""

    def __init__(self, factory: Any = None, decode_content: bool = False, **_: Any) -> None:
        super().__init__()
        self.decode_content = decode_content


class SerializerPipeline:
    """A serializer, by its steps: they do what they say to what a program gives them, and nothing to records."""

    def __init__(
        self, stages: Sequence[Any] = (), name: str | None = None, is_binary: bool = False, secret_key: Any = None
    ) -> None:
        self.stages: list[Any] = list(stages)
        self.name = name
        self.is_binary = is_binary
        self.secret_key = secret_key

    def dumps(self, value: Any) -> Any:
        """A value after all steps."""
        for stage in self.stages:
            value = stage.dumps(value)
        return value

    def loads(self, value: Any) -> Any:
        """A value after all steps back."""
        for stage in reversed(self.stages):
            value = stage.loads(value)
        return value

    def copy(self) -> SerializerPipeline:
        """A copy."""
        return SerializerPipeline([copy(stage) for stage in self.stages], self.name, self.is_binary, self.secret_key)

    def set_decode_content(self, decode_content: bool) -> None:
        """Tell the steps that take it whether a body is to be kept as text."""
        for stage in self.stages:
            if hasattr(stage, "decode_content"):
                stage.decode_content = decode_content

    def __str__(self) -> str:
        return f"SerializerPipeline(name={self.name}, n_stages={len(self.stages)})"


SerializerType = str | SerializerPipeline | Stage


def _named(name: str, *stages: Stage, is_binary: bool = False) -> SerializerPipeline:
    return SerializerPipeline(stages, name, is_binary)


utf8_encoder: Final = Stage(dumps=str.encode, loads=bytes.decode)
utf8_serializer: Final = _named("utf8", utf8_encoder, is_binary=True)
dict_serializer: Final = _named("dict", CattrStage())
pickle_serializer: Final = _named("pickle", CattrStage(), Stage(), is_binary=True)
json_serializer: Final = _named("json", CattrStage(), Stage())
ujson_serializer: Final = _named("ujson", CattrStage(), Stage())
orjson_serializer: Final = _named("orjson", CattrStage(), Stage(), is_binary=True)
yaml_serializer: Final = _named("yaml", CattrStage(), Stage())
bson_serializer: Final = _named("bson", CattrStage(), Stage(), is_binary=True)
bson_document_serializer: Final = _named("bson_document", CattrStage())
dynamodb_document_serializer: Final = _named("dynamodb_document", CattrStage(), Stage())
SERIALIZERS: Final = {
    "bson": bson_serializer,
    "json": json_serializer,
    "ujson": ujson_serializer,
    "orjson": orjson_serializer,
    "pickle": pickle_serializer,
    "yaml": yaml_serializer,
}


def safe_pickle_serializer(secret_key: Any = None, salt: str = "requests-cache", **_: Any) -> SerializerPipeline:
    """What a cache is given that is to be signed."""
    return SerializerPipeline([CattrStage(), Stage(), Stage()], "safe_pickle", True, secret_key)


def init_serializer(serializer: SerializerType | None, decode_content: bool = False) -> SerializerPipeline | None:
    """A serializer by its name, or the one that was given."""
    if not serializer:
        return None
    if isinstance(serializer, str):
        return SERIALIZERS[serializer]
    return serializer if isinstance(serializer, SerializerPipeline) else SerializerPipeline([serializer])


def secret_of(serializer: SerializerType | None) -> Any:
    """The secret of a serializer that signs; None of any other, which says nothing here.

    :raises KeyError: for a name that nobody knows, as requests-cache does.
    """
    if serializer is None:
        return None
    if isinstance(serializer, str) and serializer not in SERIALIZERS:
        error = KeyError(serializer)
        error.add_note(f"There is no serializer of this name. There are {', '.join(SERIALIZERS)}")
        raise error
    secret = getattr(serializer, "secret_key", None)
    if secret is None:
        REQUESTS_CACHE.differs(
            "serializers", "serializer= says nothing: records have one form here, data only, and are never pickled"
        )
    return secret
