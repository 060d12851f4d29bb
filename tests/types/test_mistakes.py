"""Settings and options are typed keywords: mypy and pyright catch each mistake of ``mistakes.py``, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FILE = HERE / "mistakes.py"
LINES = FILE.read_text(encoding="utf-8").splitlines()
WRONG = {number for number, line in enumerate(LINES, 1) if line.endswith("# wrong")}


def run(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout, done.stderr
    return done.stdout


def by_mypy(folder: Path) -> dict[int, str]:
    options = ["--strict", "--no-error-summary", f"--cache-dir={folder}", "--follow-imports=silent"]
    said = run("mypy", *options, str(FILE))
    found = re.findall(r"mistakes\.py:(\d+): error: (.*)", said)
    return {int(number): text for number, text in found}


def by_pyright(_: Path) -> dict[int, str]:
    said = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable, str(FILE)))
    errors = [each for each in said["generalDiagnostics"] if each["severity"] == "error"]
    return {each["range"]["start"]["line"] + 1: each["message"] for each in errors}


def test_there_are_more_than_twenty() -> None:
    assert len(WRONG) > 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", [by_mypy, by_pyright], ids=["mypy", "pyright"])
def test_each_mistake_is_caught(check: object, tmp_path: Path) -> None:
    if not find_spec("mypy" if check is by_mypy else "pyright"):
        pytest.skip("there is no such type checker here")
    assert callable(check)
    found: dict[int, str] = check(tmp_path)
    missed = [LINES[number - 1] for number in sorted(WRONG - found.keys())]
    invented = [f"{LINES[number - 1]}: {found[number]}" for number in sorted(found.keys() - WRONG)]
    assert (missed, invented) == ([], [])
