"""The suite itself: fetching it, reading its tests, running its origin and its client."""

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

PACKAGE = "http-cache-tests"
VERSION = "0.4.5"

Kind = Literal["required", "optimal", "check"]
Raw = dict[str, Any]
"""Results as the suite prints them: test id → true, or [name of the error, its message]."""

#: Written by its own script because the suite's exporter needs a package that its release does not depend on.
#: Surrogate-Control is left out, as in the suite's own index of tests: no RFC, and not for a client's cache.
_EXPORT = "import tests from './tests/index.mjs'; console.log(JSON.stringify(tests))"


class SuiteError(Exception):
    """The suite could not be fetched, started or read."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test of the suite."""

    id: str
    section: str
    name: str
    kind: Kind
    depends_on: tuple[str, ...]
    browser_only: bool  # not run by the suite's command line, hence not by us
    browser_skip: bool  # not run in browsers: needs a shared cache, or what a browser's fetch() hides

    @property
    def is_common(self) -> bool:
        """Whether every kind of cache runs this test."""
        return not self.browser_only and not self.browser_skip


def install(folder: Path) -> Path:
    """The suite's root below `folder`, fetched with npm unless it is there."""
    folder = folder.resolve()
    root = folder / "node_modules" / PACKAGE
    if not _is_installed(root):
        folder.mkdir(parents=True, exist_ok=True)
        what = f"{PACKAGE}@{VERSION}"
        flags = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
        done = _run([_tool("npm"), "install", "--prefix", str(folder), *flags, what], folder, timeout=120)
        if done.returncode or not _is_installed(root):
            raise SuiteError(f"npm could not install {what}:\n{done.stderr.strip()}")
    return root


def load_tests(root: Path) -> list[Test]:
    """All tests in the suite's order."""
    done = _run([_tool("node"), "--input-type=module", "--eval", _EXPORT], root, timeout=60)
    if done.returncode:
        raise SuiteError(f"node could not read the tests:\n{done.stderr.strip()}")
    return [_test(section["id"], test) for section in json.loads(done.stdout) for test in section["tests"]]


@contextlib.contextmanager
def origin(root: Path, folder: Path) -> Iterator[int]:
    """The port of the suite's origin; its log is `folder`/origin.log."""
    preload = Path(__file__).with_name("origin.cjs")
    settings = {"protocol": "http", "port": "0", "pidfile": str(folder / "origin.pid")}
    log = folder / "origin.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [_tool("node"), "--require", str(preload), "server/server.mjs"],
            cwd=root,
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait_for_port(server, log)
    finally:
        server.terminate()
        server.wait()


def run_client(root: Path, relay_port: int, timeout: float = 300) -> Raw:
    """The results of all tests against the relay."""
    out = _client(root, relay_port, "", timeout)
    try:
        # Warnings of the suite come before the results, which are the only lines that begin with a brace.
        return cast(Raw, json.loads(out[out.index("{\n") :]))
    except ValueError:
        raise SuiteError(f"the suite's client printed no results:\n{out[-2000:]}") from None


def run_one(root: Path, relay_port: int, test_id: str, timeout: float = 60) -> str:
    """What the suite prints about one test: each request and answer as its client saw them, and the result."""
    return _client(root, relay_port, test_id, timeout)


def _client(root: Path, relay_port: int, test_id: str, timeout: float) -> str:
    settings = {"base": f"http://127.0.0.1:{relay_port}", "id": test_id}
    done = _run([_tool("node"), "--no-warnings", "cli.mjs"], root, timeout, settings)
    if done.returncode or done.stderr.strip():
        raise SuiteError(f"the suite's client failed:\n{done.stderr.strip()}")
    return done.stdout


def _run(
    command: list[str], folder: Path, timeout: float, settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = _environment(settings or {})
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise SuiteError(f"{Path(command[0]).name} did not end within {timeout:.0f} s") from None


def _environment(settings: dict[str, str]) -> dict[str, str]:
    # The suite reads its settings as npm would hand them over: `npm_config_*`, else `npm_package_config_*`. An empty
    # id must be in both, or the suite looks for a test named "undefined".
    npm = {f"npm_{scope}_{name}": value for name, value in settings.items() for scope in ("config", "package_config")}
    return os.environ | npm


def _wait_for_port(server: subprocess.Popen[bytes], log: Path, timeout: float = 15) -> int:
    deadline = time.monotonic() + timeout
    while server.poll() is None and time.monotonic() < deadline:
        for line in log.read_text("utf-8").splitlines():
            if line.startswith("Listening on "):
                return int(line.rstrip("/").rpartition(":")[2])
        time.sleep(0.02)
    raise SuiteError(f"the suite's origin did not start:\n{log.read_text('utf-8').strip()}")


def _tool(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise SuiteError(f"{name} is not on PATH; the suite {PACKAGE} needs Node.js 14.8 or newer, with npm")
    return path


def _is_installed(root: Path) -> bool:
    try:
        return bool(json.loads((root / "package.json").read_text("utf-8"))["version"] == VERSION)
    except (OSError, ValueError, KeyError):
        return False


def _test(section: str, raw: Raw) -> Test:
    return Test(
        id=raw["id"],
        section=section,
        name=raw["name"],
        kind=raw.get("kind", "required"),
        depends_on=tuple(raw.get("depends_on", ())),
        browser_only=raw.get("browser_only", False),
        browser_skip=raw.get("browser_skip", False),
    )
