"""Run the unit tests of requests-cache and aiohttp-client-cache through ``sansio_cache.compat``.

    python tests/dropin/run_compat_suites.py [requests-cache | aiohttp-client-cache]

Fetches their source distributions with pip and runs their tests with our modules under their names
(``compat_plugin.py``). Prints, for each file, how many tests pass, how many fail by design, how many for something that
is not there, and how many otherwise; and the table of the moving pages. Needs what the tests of both need:
``requests-mock responses rich time-machine timeout-decorator tenacity cattrs url-normalize orjson ujson pymongo
pytest-asyncio pytest-aiohttp pytest-timeout faker aiosqlite aiofiles``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUITES = {
    "requests-cache": ("1.3.3", "tests/unit", ()),
    "aiohttp-client-cache": ("0.15.0", "test/unit", ("-o", "asyncio_mode=auto")),
}

BY_DESIGN = {
    "records are data, of one form, and no serializer of a program's makes them": r"test_serializers|cache_error|"
    r"unpickle_errors|delete__invalid|urls__error|cache_invalid|quiet_serde_error",
    "keys are made by the core, of which users are a part": r"test_create_key|recreate_keys|response_defaults|"
    r"cache_keys_do_not_copy|json_serialize",
    "a response is stored for its own request, and what is no response is not": r"test_update$|delete__older_than|"
    r"get_response__cache_|test_save_response|test_clear|test_delete|test_get_urls|test_has_url",
    "of a request nothing is kept but its method and URL": r"redacted|default_ignored",
    "credentials separate users, and each gets a stored answer of their own": r"vary_authorization",
    "cookies of a stored response go into no jar": r"cookies$",
    "a field does not make another method of a request": r"override_headers",
    "HEAD has no body, and a 304 answers nothing but a question": r"HEAD|304_not_modified",
    "unverified TLS makes other entries, and plain HTTP has none": r"test_verify",
    "a double in the place of a method of the cache or of the clock is not asked": r"stale_if_error__exception|"
    r"expired_request_error|stale_while_revalidate|revalidation__update|send_and_cache|no_expiration|cache_hit|"
    r"default_attrs|all_param_types|test_mixin|locks_do_not_leak",
    "a response is one of aiohttp's, with aiohttp's own parts": r"basic_attrs|case_insensitive_multidict|test_links",
}
"""Why tests fail that fail by design, by what their names say."""


def fetch(name: str, version: str, folder: Path) -> Path:
    """The unpacked source distribution."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", f"{name}=={version}"]
    subprocess.run([*command, "-d", str(folder)], check=True)
    archive = next(folder.glob(f"{name.replace('-', '_')}-*.tar.gz"))
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def run(suite: Path, tests: str, more: tuple[str, ...], report: Path) -> list[tuple[str, str, str]]:
    """For each test its file, its name, and why it failed (empty where it passed)."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        tests,
        "-q",
        "-p",
        "compat_plugin",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
    ]
    command += ["--timeout=60", "--continue-on-collection-errors", f"--junitxml={report}", *more]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    subprocess.run(command, cwd=suite, env=environment, capture_output=True, check=False)
    found: list[tuple[str, str, str]] = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        failed = next((each for each in case if each.tag in ("failure", "error")), None)
        place = (case.get("classname") or case.get("name") or "").split(".")[-1]
        text = "" if failed is None else (failed.get("message") or "") + (failed.text or "")
        found.append((place, case.get("name") or "", text))
    return found


def kind_of(place: str, name: str, text: str) -> str:
    if not text:
        return "passed"
    if any(re.search(why, f"{place} {name}") for why in BY_DESIGN.values()):
        return "by design"
    missing = r"NotImplementedError|cannot import name|has no attribute|does not have the attribute"
    return "missing" if re.search(missing, text) else "otherwise"


def main() -> int:
    wanted = sys.argv[1:] or list(SUITES)
    unexplained: list[str] = []
    for name in wanted:
        version, tests, more = SUITES[name]
        with tempfile.TemporaryDirectory() as folder:
            suite = fetch(name, version, Path(folder))
            outcomes = run(suite, tests, more, Path(folder, "report.xml"))
        table: dict[str, Counter[str]] = {}
        for place, test, text in outcomes:
            kind = kind_of(place, test, text)
            table.setdefault(place, Counter())[kind] += 1
            if kind == "otherwise":
                unexplained.append(f"{place}::{test}")
        print(f"\n| {name} {version} | passed | by design | missing | otherwise |\n|---|---:|---:|---:|---:|")
        for place, counts in [*table.items(), ("all", sum(table.values(), Counter[str]()))]:
            numbers = [str(counts[kind]) for kind in ("passed", "by design", "missing", "otherwise")]
            print(f"| {place} | {' | '.join(numbers)} |")
    print(*("", *unexplained), sep="\n")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
