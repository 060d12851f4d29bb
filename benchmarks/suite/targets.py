"""What sansio-cache means to reach, as a table, and whether it did.

Ratios are taken within each round and their median is judged, since absolute figures drift with the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from suite.contenders import CONTENDERS
from suite.rounds import Results


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and what came of it; `met` is None where it was not measured."""

    what: str
    wanted: str
    got: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours against the fastest of some others, at least."""

    what: str
    scenario: str
    ours: str
    others: tuple[str, ...]
    least: float
    figure: str = "ops"

    def judge(self, results: Results) -> Verdict:
        """What came of it."""
        wanted = f"≥ {self.least:g} x {_names(self.others)}"
        found = ratio(results, self.scenario, self.figure, self.ours, self.others)
        if found is None:
            return Verdict(self.what, wanted, "-", None)
        return Verdict(self.what, wanted, f"{found:.2f} x", found >= self.least)


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure of ours, at most or at least."""

    what: str
    scenario: str
    ours: str
    figure: str
    unit: str
    most: float = float("inf")
    least: float = float("-inf")

    def judge(self, results: Results) -> Verdict:
        """What came of it."""
        wanted = f"≤ {self.most:g} {self.unit}" if self.most < float("inf") else f"≥ {self.least:g} {self.unit}"
        values = results.rounds(self.scenario, self.ours, self.figure).values()
        if not values:
            return Verdict(self.what, wanted, "-", None)
        found = median(values)
        return Verdict(self.what, wanted, f"{found:.3g} {self.unit}", self.least <= found <= self.most)


@dataclass(frozen=True, slots=True)
class Margin:
    """The time of our first session above the import of the client below it."""

    what: str
    ours: str
    client: str
    most: float

    def judge(self, results: Results) -> Verdict:
        """What came of it."""
        wanted = f"≤ {self.client}'s import + {self.most:g} ms"
        session = results.rounds("startup", self.ours, "session")
        imported = results.rounds("startup", self.client, "import")
        both = session.keys() & imported.keys()
        if not both:
            return Verdict(self.what, wanted, "-", None)
        found = median(session[number] - imported[number] for number in both)
        return Verdict(self.what, wanted, f"+ {found:.1f} ms", found <= self.most)


@dataclass(frozen=True, slots=True)
class Across:
    """Ours in one scenario against the same in another, at least."""

    what: str
    ours: str
    scenario: str
    other: str
    least: float

    def judge(self, results: Results) -> Verdict:
        """What came of it."""
        wanted = f"≥ {self.least:g} x its {self.other}"
        rates = [results.rounds(scenario, self.ours, "ops") for scenario in (self.scenario, self.other)]
        both = rates[0].keys() & rates[1].keys()
        if not both:
            return Verdict(self.what, wanted, "-", None)
        found = median(rates[0][number] / rates[1][number] for number in both)
        return Verdict(self.what, wanted, f"{found:.2f} x", found >= self.least)


Target = Ratio | Bound | Margin | Across


def ratio(results: Results, scenario: str, figure: str, ours: str, others: tuple[str, ...]) -> float | None:
    """Ours over the fastest of the others, the median over the rounds that have both."""
    mine = results.rounds(scenario, ours, figure)
    theirs = [results.rounds(scenario, name, figure) for name in others]
    found = []
    for number, value in mine.items():
        rivals = [values[number] for values in theirs if number in values]
        if rivals:
            found.append(value / max(rivals))
    return median(found) if found else None


def peers(client: str, *, signed: bool = False) -> tuple[str, ...]:
    """The peers on a client; those of all clients that sign, if asked."""
    return tuple(
        contender.name
        for contender in CONTENDERS
        if contender.role == "peer" and ("signed" in contender.does if signed else contender.client == client)
    )


def judge(results: Results) -> list[Verdict]:
    """What came of every target that this run had to do with."""
    return [target.judge(results) for target in targets() if target_scenario(target) in results.outcomes]


def target_scenario(target: Target) -> str:
    """The scenario that a target is judged by."""
    return "startup" if isinstance(target, Margin) else target.scenario


SESSIONS = {"requests": "ours-requests-signed", "aiohttp": "ours-aiohttp-signed", "trio": "ours-trio-signed"}


ON_DISK = tuple(
    contender.name
    for contender in CONTENDERS
    if contender.role == "peer" and contender.client == "requests" and contender.name != "cachecontrol-dict"
)
MEMORY_PEER = ("aiohttp-client-cache-memory",)
PLAIN = {"requests": "requests", "aiohttp": "aiohttp", "trio": "httpx2-trio"}
SHARES = {"miss": "miss and store", "validate": "validate"}


def targets() -> Iterator[Target]:
    """All targets, in the order of the report."""
    yield from _hits()
    yield from _large()
    yield from _writes()
    yield from _crowds()
    yield from _memory()
    yield from _care()


