"""Run requests' own test suite with ``CachedSession`` in the place of ``requests.Session``.

    python tests/dropin/run_requests_suite.py

Fetches the source distribution of the installed requests with pip and runs its tests three times: with requests as it
is, with a cache, and with a cache that answers every GET that can be kept. What fails only with the cache is listed.
Needs ``pytest-httpbin``, ``httpbin``, ``pytest-mock``, ``PySocks`` and ``trustme``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from importlib.metadata import version
from pathlib import Path

EXPECTED = {
    f"hits: tests.test_requests.TestRequests::{name}": "a stored response sets no cookies (security.md, G13)"
    for name in (
        "test_set_cookie_on_301",
        "test_cookie_sent_on_redirect",
        "test_cookie_removed_on_expire",
        "test_cookie_quote_wrapped",
        "test_request_with_bytestring_host",
    )
}
"""What cannot be otherwise, and why."""

HERE = Path(__file__).resolve().parent


def fetch(folder: Path) -> Path:
    """The unpacked source distribution."""
    wanted = f"requests=={version('requests')}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "requests", wanted]
    subprocess.run([*command, "-d", str(folder)], check=True)
    archive = next(folder.glob("requests-*.tar.gz"))
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def run(suite: Path, mode: str, report: Path) -> dict[str, str]:
    """The outcome of every test; ``mode`` is ``none`` for requests as it is."""
    command = [sys.executable, "-m", "pytest", "tests", "-q", "--timeout=60", "-p", "no:cacheprovider"]
    command += ["-o", "addopts=", f"--junitxml={report}", *sys.argv[1:]]
    environment = os.environ | {"SANSIO_CACHE_DROPIN": mode}
    if mode != "none":
        command += ["-p", "requests_plugin"]
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=False)
    print(f"{mode}: {done.stdout.strip().splitlines()[-1]}")
    outcomes: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes[name] = next((each.tag for each in case if each.tag in ("failure", "error", "skipped")), "passed")
    return outcomes


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = fetch(folder)
        plain = run(suite, "none", folder / "none.xml")
        broken: list[str] = []
        for mode in ("plain", "hits"):
            ours = run(suite, mode, folder / f"{mode}.xml")
            worse = [test for test, was in plain.items() if was == "passed" and ours.get(test) != "passed"]
            broken += [f"{mode}: {test}" for test in worse]
        passed = sum(each == "passed" for each in plain.values())
        print(f"{passed} pass without a cache; broken by it: {len(broken)}")
        for test in broken:
            print(f"{test}: {EXPECTED.get(test, 'unexplained')}")
    return 0 if EXPECTED.keys() >= set(broken) else 1


if __name__ == "__main__":
    sys.exit(main())
