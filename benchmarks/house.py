"""Measures the modules: their number, lines and circles, the verbs of stores, and the way of a hit and of a miss.

``tox -e house`` prints each figure beside the one before there were folders, and beside the aim.
"""

from __future__ import annotations

import ast
import re
import sqlite3
import sys
import tempfile
import threading
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import sansio_cache
import sansio_cache_adapters
from sansio_cache import CachedSession, SQLiteStore
from sansio_cache_adapters.stores.protocol import Store

ROOT = Path(__file__).resolve().parents[1]
CORE, ADAPTERS = ROOT / "src" / "sansio_cache", ROOT / "adapters" / "sansio_cache_adapters"
OURS = tuple(str(Path(each.__file__ or "").parent) for each in (sansio_cache, sansio_cache_adapters))
NOT_COUNTED = ("cli", "compat", "importing", "replay")
"""Folders and modules that the aim for lines leaves out."""


class Row(NamedTuple):
    """One figure.

    :ivar before: the figure before each client and store had a folder; ``""`` where it was not measured.
    :ivar aim: the figure that it should have; ``""`` where there is no aim.
    """

    what: str
    before: str
    figure: str
    aim: str


def sources(folder: Path) -> list[Path]:
    """The modules below a folder."""
    return sorted(folder.rglob("*.py"))


def code_lines(path: Path) -> int:
    """Lines that do something: no docstrings, comments, imports and blank ones."""
    text = path.read_text(encoding="utf-8")
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    quiet = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in quiet and token.type != tokenize.ENCODING:
                lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - left_out)


