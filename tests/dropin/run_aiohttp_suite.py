"""Run aiohttp's own tests of its client with ``AsyncCachedSession`` in the place of ``aiohttp.ClientSession``.

    python tests/dropin/run_aiohttp_suite.py

Fetches the source distribution of the installed aiohttp with pip and runs its tests three times: with aiohttp as it
is, with a cache, and with a cache that answers every GET that can be kept. What fails only with the cache is listed.
Needs what aiohttp's tests need: ``pytest-mock``, ``pytest-timeout``, ``freezegun``, ``blockbuster``, ``isal``,
``zlib_ng``, ``trustme``, ``pytest_codspeed``, ``proxy.py``, ``coverage`` and ``setuptools``.

With hits some fail for what a hit is: it has an Age and no Transfer-Encoding, no connection, no cookies and the
version 1.1, it outlives its session, and it needs no second request where a test counts them; others hang or count
twice because each response is read first, to its end or for two seconds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = [
    *("client_functional", "client_session", "client_ws_functional", "client_middleware", "client_response"),
    *("client_middleware_digest_auth", "proxy_functional", "web_functional", "web_sendfile_functional"),
    *("test_utils", "connector"),
]


def fetch(folder: Path) -> Path:
    """The unpacked source distribution; its tests are for the installed package, not for the sources beside them."""
    wanted = f"aiohttp=={version('aiohttp')}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "aiohttp", wanted]
    subprocess.run([*command, "-d", str(folder)], check=True)
    archive = next(folder.glob("aiohttp-*.tar.gz"))
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    suite = folder / archive.name.removesuffix(".tar.gz")
    shutil.rmtree(suite / "aiohttp")
    return suite


def run(suite: Path, mode: str, report: Path) -> dict[str, str]:
    """The outcome of every test; ``mode`` is ``none`` for aiohttp as it is."""
    command = [sys.executable, "-m", "pytest", *(f"tests/test_{name}.py" for name in TESTS), "-q", "--timeout=60"]
    command += [
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "-o",
        "faulthandler_timeout=0",
        f"--junitxml={report}",
        *sys.argv[1:],
    ]
    environment = os.environ | {"SANSIO_CACHE_DROPIN": mode}
    if mode != "none":
        command += ["-p", "aiohttp_plugin"]
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
        print("\n".join(broken))
    return 1 if any(each.startswith("plain") for each in broken) else 0


if __name__ == "__main__":
    sys.exit(main())
