"""Runs the public suite `http-cache-tests` against our sessions.

    python tests/conformance/run.py --client requests --client aiohttp
    cd tests && python -m conformance.run --client requests

Exits with 1 if what does not pass is not exactly what `known.py` lists, with 2 if the suite could not be run.
The suite counts in seconds: a busy machine gives wrong results.
"""

import argparse
import contextlib
import functools
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: the same module again, as part of its package
    import runpy

    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if entry != str(here)]  # its modules are no top-level ones
    sys.path.append(str(here.parent))
    runpy.run_module("conformance.run", run_name="__main__", alter_sys=True)
    sys.exit()

from . import clients, report, suite
from .known import KNOWN
from .outcomes import evaluate
from .relay import Failures, serve

CLIENTS: dict[str, Any] = {
    "requests": clients.RequestsClient,
    "requests-shared": clients.SharedRequestsClient,
    "aiohttp": clients.AiohttpClient,
    "trio": clients.TrioClient,
    "httpx2": clients.Httpx2Client,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _options(arguments)
    try:
        with contextlib.ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-")))
            root = suite.install(options.suite or scratch / "suite")
            if options.test:
                for name in options.client:
                    _show_one(name, options, root, scratch)
                return 0
            runs = [_run(name, options, root, scratch) for name in options.client]
    except suite.SuiteError as error:
        print(error, file=sys.stderr)
        return 2
    return _tell(runs, options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--client", action="append", choices=CLIENTS, help="what to test; may be repeated (default: all)")
    add(
        "--store",
        metavar="FOLDER",
        help="where each run makes a fresh store, or 'memory' (default: a temporary folder)",
    )
    session = parser.add_mutually_exclusive_group()
    session.add_argument("--plain", action="store_true", help="the HTTP library's own session, without a cache")
    factory = "another cache: a function that takes an empty folder and returns a session"
    session.add_argument("--factory", metavar="MODULE:NAME", help=factory)
    add("--suite", type=Path, default=_suite_folder(), metavar="FOLDER", help="where npm keeps the suite")
    add("--test", metavar="ID", help="run one test and show its requests and answers")
    add("--json", type=Path, metavar="FILE", help="write everything as JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
    options = parser.parse_args(arguments)
    options.client = options.client or list(CLIENTS)
    return options


def _suite_folder() -> Path | None:
    """The folder that outlives this run: named in the environment, or tox's own."""
    if named := os.environ.get("SANSIO_CACHE_SUITE"):
        return Path(named)
    if tox := os.environ.get("TOX_WORK_DIR"):
        return Path(tox) / suite.PACKAGE
    return None


def _run(name: str, options: argparse.Namespace, root: Path, scratch: Path) -> report.Run:
    failures: Failures = []
    tests = suite.load_tests(root)
    started = time.monotonic()
    with _relay(name, options, root, scratch, failures) as port:
        results = suite.run_client(root, port)
    outcomes = evaluate(tests, results)
    return report.Run(name, _session_label(options), outcomes, failures, time.monotonic() - started)


def _show_one(name: str, options: argparse.Namespace, root: Path, scratch: Path) -> None:
    failures: Failures = []
    with _relay(name, options, root, scratch, failures) as port:
        seen = suite.run_one(root, port, options.test)
    print(seen, (scratch / "origin.log").read_text("utf-8"), *(error for _, error in failures), sep="\n")


@contextlib.contextmanager
def _relay(name: str, options: argparse.Namespace, root: Path, scratch: Path, failures: Failures) -> Iterator[int]:
    client = CLIENTS[name]
    opened = functools.partial(client.opened, _maker(client, name, options, scratch))
    with suite.origin(root, scratch) as origin:
        if client.backend is None:
            with opened() as blocking, serve(blocking, origin, failures) as port:
                yield port
        else:
            from anyio.from_thread import start_blocking_portal

            from .relay_async import serve as serve_async

            with (
                start_blocking_portal(client.backend) as portal,
                portal.wrap_async_context_manager(serve_async(opened, origin, failures)) as port,
            ):
                yield port


def _maker(client: Any, name: str, options: argparse.Namespace, scratch: Path) -> Callable[[], Any]:
    """A function that makes the session, on an unused store."""
    if options.plain:
        return lambda: client.plain()
    if options.store == "memory" and not options.factory:
        from sansio_cache import MemoryStore

        return lambda: client.cached(MemoryStore())
    parent = scratch if options.store in {None, "memory"} else Path(options.store)
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    if options.factory:
        module, _, function = options.factory.partition(":")
        sys.path.append(os.getcwd())
        return functools.partial(getattr(importlib.import_module(module), function), folder)
    return lambda: client.cached(folder / "cache.sqlite")


def _session_label(options: argparse.Namespace) -> str:
    if options.plain:
        return "no cache"
    return options.factory or f"sansio-cache, {'memory' if options.store == 'memory' else 'SQLite'}"


def _tell(runs: Sequence[report.Run], options: argparse.Namespace) -> int:
    for run in runs:
        print(report.as_text(run), end="\n\n")
    if options.json:
        options.json.write_text(json.dumps([report.as_json(run) for run in runs], indent=1) + "\n", "utf-8")
    if options.markdown:
        options.markdown.write_text("\n".join(report.as_markdown(run) for run in runs), "utf-8")
    if options.plain or options.factory:
        return 0  # what we list as known is known of our own sessions
    wrong = [f"{run.client}: {line}" for run in runs for line in report.discrepancies(run, KNOWN[run.client])]
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