def module_name(path: Path) -> str:
    """The dotted name of a module of ours."""
    parts = path.relative_to(CORE.parent if path.is_relative_to(CORE) else ADAPTERS.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, known: set[str]) -> Iterator[str]:
    """The modules of ours that a module imports, for type checkers too; not those that it loads when it needs them."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _top_level(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
            continue
        base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
        module = ".".join(filter(None, [base if node.level else "", node.module or ""]))
        for alias in node.names:
            found = f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module
            if found in known and found != name:
                yield found


def _top_level(block: ast.Module | ast.If) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in block.body:
        if isinstance(node, ast.If):
            yield from _top_level(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def circles() -> list[list[str]]:
    """Modules that import each other in a circle, smallest sets of them (Tarjan's components)."""
    paths = {module_name(path): path for folder in (CORE, ADAPTERS) for path in sources(folder)}
    # The front door names everything for type checkers: it is no part of the house.
    graph = {name: sorted(set(imports(path, set(paths)))) for name, path in paths.items() if name != "sansio_cache"}
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in graph.get(name, ()):
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            component: list[str] = []
            while not component or component[-1] != name:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    sys.setrecursionlimit(5000)
    for name in graph:
        if name not in number:
            visit(name)
    return found


class Way(NamedTuple):
    """What one request passed through in its own thread."""

    frames: int
    modules: int
    changes: int
    loads: int
    transactions: int


_begun: Counter[int] = Counter()
"""The transactions that write, by thread."""


def _traced(connect: Callable[..., sqlite3.Connection], *arguments: Any, **keywords: Any) -> sqlite3.Connection:
    """A connection that counts its transactions, those of a single statement too, whatever class it is of."""

    def trace(statement: str) -> None:
        alone = re.match(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", statement) and not connection.in_transaction
        if alone or re.match(r"\s*BEGIN IMMEDIATE", statement):
            _begun[threading.get_ident()] += 1

    connection = connect(*arguments, **keywords)
    connection.set_trace_callback(trace)
    return connection


def passed(request: Callable[[], object], store: Any) -> Way:
    """What a request passes through."""
    frames: list[str] = []
    loads = 0
    load = store.load

    def counted(partition: bytes) -> Any:
        nonlocal loads
        loads += 1
        return load(partition)

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            frames.append(frame.f_code.co_filename)

    begun = _begun[threading.get_ident()]
    store.load = counted
    sys.setprofile(profile)
    try:
        request()
    finally:
        sys.setprofile(None)
        store.load = load
    changes = sum(one != other for one, other in pairwise(frames))
    return Way(len(frames), len(set(frames)), changes, loads, _begun[threading.get_ident()] - begun)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Length", "500")
        self.end_headers()
        self.wfile.write(bytes(500))

    def log_message(self, *_: Any) -> None: ...


def ways() -> tuple[Way, Way]:
    """What a miss and a warm hit of requests pass through, on a signed SQLite file, with a body of 500 bytes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connect = sqlite3.connect
    sqlite3.connect = partial(_traced, connect)  # type: ignore[assignment]
    try:
        with tempfile.TemporaryDirectory() as folder:
            store = SQLiteStore(f"{folder}/c.sqlite")
            with CachedSession(store, secret_key="a secret of at least 16 bytes") as session:
                url = f"http://127.0.0.1:{server.server_port}/"
                for _ in range(3):
                    session.get(url + "warm")
                miss = passed(lambda: session.get(url + "cold"), store)
                hit = passed(lambda: session.get(url + "warm"), store)
    finally:
        sqlite3.connect = connect
        server.shutdown()
        server.server_close()
    return miss, hit


def untested() -> list[str]:
    """Modules of the shared folder without a test file of their own."""
    return [
        path.stem
        for path in sources(ADAPTERS / "cache")
        if path.stem != "__init__" and not (ROOT / "tests" / "cache" / f"test_{path.stem}.py").exists()
    ]


def rows() -> list[Row]:
    """The table."""
    direct = [path for path in ADAPTERS.glob("*.py") if path.stem != "__init__"]
    counted = [path for path in sources(ADAPTERS) if not set(NOT_COUNTED) & {*path.parts, path.stem}]
    verbs = [name for name, value in vars(Store).items() if callable(value) and not name.startswith("_")]
    unnamed = [
        path for path in (ROOT / "tests" / "promises").glob("test_g*.py") if re.fullmatch(r"test_g\d+", path.stem)
    ]
    miss, hit = ways()
    round_trips = circles()
    return [
        Row("modules directly in the adapters' folder", "50", str(len(direct)), "4 or less"),
        Row("code lines of the adapters", "11,400, all counted", f"{sum(map(code_lines, counted)):,}", "8,500 or less"),
        Row("code lines of the core", "", f"{sum(map(code_lines, sources(CORE))):,}", ""),
        Row(
            "frames of a miss",
            "468 in 42 modules",
            f"{miss.frames} in {miss.modules} modules, {miss.changes} changes",
            "300 or less",
        ),
        Row("frames of a warm hit", "90 in 25 modules", f"{hit.frames} in {hit.modules} modules", "80 or less"),
        Row("loads of a partition in a miss", "3", str(miss.loads), "2"),
        Row("write transactions in a miss", "3", str(miss.transactions), "1"),
        Row("verbs of the store protocol", "24", str(len(verbs)), "16 or less"),
        Row(
            "circles of imports",
            "",
            str(len(round_trips)) + "".join(f"; {' ~ '.join(each)}" for each in round_trips),
            "0",
        ),
        Row("shared modules without a test of their own", "all", str(len(untested())), "0"),
        Row("promises' tests named by a number alone", "28", str(len(unnamed)), "0"),
    ]


def main() -> None:
    """Print the table."""
    table = rows()
    lines = [("", "before", "now", "aim"), *table]
    wide = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        print("  ".join(f"{text:{width}}" for text, width in zip(line, wide, strict=True)).rstrip())
    print("\nlines by folder:")
    folders = Counter[str]()
    for path in sources(ADAPTERS):
        folders["/".join(path.relative_to(ADAPTERS).parts[:-1]) or "."] += code_lines(path)
    for name, count in sorted(folders.items()):
        print(f"  {name:16} {count:6,}")


if __name__ == "__main__":
    main()
