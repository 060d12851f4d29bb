"""The benchmark of sansio-cache. `python benchmarks/run.py --help` says what it takes.

A look while working:    python benchmarks/run.py --quick --only warm_hit
One cell:                python benchmarks/run.py --quick --only warm_hit,ours-requests-signed
What the docs quote:     python benchmarks/run.py --json out.json --markdown out.md --svg out.svg
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from suite.contenders import CONTENDERS
from suite.model import Contender, Outcome, Scenario
from suite.report import as_json, listing, markdown, number
from suite.rounds import Plan, run
from suite.scenarios import SCENARIOS
from suite.svg import svg

Report = Callable[[Scenario, Contender, int, Outcome], None]


def arguments() -> argparse.Namespace:
    """What the user asked for."""
    parser = argparse.ArgumentParser(description="Measure sansio-cache beside its peers and hand-written limits.")
    parser.add_argument("--quick", action="store_true", help="short and small: for a look, not for quoting")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (3, or 1 if quick)")
    parser.add_argument(
        "--only", metavar="NAMES", default="", help="scenarios and contenders, by comma; * matches all, - lists them"
    )
    parser.add_argument("--folder", type=Path, help="where the stores are made (the system's temporary folder)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every figure here")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the tables here")
    parser.add_argument("--svg", type=Path, metavar="OUT", help="draw the ratios here")
    return parser.parse_args()


def planned(only: str, rounds: int | None, *, quick: bool) -> Plan:
    """The scenarios and contenders that `--only` names; all of a kind where it names none of that kind."""
    patterns = [pattern for pattern in only.split(",") if pattern]
    scenarios = [scenario for scenario in SCENARIOS if any(fnmatchcase(scenario.name, each) for each in patterns)]
    contenders = [found for found in CONTENDERS if any(fnmatchcase(found.name, each) for each in patterns)]
    names = [*(scenario.name for scenario in SCENARIOS), *(contender.name for contender in CONTENDERS)]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise SystemExit(f"{pattern}: no such scenario or contender (--only - lists them)")
    usual = [scenario for scenario in SCENARIOS if not scenario.optional]
    return Plan(scenarios or usual, contenders or CONTENDERS, rounds or (1 if quick else 3), quick)


@contextlib.contextmanager
def progress(plan: Plan) -> Iterator[Report]:
    """A bar if rich is there, else a line for each cell."""
    total = sum(1 for _ in plan.cells())

    def plain(scenario: Scenario, contender: Contender, number: int, outcome: Outcome) -> None:
        print(f"{scenario.name:18} {number + 1} {contender.name:32} {_brief(scenario, outcome)}", file=sys.stderr)

    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield plain
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield plain
        return
    columns = (TextColumn("{task.description:50}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)

        def told(scenario: Scenario, contender: Contender, number: int, outcome: Outcome) -> None:
            bar.update(task, advance=1, description=f"{scenario.name} {contender.name}")
            if outcome.status != "ok":
                plain(scenario, contender, number, outcome)

        yield told


def _line(scenario: Scenario) -> str:
    return f"{scenario.name:18}  {scenario.title}" + (" (runs only where it is named)" if scenario.optional else "")


def _brief(scenario: Scenario, outcome: Outcome) -> str:
    if outcome.status != "ok":
        return f"{outcome.status}: {outcome.note}"
    return ", ".join(
        f"{number(outcome.figures[figure.key])} {figure.unit}"
        for figure in scenario.figures
        if figure.key in outcome.figures
    )


def main() -> int:
    """Run, report, and say by the exit code whether anything of ours failed."""
    chosen = arguments()
    if chosen.only == "-":
        print("\n".join(map(_line, SCENARIOS)), listing(), sep="\n\n")
        return 0
    plan = planned(chosen.only, chosen.rounds, quick=chosen.quick)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen.folder) as folder, progress(plan) as report:
        results = run(plan, Path(folder), report)
    text = markdown(plan, results)
    print(text)
    if chosen.markdown:
        chosen.markdown.write_text(text, encoding="utf-8")
    if chosen.json:
        chosen.json.write_text(json.dumps(as_json(plan, results), indent=1, ensure_ascii=False), encoding="utf-8")
    if chosen.svg:
        chosen.svg.write_text(svg(plan.scenarios, results), encoding="utf-8")
    # A peer that fails is a finding; ours must not.
    return int(any(contender.startswith("ours") for _, contender, _ in results.failed()))


if __name__ == "__main__":
    raise SystemExit(main())
