"""Each extra alone: a fresh environment with the built wheel and one extra, and in it ``check.py``.

``python run.py [EXTRA ...]``. Prints what each installs: how many packages come with it. Exit status 1 if one fails.
``datasette`` is no extra of ours: there a cache is read by the tools that people read SQLite with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("none", *(each for each in PROJECT["optional-dependencies"] if each != "all"), "datasette")
MOST = {"none": 6, "requests": 11, "aiohttp": 15}
"""Packages that an extra may bring, ours included."""
WANTED = {"none": ("{}",), "datasette": ("{}", "datasette", "sqlite-utils")}
"""What is installed where it is not just the extra."""


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; its errors are shown."""
    return subprocess.run(
        [str(each) for each in command], cwd=cwd, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def wheel(folder: Path) -> Path:
    """The wheel of this tree, built into a folder."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


def packages(python: Path, folder: Path) -> list[str]:
    """What is installed, without what comes with every environment."""
    listed = json.loads(run(sys.executable, "-m", "pip", "--python", python, "list", "--format=json", cwd=folder))
    return sorted(each["name"] for each in listed if each["name"] not in ("pip", "setuptools", "wheel"))


def try_alone(extra: str, built: Path, folder: Path) -> bool:
    """Whether an extra works by itself; says what it installs."""
    venv.create(folder / extra, with_pip=False)
    python = next((folder / extra).glob("[bS][ic]*/python*"))
    wanted = WANTED.get(extra, (f"{{}}[{extra}]",))
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        *(each.format(built) for each in wanted),
        cwd=folder,
    )
    found = packages(python, folder)
    few = len(found) <= MOST.get(extra, 99)
    done = subprocess.run(
        [
            str(python),
            "-W",
            "default" if extra == "datasette" else "error",
            str(Path(__file__).with_name("check.py")),
            extra,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    works = done.returncode == 0 and few
    print(f"{extra:9} {'works' if works else 'FAILS'}, {len(found)} packages: {', '.join(found)}", flush=True)
    if not works:
        print(done.stderr or f"more than {MOST.get(extra)} packages")
    return works


def main() -> int:
    """Try those asked for, or all; the exit status."""
    asked = sys.argv[1:] or EXTRAS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = wheel(folder)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            tried = list(pool.map(lambda extra: try_alone(extra, built, folder), asked))
    print(f"{sum(tried)} passed, {len(tried) - sum(tried)} failed")
    return 0 if all(tried) else 1


sys.exit(main())
