"""Serialised values that anybody may have written: nothing in them runs, and none costs more than reading it (G1)."""

from __future__ import annotations

import json
import pickle
import pickletools
import struct
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from sansio_cache_adapters.importing.bson import read_bson
from sansio_cache_adapters.importing.pickles import Made, read_pickle
from sansio_cache_adapters.importing.report import Skipped
from sansio_cache_adapters.importing.texts import read_json, read_yaml
from sansio_cache_adapters.importing.values import Values

ran: list[object] = []


class Running:
    """Runs when it is unpickled."""

    def __init__(self, *made: object) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return ran.append, ("it ran",)


class Eval:
    def __reduce__(self) -> Any:
        return eval, ("ran.append('it ran')",)


class Stateful:
    def __reduce__(self) -> Any:
        return datetime, (2020, 1, 1), {"x": Running()}


def reason(read: Callable[[Any], object], data: object) -> str:
    try:
        read(data)
    except Skipped as skipped:
        return skipped.reason
    return "read"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("what", [Running(), Eval(), [1, {"a": Running()}], Stateful()])
def test_a_program_does_not_run(what: object, protocol: int) -> None:
    data = pickle.dumps(what, protocol)
    assert reason(read_pickle, data) in ("not-data", "damaged")
    assert not ran


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04cbuiltins\neval\n\x8c\x011\x85R.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x04(\x8c\x02os\x8c\x06systemi.",
        b"\x80\x04\x82\x01.",  # EXT1
        b"\x80\x04Pid\n.",  # PERSID
        b"\x80\x04NQ.",  # BINPERSID
        b"\x80\x05\x97.",  # NEXT_BUFFER
        b"\x80\x04\x8c\x08datetime\x8c\x08datetime\x93)o.",
        b"\x80\x04}}b.",  # BUILD of a plain dict
        b"\x80\x04NNR.",
        b"\x80\x04NN\x81.",
        b"\x80\x04\x8c\x08datetime\x8c\x0fdatetime.now\x93)R.",
        b"\x80\x04\x8c\x0chttp.cookies\x8c\x0f_getdate.__call__\x93)R.",
    ],
)
def test_names_and_ways_to_call_are_refused(program: bytes) -> None:
    assert reason(read_pickle, program) in ("not-data", "damaged")


def test_a_known_name_is_noted_and_not_made() -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001 - as the other library writes it
    made, end = read_pickle(pickle.dumps(moment))
    assert isinstance(made, Made)
    assert made.name == "datetime.datetime"
    assert end == len(pickle.dumps(moment))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_are_as_they_were(protocol: int) -> None:
    value = {
        "a": [1, -1, 255, 65_535, -(2**31), 2**40, 1.5, None, True, False],
        "b": ("é\ud800", "x" * 300, "y" * 70_000),
        "c": {"d": (), "e": [[]], "f": {}, "g": (1,), "h": (1, 2), "i": (1, 2, 3), "j": (1, 2, 3, 4)},
    }
    if protocol > 2:
        value["k"] = [b"", b"x" * 300, b"y" * 70_000]
    data = pickle.dumps(value, protocol)
    assert read_pickle(data) == (value, len(data))
    optimised = pickletools.optimize(data)
    assert read_pickle(optimised)[0] == value


def _deep_pickle() -> bytes:
    return b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b"."


