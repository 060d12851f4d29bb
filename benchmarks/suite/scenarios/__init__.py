"""The scenarios, in the order of the report: one module per family."""

from __future__ import annotations

from suite.scenarios import core, crowds, hits, memory, million, purge, startup, writes

SCENARIOS = (
    *hits.SCENARIOS,
    *writes.SCENARIOS,
    *crowds.SCENARIOS,
    *memory.SCENARIOS,
    *purge.SCENARIOS,
    *million.SCENARIOS,
    *startup.SCENARIOS,
    *core.SCENARIOS,
)

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
