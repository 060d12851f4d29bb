"""What the tables come to: ours beside the fastest peer of each client, and where peers are faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from suite.contenders import BY_NAME
from suite.model import Scenario
from suite.rounds import Results
from suite.targets import PLAIN, SESSIONS, peers, ratio


@dataclass(frozen=True, slots=True)
class Beside:
    """Ours, signed on SQLite, in one scenario, beside one other of the same client: how many times as fast it is."""

    scenario: Scenario
    client: str
    other: str
    times: float


def beside_fastest(scenarios: Sequence[Scenario], results: Results) -> Iterator[Beside]:
    """Ours beside the fastest peer, for every rate and every client that has both."""
    for scenario in _rates(scenarios):
        for client in SESSIONS:
            rates = {name: _rate(scenario, name, results) for name in peers(client)}
            known = {name: rate for name, rate in rates.items() if rate is not None}
            if known:
                yield from _beside(scenario, client, [max(known, key=known.__getitem__)], results)


def lost(scenarios: Sequence[Scenario], results: Results) -> Iterator[Beside]:
    """Ours beside every peer that is faster, and beside the client without a cache where it hits faster."""
    for scenario in _rates(scenarios):
        for client, plain in PLAIN.items():
            others = [*peers(client), *([plain] if scenario.name.startswith(("hit", "warm")) else [])]
            yield from (found for found in _beside(scenario, client, others, results) if found.times < 1)


def _rates(scenarios: Sequence[Scenario]) -> Iterator[Scenario]:
    """Those that tell how much is done in a second."""
    return (scenario for scenario in scenarios if scenario.figures[0].unit == "requests/s")


def _rate(scenario: Scenario, name: str, results: Results) -> float | None:
    values = results.rounds(scenario.name, name, scenario.figures[0].key).values()
    return median(values) if values else None


def _beside(scenario: Scenario, client: str, others: Sequence[str], results: Results) -> Iterator[Beside]:
    for other in others:
        times = ratio(results, scenario.name, scenario.figures[0].key, SESSIONS[client], (other,))
        if times is not None:
            yield Beside(scenario, client, other, times)


def short_rows(scenarios: Sequence[Scenario], results: Results) -> list[list[str]]:
    """A row for each scenario, a column for each client: `12 x hishel-requests`."""
    found = list(beside_fastest(scenarios, results))
    rows = []
    for scenario in dict.fromkeys(each.scenario for each in found):
        cells = {each.client: f"{_number(each.times)} x {each.other}" for each in found if each.scenario is scenario}
        rows.append([scenario.title, *(cells.get(client, "") for client in SESSIONS)])
    return rows


def lost_rows(scenarios: Sequence[Scenario], results: Results) -> list[list[str]]:
    """A row for each peer that is faster."""
    return [
        [each.scenario.title, each.client, each.other, f"{_number(1 / each.times)} x as fast", _promises(each.other)]
        for each in lost(scenarios, results)
    ]


def _promises(name: str) -> str:
    """What a faster one leaves out that ours does."""
    does = BY_NAME[name].does
    if "plain" in does:
        return "no cache"
    kept = "on disk" if "share" in does else "in memory"
    return f"{kept}, {'signed' if 'signed' in does else 'not signed'}"


def _number(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 2 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
