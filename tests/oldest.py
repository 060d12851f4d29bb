"""Installs the oldest versions that ``pyproject.toml`` allows of what our packages need, into this environment.

``python oldest.py [--show]``; with ``--show`` it only says which.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
_NEED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9.]+)(;.*)?")


def oldest() -> Iterator[str]:
    """``name==version`` for each requirement, ours by extras left out."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    needs = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    for need in sorted({each for each in needs if not each.startswith(f"{project['name']}[")}):
        found = _NEED.fullmatch(need.replace(" ", ""))
        if found is None:
            raise SystemExit(f"{need}: a requirement without a lowest version, or of another form")
        yield f"{found[1]}=={found[2]}{found[3] or ''}"


def main() -> None:
    """Say which, and install them."""
    pins = list(oldest())
    print(*pins, flush=True)
    if "--show" not in sys.argv:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *pins], check=True)


if __name__ == "__main__":
    main()
