"""The report: tables as Markdown, which reads well enough in a terminal, and everything as JSON."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from suite.contenders import BY_NAME
from suite.model import Contender, Scenario
from suite.rounds import Plan, Results
from suite.summary import lost_rows, short_rows
from suite.targets import SESSIONS, judge, peers, ratio

PACKAGES = ("sansio-cache", "requests", "requests-cache", "CacheControl", "hishel", "httpx2", "aiohttp",
            "aiohttp-client-cache", "trio", "itsdangerous", "msgspec")  # fmt: skip


def markdown(plan: Plan, results: Results) -> str:
    """All tables."""
    parts = [*_summary(plan, results), *(_scenario(scenario, plan, results) for scenario in plan.scenarios)]
    verdicts = judge(results)
    if verdicts:
        mark = {True: "met", False: "not met", None: "not measured"}
        rows = [[verdict.what, verdict.wanted, verdict.got, mark[verdict.met]] for verdict in verdicts]
        parts.append("## Targets\n\n" + table(["what", "wanted", "got", ""], rows, left=(0, 1, 3)))
    for title, cells in (("Failed", results.failed()), ("Absent", results.absent())):
        if cells:
            parts.append(f"## {title}\n\n" + table(["scenario", "contender", "why"], cells, left=(0, 1, 2)))
    parts.append(_method(plan))
    return "\n\n".join(parts) + "\n"


def as_json(plan: Plan, results: Results) -> dict[str, Any]:
    """Every figure of every round, and what they were measured with."""
    return {
        "quick": plan.quick,
        "rounds": plan.rounds,
        "environment": environment(),
        "outcomes": {
            scenario: {contender: [asdict(cell) for cell in cells] for contender, cells in rows.items()}
            for scenario, rows in results.outcomes.items()
        },
        "targets": [asdict(verdict) for verdict in judge(results)],
    }


def environment() -> dict[str, str]:
    """What the figures depend on, without naming the machine."""
    found = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "cores": str(os.cpu_count()),
    }
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """A Markdown table whose columns line up; those not named in `left` are aligned to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(aligned)} |"

    rule = ["-" * width if column in left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def _summary(plan: Plan, results: Results) -> Iterator[str]:
    """Ours beside the fastest peers, and where we lose."""
    if short := short_rows(plan.scenarios, results):
        head = ["signed, on SQLite, beside the fastest peer", *SESSIONS]
        yield "## In short\n\n" + table(head, short, left=(0, 1, 2, 3))
    if lost := lost_rows(plan.scenarios, results):
        head = ["where others are faster", "client", "who", "how much", "what it keeps"]
        yield "## Where we lose\n\n" + table(head, lost, left=(0, 1, 2, 3, 4))


def _scenario(scenario: Scenario, plan: Plan, results: Results) -> str:
    first, *others = scenario.figures
    head = ["contender", first.unit, "x fastest peer", "x named peer", "x limit", *(figure.unit for figure in others)]
    rows = []
    for contender in plan.contenders:
        values = results.rounds(scenario.name, contender.name, first.key)
        if not values:
            continue
        more = [results.rounds(scenario.name, contender.name, figure.key) for figure in others]
        rows.append(
            [
                contender.name,
                number(median(values.values())),
                *_ratios(scenario, contender, results),
                *(number(median(extra.values())) if extra else "" for extra in more),
            ]
        )
    filled = [column for column in range(len(head)) if column == 0 or any(row[column] for row in rows)]
    return f"## {scenario.title}\n\n" + table(
        [head[column] for column in filled], [[row[column] for column in filled] for row in rows]
    )


def _ratios(scenario: Scenario, contender: Contender, results: Results) -> list[str]:
    """Against the fastest peer on the same client, the named peer and the limit, where more is better."""
    first = scenario.figures[0]
    if first.better == "less":
        return ["", "", ""]
    rivals = (peers(contender.client), (contender.rival,), (contender.limit,))
    found = (
        ratio(results, scenario.name, first.key, contender.name, names) if all(names) else None for names in rivals
    )
    return [f"{value:.2f}" if value is not None else "" for value in found]


def number(value: float) -> str:
    """Three significant digits or all before the point: 1,799; 43.1; 0.98."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def _method(plan: Plan) -> str:
    names = ", ".join(f"{name} {version}" for name, version in environment().items())
    kind = "a quick look, not for quoting" if plan.quick else "interleaved"
    once = ", ".join(scenario.name for scenario in plan.scenarios if plan.of(scenario) < plan.rounds)
    return (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}: medians of {plan.rounds} rounds ({kind})"
        f"{f'; once: {once}' if once else ''}. Origin on loopback, each cell in a process of its own. {names}."
    )


def listing() -> str:
    """The names that `--only` takes."""
    return "\n".join(f"{contender.role:5}  {contender.client:8}  {name}" for name, contender in BY_NAME.items())
