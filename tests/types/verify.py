"""How much of the public interface has types that every checker sees alike, as ``pyright --verifytypes`` counts it.

``python verify.py``: builds the wheel, puts it alone before what is installed here, and counts. Says what is wanting,
and exits with status 1 where too much is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
LEAST: Final = 0.99
"""Of all symbols that users can come to through ``sansio_cache``; what other packages leave unsaid is not counted."""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        counted = verified(installed(Path(folder)), Path(folder))
    score: float = counted["completenessScore"]
    for symbol in counted["symbols"]:
        for each in symbol["diagnostics"]:
            if each["severity"] == "error":
                print(f"{symbol['name']}: {each['message']}")
    print(f"{score:.2%} of {len(counted['symbols'])} symbols have types that every checker sees alike")
    if score < LEAST:
        print(f"at least {LEAST:.0%} is wanted: annotate what is named above")
    return int(score < LEAST)


def installed(folder: Path) -> Path:
    """An environment with the wheel of this tree, and with the packages of this environment behind it."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], cwd=folder, check=True
    )
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(packages)
    # A folder that a .pth file names is searched, and the .pth files in it are not read: an editable install of this
    # tree stays unseen.
    behind = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "others.pth").write_text("\n".join(behind))
    return environment


def verified(environment: Path, folder: Path) -> dict[str, Any]:
    """What pyright counts."""
    path = os.pathsep.join((sysconfig.get_path("scripts", vars={"base": str(environment)}), os.environ["PATH"]))
    ran = subprocess.run(
        [sys.executable, "-m", "pyright", "--verifytypes", "sansio_cache", "--ignoreexternal", "--outputjson"],
        cwd=folder,
        env={**os.environ, "VIRTUAL_ENV": str(environment), "PATH": path},
        capture_output=True,
        text=True,
    )
    try:
        counted: dict[str, Any] = json.loads(ran.stdout)["typeCompleteness"]
    except (ValueError, KeyError):
        raise SystemExit(f"pyright counted nothing:\n{ran.stdout}{ran.stderr}") from None
    if not counted["symbols"]:
        raise SystemExit("pyright found no symbols: is py.typed in the wheel?")
    return counted


if __name__ == "__main__":
    sys.exit(main())
