"""What a run shows: a table, the tests that do not pass, and the same as JSON or Markdown."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .outcomes import Outcome, Verdict
from .relay import Failures
from .suite import PACKAGE, VERSION, Kind

KINDS: tuple[Kind, ...] = ("required", "optimal", "check")
_HEADINGS = ("section", "kind", "passed", "failed", "setup failed", "dependency", "not run")


@dataclass(frozen=True, slots=True)
class Run:
    """One client's run of the suite."""

    client: str
    session: str
    outcomes: dict[str, Outcome]
    failures: Failures
    seconds: float

    def of_kind(self, kind: Kind, common: bool = False) -> list[Outcome]:
        """The outcomes of one kind; with `common`, of the tests that every kind of cache runs."""
        return [
            outcome
            for outcome in self.outcomes.values()
            if outcome.test.kind == kind and (outcome.test.is_common or not common)
        ]

    def not_passed(self, kind: Kind) -> list[Outcome]:
        """The outcomes of one kind that were run and did not pass."""
        return [o for o in self.of_kind(kind) if not o.passed and o.verdict is not Verdict.NOT_RUN]


def discrepancies(run: Run, known: dict[str, str]) -> list[str]:
    """Where the run and the list of known failures disagree, one sentence each; empty means that all is as listed."""
    failing = {outcome.test.id for outcome in run.not_passed("required")}
    new = [f"{test_id} does not pass and is not listed as known" for test_id in sorted(failing - known.keys())]
    gone = [f"{test_id} is listed as known and passes" for test_id in known if test_id not in failing]
    return new + gone


def as_text(run: Run) -> str:
    """The run for a terminal."""
    rows = [_HEADINGS, *_rows(run)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    align = [str.ljust, str.ljust, *[str.rjust] * len(Verdict)]
    table = "\n".join("  ".join(map(_pad, align, row, widths)) for row in rows)
    return "\n".join([f"{_title(run)}\n", table, "", *_summary(run), *_lists(run, "  {id}  {why}")])


def as_markdown(run: Run) -> str:
    """The run for the documentation."""
    rows = [_HEADINGS, ("---", "---", *["--:"] * len(Verdict)), *_rows(run)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    summary = [f"- {line}" for line in _summary(run)]
    return "\n".join([f"## {_title(run)}\n", table, "", *summary, *_lists(run, "- `{id}`: {why}"), ""])


def as_json(run: Run) -> dict[str, Any]:
    """Everything that the run has shown."""
    tests = [
        {
            "id": o.test.id,
            "section": o.test.section,
            "name": o.test.name,
            "kind": o.test.kind,
            "common": o.test.is_common,
            "depends_on": o.test.depends_on,
            "verdict": o.verdict.value,
            "result": o.result,
            "detail": o.detail,
        }
        for o in run.outcomes.values()
    ]
    errors = [{"test": test_id, "error": error} for test_id, error in run.failures]
    return {
        "suite": f"{PACKAGE} {VERSION}",
        "client": run.client,
        "session": run.session,
        "seconds": round(run.seconds, 1),
        "tests": tests,
        "client_errors": errors,
    }


def _pad(align: Callable[[str, int], str], cell: str, width: int) -> str:
    return align(cell, width)


def _title(run: Run) -> str:
    return f"{run.client} ({run.session}), {PACKAGE} {VERSION}"


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    sections = dict.fromkeys(outcome.test.section for outcome in run.outcomes.values())
    for section in sections:
        for kind in KINDS:
            if members := [o for o in run.of_kind(kind) if o.test.section == section]:
                yield (section, kind, *_counts(members))
    for kind in KINDS:
        yield ("all", kind, *_counts(run.of_kind(kind)))


def _counts(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    counts = [sum(o.verdict is verdict for o in outcomes) for verdict in Verdict]
    return tuple(str(count) if count else "." for count in counts)


def _summary(run: Run) -> Iterator[str]:
    for kind in KINDS:
        every, common = run.of_kind(kind), run.of_kind(kind, common=True)
        shared = f"of the tests that every kind of cache runs, {_passed(common)} of {len(common)}"
        yield f"{kind}: {_passed(every)} of {len(every)}; {shared}"
    yield f"{len(run.outcomes)} tests in {run.seconds:.0f} s; the client raised {len(run.failures)} times"


def _passed(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.passed for outcome in outcomes)


def _lists(run: Run, line: str) -> Iterator[str]:
    for kind in ("required", "optimal"):
        if missing := run.not_passed(kind):
            yield f"\n{kind}, not passed:\n"
            for o in missing:
                yield line.format(id=o.test.id, why=f"{o.verdict.value}: {o.detail}")
    if run.failures:
        yield "\nraised by the client:\n"
        for test_id, error in run.failures:
            yield line.format(id=test_id or "-", why=error)