def _hits() -> Iterator[Target]:
    signed, prepared = SESSIONS["requests"], "ours-requests-prepared"
    yield Ratio("warm hit, requests, prepared", "warm_hit", prepared, ("requests-cache-signed",), 4.5)
    yield Ratio("warm hit, requests, prepared", "warm_hit", prepared, peers("requests"), 2)
    yield Ratio("warm hit, requests, remembered", "warm_hit", signed, ("requests-cache-signed",), 10)
    yield Ratio("warm hit, requests, remembered", "warm_hit", signed, peers("requests"), 4)
    yield Ratio("warm hit, aiohttp", "warm_hit", SESSIONS["aiohttp"], ("aiohttp-client-cache-signed",), 8)
    yield Ratio("warm hit, aiohttp, memory", "warm_hit", "ours-aiohttp-memory", MEMORY_PEER, 4.5)
    yield Ratio("warm hit, trio", "warm_hit", SESSIONS["trio"], ("hishel-trio",), 18)
    for client, name in SESSIONS.items():
        yield Ratio(f"signing, {client}", "warm_hit", name, (f"ours-{client}",), 0.85)
    for client in ("requests", "aiohttp"):
        yield Bound(f"growth, {client}", "growth", SESSIONS[client], "kept", "of the rate at 1,000", least=0.85)


def _large() -> Iterator[Target]:
    for scenario, size, least in (("hit_100k", "100 KiB", 1.5), ("hit_10m", "10 MiB", 1.0)):
        for name, what in ((SESSIONS["requests"], ""), (f"{SESSIONS['requests']}-blake3", ", BLAKE3")):
            yield Ratio(f"hit {size}, requests{what}", scenario, name, ON_DISK, least)
    for name, what in ((SESSIONS["aiohttp"], ""), (f"{SESSIONS['aiohttp']}-blake3", ", BLAKE3")):
        yield Ratio(f"hit 10 MiB, aiohttp{what}", "hit_10m", name, ("aiohttp",), 1.2)
    for scenario, size in (("hit_100k", "100 KiB"), ("hit_10m", "10 MiB")):
        for client, name in SESSIONS.items():
            yield Ratio(f"hit {size}, {client}", scenario, name, peers("", signed=True), 5)


def _writes() -> Iterator[Target]:
    signed = SESSIONS["requests"]
    for scenario, what in SHARES.items():
        yield Ratio(f"{what}, requests", scenario, signed, ("requests",), 0.9 if scenario == "miss" else 0.95)
        yield Ratio(f"{what}, requests", scenario, signed, ON_DISK, 1)
    for client in ("aiohttp", "trio"):
        for scenario, what in SHARES.items():
            yield Ratio(f"{what}, {client}", scenario, SESSIONS[client], (PLAIN[client],), 0.4)
        yield Ratio(f"miss and store, {client}, memory", "miss", f"ours-{client}-memory", (PLAIN[client],), 0.5)
    for scenario, what in SHARES.items():
        yield Ratio(f"{what}, aiohttp", scenario, SESSIONS["aiohttp"], MEMORY_PEER, 1)
    yield Across("validate against miss, files", "ours-requests-files", "validate", "miss", 1)
    yield Bound("validate, files, p99", "validate", "ours-requests-files", "p99", "ms", most=5)


def _crowds() -> Iterator[Target]:
    for client, name in SESSIONS.items():
        many, least = ("8 threads", 0.7) if client == "requests" else ("100 tasks", 1)
        yield Bound(f"{many} at once, {client}", "at_once", name, "ratio", "x alone", least=least)
    everyone = tuple(contender.name for contender in CONTENDERS if contender.role == "peer")
    for client, name in SESSIONS.items():
        yield Ratio(f"4 processes, {client}", "processes", name, everyone, 3 if client == "requests" else 4)
        yield Bound(f"4 processes, {client}", "processes", name, "errors", "errors", most=0)
    for client, name in SESSIONS.items():
        yield Bound(f"stampede of 50, {client}", "stampede", name, "fetches", "fetches", most=1)
        yield Bound(f"stampede over 4 processes, {client}", "stampede_processes", name, "fetches", "fetches", most=1)


def _memory() -> Iterator[Target]:
    for client, name in SESSIONS.items():
        yield Bound(f"memory after 10,000 hits, {client}", "memory", name, "mib", "MiB", most=8)
    for client, name in SESSIONS.items():
        yield Bound(f"large body, miss, {client}", "huge_body", name, "miss", "MiB", most=16)
        yield Bound(f"large body, hit, {client}", "huge_body", name, "hit", "MiB", most=16)


def _care() -> Iterator[Target]:
    signed = SESSIONS["requests"]
    yield Bound("purge", "purge", signed, "seconds", "s", most=2)
    yield Bound("purge, another writer's p99.9", "purge", signed, "p999", "ms", most=20)
    yield Bound("a million entries, hit", "million", signed, "hit", "of the rate at 1,000", least=0.85)
    yield Bound("import sansio_cache", "startup", signed, "import", "ms", most=15)
    for client, name in SESSIONS.items():
        yield Margin(f"first session, {client}", name, client, 15)
    yield Bound("pure core", "core", "ours-core", "us", "µs", most=20)


def _names(others: tuple[str, ...]) -> str:
    return others[0] if len(others) == 1 else f"the fastest of {len(others)} peers"
