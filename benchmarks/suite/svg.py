"""The ratios as a picture: one panel a scenario, one bar a contender, its length on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median
from xml.sax.saxutils import escape

from suite.contenders import BY_NAME
from suite.model import Contender, Scenario
from suite.report import number
from suite.rounds import Results
from suite.targets import peers, ratio

WIDTH, LABEL, ROW, TITLE, GAP = 860, 260, 18, 44, 10
BAR = WIDTH - LABEL - 150
CLIENTS = ("requests", "aiohttp", "trio", "httpx2")

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 13px }
  .quiet { fill: #6e7781 } .plain { fill: #8c959f } .peer { fill: #bf8700 } .ours { fill: #0969da }
  .limit { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #8d96a0 } .ours { fill: #4493f8 } }
"""


def svg(scenarios: Sequence[Scenario], results: Results) -> str:
    """The picture of all scenarios whose first figure is a rate."""
    parts: list[str] = []
    top = 8
    for scenario in scenarios:
        rows = _rows(scenario, results)
        if scenario.figures[0].better == "more" and rows:
            parts += _panel(scenario, results, rows, top)
            top += TITLE + ROW * len(rows) + GAP * len({contender.client for contender, _ in rows}) + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" role="img">'
    return "\n".join([head, f"<title>Benchmark of sansio-cache</title><style>{STYLE}</style>", *parts, "</svg>\n"])


def _rows(scenario: Scenario, results: Results) -> list[tuple[Contender, float]]:
    """The contenders by client, the slowest first."""
    rows = [
        (BY_NAME[name], median(values))
        for name in results.outcomes.get(scenario.name, {})
        if (values := results.rounds(scenario.name, name, scenario.figures[0].key).values())
        and BY_NAME[name].client in CLIENTS
    ]
    return sorted(rows, key=lambda row: (CLIENTS.index(row[0].client), row[1]))


def _panel(scenario: Scenario, results: Results, rows: list[tuple[Contender, float]], top: int) -> Iterator[str]:
    figure = scenario.figures[0]
    lowest = min(value for _, value in rows) / 1.6
    span = math.log(max(value for _, value in rows) / lowest)
    legend = f"{figure.unit}, and in brackets against the fastest peer on the same client; logarithmic"
    yield f'<text class="title" x="8" y="{top + 16}">{escape(scenario.title)}</text>'
    yield f'<text class="quiet" x="8" y="{top + 32}">{escape(legend)}</text>'
    y = top + TITLE
    for client, group in groupby(rows, key=lambda row: row[0].client):
        yield f'<text class="quiet" x="8" y="{y + 12}">{client}</text>'
        for contender, value in group:
            length = max(2.0, BAR * math.log(value / lowest) / span)
            against = ratio(results, scenario.name, figure.key, contender.name, peers(client))
            label = number(value) if against is None else f"{number(value)} ({number(against)} x)"
            yield f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(contender.name)}</text>'
            yield (
                f'<rect class="{contender.role}" x="{LABEL}" y="{y + 2}" width="{length:.1f}"'
                f' height="{ROW - 5}" rx="2"/>'
            )
            yield f'<text class="quiet" x="{LABEL + length + 6:.1f}" y="{y + 12}">{label}</text>'
            y += ROW
        y += GAP
