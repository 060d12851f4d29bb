"""What importing costs, and the first session on a new file. Each time is taken in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from suite.model import Cell, Figure, Scenario, Startup

SCRIPT = """
from time import perf_counter
PATH = {path!r}
started = perf_counter()
{imports}
imported = perf_counter()
{session}
made = perf_counter()
print(1000 * (imported - started), 1000 * (made - started))
"""

ASYNC_SCRIPT = """
from time import perf_counter
PATH = {path!r}
started = perf_counter()
{imports}
imported = perf_counter()
async def main():
    {session}
    global made
    made = perf_counter()
{run}
print(1000 * (imported - started), 1000 * (made - started))
"""

RUN = {"asyncio": "import asyncio; asyncio.run(main())", "trio": "import trio; trio.run(main)"}


async def startup(cell: Cell) -> dict[str, float]:
    """The milliseconds from nothing to the import, and from nothing to the first session."""
    recipe = cell.contender.startup
    assert recipe is not None
    _once(cell, recipe, "first")  # compiles what is not yet compiled
    times = [_once(cell, recipe, f"new{number}") for number in range(cell.scale.starts)]
    figures = {"import": median(imported for imported, _ in times)}
    if recipe.session:
        figures["session"] = median(made for _, made in times)
    return figures


def _once(cell: Cell, recipe: Startup, name: str) -> tuple[float, float]:
    template = ASYNC_SCRIPT if recipe.loop else SCRIPT
    source = template.format(
        path=str(cell.folder / f"{name}.sqlite"),
        imports=recipe.imports,
        session=recipe.session or "pass",
        run=RUN.get(recipe.loop, ""),
    )
    # Isolated, so that neither this suite nor the user's own site is on the path.
    done = subprocess.run([sys.executable, "-I", "-c", source], capture_output=True, text=True, timeout=60)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1]
        if last.startswith(("ModuleNotFoundError", "ImportError")):
            raise ImportError(last)
        raise RuntimeError(last)
    imported, made = done.stdout.split()[-2:]
    return float(imported), float(made)


SCENARIOS = (
    Scenario(
        "startup",
        "Import and first session on a new file, in a fresh interpreter",
        (Figure("import", "ms for the import", "less"), Figure("session", "ms until the first session", "less")),
        frozenset({"startup"}),
        startup,
    ),
)
