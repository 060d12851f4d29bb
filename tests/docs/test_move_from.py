"""The pages that lead here from other caches: every public name of those is there, and the programs print the same."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from sansio_cache_adapters.cli.demo.origin import running

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
HOWTO = ROOT / "docs" / "howto"
PAIR = re.compile(r"^```py\n(.*?)^```\n+The same here:\n+```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MODULES = {
    "requests-cache": ["requests_cache"],
    "aiohttp-client-cache": ["aiohttp_client_cache"],
    "hishel": ["hishel", "hishel.httpx2", "hishel.requests"],
    "cachecontrol": ["cachecontrol", "cachecontrol.caches", "cachecontrol.heuristics", "cachecontrol.controller"],
}
"""What the users of each import from."""
WHOSE_PARTS = {
    "requests-cache": """CachedSession CachedResponse OriginalResponse install_cache CacheSettings BaseCache SQLiteCache
        FileCache RedisCache SQLiteDict FileDict LRUFileDict RedisDict""",
    "aiohttp-client-cache": """CachedSession CachedResponse CacheBackend SQLiteBackend FileBackend RedisBackend
        BaseCache DictCache""",
    "hishel": """CacheTransport AsyncCacheTransport CacheAdapter SqliteStorage RedisStorage CacheConfig CacheOptions
        CacheStatus""",
    "cachecontrol": "CacheControl CacheControlAdapter CacheController FileCache RedisCache",
}
"""Those whose attributes and arguments users write."""
NAMED = ("requests-cache", "aiohttp-client-cache")
"""Those whose names are in ``sansio_cache.compat``."""
PEERS = tuple(modules[0] for modules in MODULES.values())
NO_USERS: set[str] = {"self", "args", "kwargs", "kw", "TYPE_CHECKING", "TIME_FMT", "PERMANENT_REDIRECT_STATUSES"}
CLIENTS = ("requests", "aiohttp", "httpx2", "urllib3")


def exported(module: ModuleType) -> Iterator[str]:
    """The classes and functions that can be imported from a module, and are of the same library."""
    library = module.__name__.partition(".")[0]
    for name, value in vars(module).items():
        of = getattr(value, "__module__", None) or ""
        if not name.startswith("_") and not isinstance(value, ModuleType) and of.partition(".")[0] == library:
            yield name


def inherited(kind: type) -> set[str]:
    """What a class has of its client's own."""
    above = [each for each in kind.__mro__ if each is object or each.__module__.partition(".")[0] in CLIENTS]
    return {name for each in above for name in dir(each)}


def parts(value: object) -> Iterator[str]:
    """The attributes of a class, and the arguments of a class or function."""
    if isinstance(value, type):
        yield from (name for name in {*dir(value), *value.__annotations__} - inherited(value) if name[0] != "_")
    call = value.__init__ if isinstance(value, type) else value  # type: ignore[misc]
    if callable(call) and call is not object.__init__:
        for parameter in inspect.signature(call).parameters.values():
            if parameter.kind is not parameter.VAR_POSITIONAL and parameter.kind is not parameter.VAR_KEYWORD:
                yield parameter.name


def names_of(peer: str) -> set[str]:
    """All that a program for another cache can have written."""
    modules = [import_module(name) for name in MODULES[peer]]
    names = {name for module in modules for name in exported(module)}
    for whose in WHOSE_PARTS[peer].split():
        value = next(getattr(module, whose) for module in modules if hasattr(module, whose))
        names.update(parts(value) if not issubclass_of_dict(value) else value.__annotations__)
    return {name for name in names if not name.startswith("_")} - NO_USERS


def issubclass_of_dict(value: object) -> bool:
    """A typed dictionary has the names of its members."""
    return isinstance(value, type) and hasattr(value, "__total__")


@pytest.mark.parametrize("peer", MODULES)
def test_every_public_name_of_another_cache_is_on_its_page(peer: str) -> None:
    for name in MODULES[peer]:
        pytest.importorskip(name.partition(".")[0])
    page = (HOWTO / f"move-from-{peer}.md").read_text("utf-8")
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL))
    told = {word for span in spans for word in re.findall(r"\w+", span)}
    assert sorted(names_of(peer) - told) == []


def pairs(*peers: str) -> Iterator[object]:
    pages = [HOWTO / f"move-from-{peer}.md" for peer in peers] or sorted(HOWTO.glob("move-from-*.md"))
    for page in pages:
        for number, (before, after) in enumerate(PAIR.findall(page.read_text("utf-8")), 1):
            yield pytest.param(before, after, id=f"{page.stem}:{number}")


def test_each_page_has_a_program_before_and_after() -> None:
    assert len(list(pairs())) >= len(MODULES)


@pytest.mark.parametrize(("before", "after"), list(pairs()))
def test_a_program_prints_the_same_before_and_after(before: str, after: str, tmp_path: Path) -> None:
    peer = next(name for name in re.findall(r"^from (\w+)", before, re.MULTILINE) if name.startswith(PEERS))
    if not find_spec(peer):
        pytest.skip(f"{peer} is not installed")
    prints_the_same(before, after, tmp_path)


@pytest.mark.parametrize(("before", "after"), list(pairs(*NAMED)))
def test_a_program_prints_the_same_by_the_names_of_the_other_cache(before: str, after: str, tmp_path: Path) -> None:
    by_names = re.sub(r"^from (\w+_cache)\b", r"from sansio_cache.compat.\1", before, flags=re.MULTILINE)
    assert "sansio_cache.compat" in by_names
    prints_the_same(by_names, after, tmp_path)


def prints_the_same(before: str, after: str, tmp_path: Path) -> None:
    printed = []
    for program in (before, after):
        with running() as api:
            done = subprocess.run(
                [sys.executable, "-c", program.replace("http://127.0.0.1:8765", api.url)],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=50,
            )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0] == printed[1] != ""
