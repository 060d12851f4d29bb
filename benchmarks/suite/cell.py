"""One contender in one scenario, in this process: `python -m suite.cell JOB`, where JOB is JSON.

The last line of the output is the outcome, as JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from dataclasses import asdict
from pathlib import Path

from suite.clients import drive
from suite.contenders import BY_NAME as CONTENDERS
from suite.contenders import colour
from suite.model import FULL, QUICK, Cell, Outcome
from suite.origin_control import OriginControl
from suite.scenarios import BY_NAME as SCENARIOS
from suite.timing import Untrue


def outcome(scenario: str, contender: str, origin: str, folder: str, *, quick: bool) -> Outcome:
    """What this cell gives."""
    cell = Cell(CONTENDERS[contender], OriginControl(origin), Path(folder), QUICK if quick else FULL)

    async def main() -> dict[str, float]:
        return await SCENARIOS[scenario].run(cell)

    try:
        return Outcome("ok", drive(colour(cell.contender), main))
    except ImportError as error:
        # Not installed, or not yet written: nothing to measure is not a failure.
        return Outcome("absent", note=str(error))
    except Untrue as error:
        return Outcome("failed", note=str(error))
    except Exception as error:
        traceback.print_exc()
        return Outcome("failed", note="".join(traceback.format_exception_only(error)).strip())


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the peers' deprecations are not ours to read
    print("\n" + json.dumps(asdict(outcome(**json.loads(sys.argv[1])))), flush=True)
