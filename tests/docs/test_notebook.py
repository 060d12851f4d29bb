"""The cells of the how-to for notebooks, run in order as a kernel runs them: each may await, on a loop that goes on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sansio_cache_adapters.cli.demo.origin import running

pytestmark = pytest.mark.once

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "notebooks.md"
CELLS = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
KERNEL = """
import ast, asyncio, inspect, json, os, sys

async def run(cells):
    names = {"__name__": "__main__"}
    for cell in cells:
        code = compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
    sys.stdout.flush()
    os._exit(0)  # a kernel that is restarted closes nothing

asyncio.run(run(json.load(sys.stdin)))
"""


def kernel(cells: list[str], folder: Path) -> list[str]:
    """What the cells print, run in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", KERNEL],
        input=json.dumps(cells),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return [line.rpartition(" ")[2] for line in done.stdout.splitlines()]


def test_the_cells_run_and_what_they_fetched_outlives_the_kernel(tmp_path: Path) -> None:
    assert len(CELLS) == 8
    with running() as origin:
        cells = [cell.replace("http://127.0.0.1:8765", origin.url) for cell in CELLS]
        assert kernel(cells, tmp_path) == ["False", "False", "True", "True"]
        assert kernel(cells, tmp_path) == ["True", "True", "True", "True"]


def test_every_cell_may_be_run_again(tmp_path: Path) -> None:
    with running() as origin:
        cells = [cell.replace("http://127.0.0.1:8765", origin.url) for cell in CELLS]
        twice = [cell for cell in cells for _ in range(2) if "AsyncCachedSession(" not in cell or "async with" in cell]
        closes = [cell for cell in cells if cell not in twice]
        assert len(closes) == 1, "the session that stays open: aiohttp tells of one that is not closed"
        told = kernel([cells[0], *twice[:8], closes[0], *twice[8:]], tmp_path)
        assert told == ["False", "True", "False", "True", "True", "True", "True", "True"]
