"""What a run of the suite says about each test: the suite's own rule (`lib/display.mjs`), with dependencies."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .suite import Raw, Test


class Verdict(enum.Enum):
    """How one test ended."""

    PASSED = "passed"
    FAILED = "failed"
    SETUP = "setup failed"  # the test could not be set up; a cache that keeps nothing ends here
    DEPENDENCY = "dependency not passed"  # whatever its own result
    NOT_RUN = "not run"  # only for browsers


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test, its verdict, its own result (which a dependency may overrule) and, unless it passed, why."""

    test: Test
    verdict: Verdict
    result: bool
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the test passed, with all that it depends on."""
        return self.verdict is Verdict.PASSED


def evaluate(tests: Iterable[Test], results: Raw) -> dict[str, Outcome]:
    """The outcome of every test by its id, in the suite's order."""
    by_id = {test.id: test for test in tests}
    return {test_id: _outcome(test, by_id, results) for test_id, test in by_id.items()}


def _outcome(test: Test, by_id: Mapping[str, Test], results: Raw) -> Outcome:
    if test.id not in results:
        return Outcome(test, Verdict.NOT_RUN, False)
    result = results[test.id]
    for needed in test.depends_on:
        if not _outcome(by_id[needed], by_id, results).passed:
            return Outcome(test, Verdict.DEPENDENCY, result is True, needed)
    if result is True:
        return Outcome(test, Verdict.PASSED, True)
    name, message = result
    if name == "Setup":
        return Outcome(test, Verdict.SETUP, False, message)
    # "Assertion", or what fetch() raised in the suite's client.
    return Outcome(test, Verdict.FAILED, False, message if name == "Assertion" else f"{name}: {message}")