BOMBS: dict[str, tuple[Callable[[Any], object], object]] = {
    "lists in lists": (read_pickle, _deep_pickle()),
    "tuples doubled": (read_pickle, b"\x80\x04)" + b"\x94h\x00h\x00\x86" * 10_000 + b"."),
    "memo far away": (read_pickle, b"\x80\x04]r\xff\xff\xff\x7f."),
    "memo of memos": (
        read_pickle,
        b"\x80\x04]" + b"".join(b"r" + struct.pack("<I", i * 1000) for i in range(9999)) + b".",
    ),
    "bytes of gigabytes": (read_pickle, b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x."),
    "bytes of all there is": (read_pickle, b"\x80\x04\x8e" + b"\xff" * 8 + b"."),
    "text of gigabytes": (read_pickle, b"\x80\x04X" + struct.pack("<I", 2**31) + b"x."),
    "bytearray of gigabytes": (read_pickle, b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x."),
    "frame of gigabytes": (read_pickle, b"\x80\x04\x95" + struct.pack("<Q", 2**40)),
    "a long number": (read_pickle, b"\x80\x04\x8b" + struct.pack("<I", 10_000_000) + b"\xff" * 10_000_000 + b"."),
    "a number in digits": (read_pickle, b"\x80\x04L" + b"9" * 1_000_000 + b"L\n."),
    "many steps": (read_pickle, b"\x80\x04" + b"N0" * 2_000_000 + b"N."),
    "tuple as a key": (read_pickle, b"\x80\x04})" + b"\x94h\x00h\x00\x86" * 60 + b"Ns."),
    "a list in itself": (read_pickle, b"\x80\x04]\x94h\x00a."),
    "documents in documents": (read_bson, None),
    "a length beyond": (read_bson, b"\x10\x00\x00\x00\x02a\x00\xff\xff\xff\x7fx\x00\x00\x00\x00"),
    "a negative length": (read_bson, b"\x10\x00\x00\x00\x05a\x00\xff\xff\xff\xff\x00x\x00\x00\x00"),
    "JSON in JSON": (read_json, "[" * 1_000_000),
    "objects in objects": (read_json, '{"a":' * 200_000),
    "digits": (read_json, "9" * 1_000_000),
    "lists of YAML": (read_yaml, "[" * 100_000),
    "laughter": (
        read_yaml,
        "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)),
    ),
    "merges": (
        read_yaml,
        "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 30)),
    ),
    "in itself": (read_yaml, "&a [*a]"),
    "a tag": (read_yaml, "a: !!python/object/apply:os.system ['true']"),
    "a tag of its own": (read_yaml, "!evil {a: 1}"),
    "a name": (read_yaml, "!!python/name:os.system"),
    "a set": (read_yaml, "!!set {a, b}"),
}


def _nested_bson(depth: int) -> bytes:
    data = b"\x05\x00\x00\x00\x00"
    for _ in range(depth):
        data = struct.pack("<i", len(data) + 8) + b"\x03a\x00" + data + b"\x00"
    return data


@pytest.mark.once
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_more_than_reading_it(name: str) -> None:
    read, data = BOMBS[name]
    given: Any = _nested_bson(50_000) if data is None else data
    tracemalloc.start()
    began = time.thread_time()
    said = reason(read, given)
    took = time.thread_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said in ("damaged", "not-data", "too-large", "needs-library", "read")
    if name not in ("a list in itself", "tuples doubled", "memo far away", "memo of memos", "lists in lists"):
        assert said != "read"
    assert took < 10.0
    assert peak < 40 * len(given) + 100_000_000


def test_a_signature_is_looked_at_before_the_value() -> None:
    data = pickle.dumps(Running())
    assert reason(Values("key").read, data + b"." + b"A" * 27) == "bad-signature"
    assert reason(Values("key").read, data) == "unsigned"
    assert reason(Values(None).read, data) == "not-data"
    assert not ran


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 10, 50, 90, -1, -2])
def test_what_is_cut_short_is_damaged(cut: int) -> None:
    value = {"status_code": 200, "_content": "eA==", "request": {"method": "GET", "url": "http://a.example/"}}
    for data in (pickle.dumps(value), json.dumps(value).encode(), json.dumps(value)):
        assert reason(Values(None).read, data[:cut]) == "damaged"


@pytest.mark.parametrize("raw", [None, 7, 1.5, b"", "", [], b"\xff\xfe\xfd", b"\x80", b"\x80\x04", b"\x00" * 64])
def test_what_is_no_value(raw: object) -> None:
    assert reason(Values(None).read, raw) == "damaged"


def test_yaml_reads_what_the_others_write() -> None:
    yaml: Any = pytest.importorskip("yaml")
    value = {
        "text": "a: b\n# c", "number": 12, "negative": -3, "real": 1.5, "nothing": None, "yes": True, "no": False,
        "list": [1, "2", [], {}], "bytes": bytes(range(256)), "moment": "2024-05-06T07:08:09+00:00", "digits": "0123",
        "": "", "date": "2024-05-06", "exponent": 1e300, "sign": "+1", "colon": "12:30:45", "null text": "null",
    }  # fmt: skip
    assert read_yaml(yaml.safe_dump(value)) == value
    assert read_yaml(yaml.safe_dump(value, default_flow_style=True)) == value


def test_bson_reads_what_the_others_write() -> None:
    bson: Any = pytest.importorskip("bson")
    value = {"a": "é", "b": b"\x00\x01", "c": [1, 2**40, 1.5, None, True], "d": {"e": {}}, "": ""}
    assert read_bson(bson.encode(value)) == value
    for other in (bson.Code("x"), bson.Regex("x"), bson.ObjectId(), bson.MinKey()):
        assert reason(read_bson, bson.encode({"a": other})) == "damaged"
