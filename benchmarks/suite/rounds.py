"""The parent: starts the origin, runs every cell in a process of its own, round by round, and collects the figures.

The rounds are interleaved (A B C A B C), so that a neighbour that keeps the machine busy for a while disturbs all
contenders alike, and ratios are taken within a round.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from suite.model import Contender, Outcome, Scenario

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 900.0
"""Seconds after which a cell is given up."""


@dataclass(slots=True)
class Results:
    """The outcomes of all cells: by scenario, then by contender, one for each round."""

    outcomes: dict[str, dict[str, list[Outcome]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def rounds(self, scenario: str, contender: str, figure: str) -> dict[int, float]:
        """This figure, by round, of the rounds that gave it."""
        cells = self.outcomes.get(scenario, {}).get(contender, [])
        return {index: cell.figures[figure] for index, cell in enumerate(cells) if figure in cell.figures}

    def failed(self) -> list[tuple[str, str, str]]:
        """Scenario, contender and reason of every cell that failed, once each."""
        return self._with("failed")

    def absent(self) -> list[tuple[str, str, str]]:
        """The same of what could not be imported."""
        return self._with("absent")

    def _with(self, status: str) -> list[tuple[str, str, str]]:
        return list(
            dict.fromkeys(
                (scenario, contender, cell.note)
                for scenario, rows in self.outcomes.items()
                for contender, cells in rows.items()
                for cell in cells
                if cell.status == status
            )
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run."""

    scenarios: Sequence[Scenario]
    contenders: Sequence[Contender]
    rounds: int
    quick: bool

    def of(self, scenario: Scenario) -> int:
        """In how many rounds a scenario runs."""
        return min(self.rounds, scenario.most_rounds)

    def cells(self) -> Iterator[tuple[int, Scenario, Contender]]:
        """Every cell, in the order in which they run."""
        for scenario in self.scenarios:
            for number in range(self.of(scenario)):
                for contender in self.contenders:
                    if scenario.fits(contender):
                        yield number, scenario, contender


def run(plan: Plan, folder: Path, report: Callable[[Scenario, Contender, int, Outcome], None]) -> Results:
    """The results of the plan; `report` is told of each outcome as it comes."""
    results = Results()
    with origin() as base:
        for number, scenario, contender in plan.cells():
            cells = results.outcomes[scenario.name][contender.name]
            if cells and cells[-1].status != "ok":
                cells.append(cells[-1])  # what could not be run in one round is not tried in the next
                continue
            store = folder / scenario.name / (contender.name if scenario.keeps else f"{contender.name}-{number}")
            store.mkdir(parents=True, exist_ok=True)
            cells.append(_in_a_process(scenario, contender, base, store, quick=plan.quick))
            if not scenario.keeps or number == plan.of(scenario) - 1:
                shutil.rmtree(store, ignore_errors=True)
            report(scenario, contender, number, cells[-1])
    return results


@contextlib.contextmanager
def origin() -> Iterator[str]:
    """A running origin's base URL."""
    command = [sys.executable, "-m", "suite.origin"]
    with subprocess.Popen(
        command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()  # it serves until then
            process.wait(timeout=30)


def _in_a_process(scenario: Scenario, contender: Contender, base: str, store: Path, *, quick: bool) -> Outcome:
    job = json.dumps(
        {
            "scenario": scenario.name,
            "contender": contender.name,
            "origin": base,
            "folder": str(store),
            "quick": quick,
        }
    )
    # A session of its own, so that the processes that a cell starts can be ended with it.
    process = subprocess.Popen(
        [sys.executable, "-m", "suite.cell", job],
        env=_environment(),
        cwd=store,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Outcome("failed", note=f"no result within {PATIENCE:.0f} s")
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    if process.returncode:
        last = errors.strip().splitlines() or [""]
        return Outcome("failed", note=f"exit {process.returncode}: {last[-1]}")
    return Outcome(**json.loads(output.strip().splitlines()[-1]))


def _environment() -> dict[str, str]:
    """This process's environment with the suite on the path and without proxies: all traffic stays on this machine."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return environment
