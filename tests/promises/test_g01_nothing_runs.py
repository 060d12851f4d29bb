"""G1: nothing read from a store can run."""

from __future__ import annotations

import ast
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacker import Attacker
from local_origin import Origin, fresh

import sansio_cache
import sansio_cache_adapters

PACKAGES = [Path(str(package.__file__)).parent for package in (sansio_cache, sansio_cache_adapters)]
FORBIDDEN_MODULES = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "jsonpickle", "bson"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


class Bomb:
    """Unpickled, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("size", [10, 30_000, 2_000_000])
def test_a_planted_pickle_does_not_run(
    sessions: Any, cache_file: Path, tmp_path: Path, origin: Origin, secret: bool, size: int
) -> None:
    """G1: whatever column it lies in, whatever the size of the body, signed or not."""
    url = origin.on("/a", fresh(bytes(size)))
    key = {} if secret else {"secret_key": ...}
    sessions(**key).get(url)
    attacker = Attacker(cache_file)
    bomb = pickle.dumps(Bomb(tmp_path / "ran"))
    for column, kind in attacker.columns().items():
        if kind == "BLOB":
            attacker.put("/a", **{column: bomb})
            assert read(sessions(on_bad_signature="miss", **key), url) in (b"", bytes(size))
            sessions(**key).get(url, force_refresh=True)
    for table, column in (("small", "data"), ("chunks", "data"), ("bodies", "hashes"), ("meta", "store_id")):
        attacker.run(f"UPDATE {table} SET {column} = ?", bomb)
        assert read(sessions(on_bad_signature="miss", **key), url) in (b"", bytes(size))
        sessions(**key).get(url, force_refresh=True)
    assert not (tmp_path / "ran").exists()


def read(session: Any, url: str) -> bytes:
    """The body, or nothing where it is found to be forged."""
    try:
        content: bytes = session.get(url).content
    except sansio_cache.CacheError:
        return b""
    return content


def modules() -> Iterator[tuple[str, ast.AST]]:
    for folder in PACKAGES:
        for path in sorted(folder.rglob("*.py")):
            yield str(path.relative_to(folder.parent)), ast.parse(path.read_text("utf-8"))


@pytest.mark.once
def test_no_module_can_run_what_it_reads() -> None:
    """G1: none imports a serializer that runs code, none evaluates; what moves old caches in unpickles no global."""
    found: list[str] = []
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [f"{name}: {each.name}" for each in node.names if each.name in FORBIDDEN_MODULES]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module in FORBIDDEN_MODULES:
                found.append(f"{name}: {node.module}")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                found.append(f"{name}: {node.func.id}")
    assert found == []


@pytest.mark.once
def test_modules_are_imported_by_names_of_our_own() -> None:
    """G1: from tables in the code, in the few modules that find out what is installed."""
    calls = {
        Path(name).as_posix()
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "import_module" in ast.dump(node.func)
    }
    assert calls <= {
        "sansio_cache/__init__.py",
        "sansio_cache/__main__.py",
        "sansio_cache/compat.py",
        "sansio_cache/digests.py",
        "sansio_cache/testing.py",
        "sansio_cache_adapters/stores/redis/clients.py",
        "sansio_cache_adapters/cache/decoding.py",
        "sansio_cache_adapters/cache/first_use.py",
        "sansio_cache_adapters/cli/app.py",
        "sansio_cache_adapters/cli/fetching.py",
        "sansio_cache_adapters/cli/requests.py",
        "sansio_cache_adapters/cli/secret.py",
        "sansio_cache_adapters/compat/__init__.py",
        "sansio_cache_adapters/importing/texts.py",
        "sansio_cache_adapters/moved.py",
        "sansio_cache_adapters/trio/http/client.py",
        "sansio_cache_adapters/trio/http/suffixes.py",
    }
