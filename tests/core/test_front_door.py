"""The front door: everything users need, loaded when it is first used."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sansio_cache
import sansio_cache.testing

SOURCE = ast.parse(Path(sansio_cache.__file__).read_text(encoding="utf-8"))


def _for_checkers() -> dict[str, str]:
    """What type checkers see: each name and the module that it comes from."""
    block = next(node for node in SOURCE.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    seen: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        module = f"sansio_cache.{node.module}" if node.level else str(node.module)
        for alias in node.names:
            assert alias.asname == alias.name, "re-exported by the form that checkers take for it"
            seen[alias.name] = module
    return seen


def test_checkers_see_what_is_there() -> None:
    """``__all__``, the table of lazy names and the TYPE_CHECKING block agree."""
    lazy = sansio_cache._LAZY
    assert len(sansio_cache.__all__) == len(set(sansio_cache.__all__))
    assert set(sansio_cache.__all__) == set(lazy)
    assert _for_checkers() == lazy
    assert set(sansio_cache.__all__) <= set(dir(sansio_cache))


@pytest.mark.parametrize("name", sansio_cache.__all__)
def test_every_name_has_its_module(name: str) -> None:
    module = sansio_cache._LAZY[name]
    if importlib.util.find_spec(module) is None:
        pytest.fail(f"{module} does not exist")


@pytest.mark.parametrize("name", [name for name, module in sansio_cache._LAZY.items() if "adapters" not in module])
def test_a_name_of_the_core_is_loaded_on_first_use(name: str) -> None:
    value = getattr(sansio_cache, name)
    assert value is getattr(importlib.import_module(sansio_cache._LAZY[name]), name)
    assert vars(sansio_cache)[name] is value, "kept, so that the second use costs nothing"


def test_its_version_is_that_of_what_is_installed() -> None:
    assert sansio_cache.__version__ == importlib.metadata.version("sansio-cache")


def test_another_name_is_an_error_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'sansio_cache' has no attribute 'Nonsense'"):
        _ = sansio_cache.Nonsense  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"module 'sansio_cache\.testing' has no attribute 'Nonsense'"):
        _ = sansio_cache.testing.Nonsense  # type: ignore[attr-defined]


def test_the_public_contract_is_the_one_in_the_adapters() -> None:
    import sansio_cache_adapters.testing as real

    for name in sansio_cache.testing.__all__:
        assert getattr(sansio_cache.testing, name) is getattr(real, name)


LOADED = """
import json, sys
before = set(sys.modules)
import sansio_cache
dir(sansio_cache)
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50).stdout


def test_importing_it_loads_no_third_party_module() -> None:
    """No client, no store, not even msgspec: a program that may not use the cache does not pay for it."""
    loaded = set(json.loads(_run(LOADED)))
    assert loaded - set(sys.stdlib_module_names) == {"sansio_cache"}


MISSING = """
import sys
sys.modules["{module}"] = None
import sansio_cache
try:
    sansio_cache.{name}
except ImportError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("CachedSession", "requests", "requests"),
        ("AsyncCachedSession", "aiohttp", "aiohttp"),
        ("TrioCachedSession", "h11", "trio"),
        ("TrioCachedSession", "anyio", "trio"),
        ("CacheTransport", "httpx2", "httpx"),
        # By the name that was asked for, not by who else brings the module.
        ("AsyncCacheTransport", "anyio", "httpx"),
    ],
)
def test_a_missing_extra_says_how_to_install_it(name: str, module: str, extra: str) -> None:
    said = _run(MISSING.format(name=name, module=module)).strip()
    assert said.startswith(f"ImportError {name} needs {module}")
    assert said.endswith(f"pip install 'sansio-cache[{extra}]'")


@pytest.mark.parametrize(
    ("imported", "raised"),
    [("aiohttp.nothing", ImportError), ("a_module_of_nobody", ModuleNotFoundError)],
    ids=["of an extra", "of nobody"],
)
def test_only_what_an_extra_brings_is_said_to_be_missing(
    imported: str, raised: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"made_for_{raised.__name__.lower()}"
    (tmp_path / f"{module}.py").write_text(f"import {imported}\n", encoding="utf-8")
    folder = importlib.import_module("sansio_cache_adapters.aiohttp")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    monkeypatch.setitem(sansio_cache._LAZY, "Made", f"{folder.__name__}.{module}")
    with pytest.raises(ImportError) as caught:
        _ = sansio_cache.Made  # type: ignore[attr-defined]
    assert type(caught.value) is raised
    assert ("pip install 'sansio-cache[aiohttp]'" in str(caught.value)) is (raised is ImportError)


WITHOUT = """
import sys
for module in ("aiohttp", "httpx2", "requests"):
    sys.modules[module] = None
from inspect import getmembers
from sansio_cache import *
import sansio_cache
names = {name for name, _ in getmembers(sansio_cache)}
print("TrioCachedSession" in names, "SQLiteStore" in names, "CachedSession" in names, TrioCachedSession.__name__)
"""


def test_a_star_and_an_inspector_take_what_is_installed() -> None:
    assert _run(WITHOUT).split() == ["True", "True", "False", "TrioCachedSession"]


def test_what_is_missing_of_our_own_is_no_missing_extra() -> None:
    """An import that fails for another reason comes out as it is."""
    said = _run(MISSING.format(name="Policy", module="sansio_cache.policy")).strip()
    assert said.startswith("ModuleNotFoundError import of sansio_cache.policy halted")
