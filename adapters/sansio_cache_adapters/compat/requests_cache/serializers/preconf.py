"""A module of requests-cache, whose names are in the one above."""

from . import (
    bson_document_serializer,
    bson_serializer,
    dict_serializer,
    dynamodb_document_serializer,
    json_serializer,
    orjson_serializer,
    pickle_serializer,
    safe_pickle_serializer,
    ujson_serializer,
    utf8_encoder,
    utf8_serializer,
    yaml_serializer,
)

__all__ = [
    "bson_document_serializer",
    "bson_serializer",
    "dict_serializer",
    "dynamodb_document_serializer",
    "json_serializer",
    "orjson_serializer",
    "pickle_serializer",
    "safe_pickle_serializer",
    "ujson_serializer",
    "utf8_encoder",
    "utf8_serializer",
    "yaml_serializer",
]
