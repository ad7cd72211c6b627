"""One suite, run and reckoned: from its folder to what agrees, what is explained and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.command import Runner
from conformance.explained import Explanation, Reckoning, reckon
from conformance.explanations import EXPLANATIONS
from conformance.suites import SUITES


@dataclass(frozen=True, slots=True)
class Trial:
    """What a suite gave. not_taken: files of its folder that its loader does not understand, each with why."""

    suite: str
    folder: Path
    reckoning: Reckoning
    not_taken: Sequence[tuple[Path, str]]

    @property
    def is_passed(self) -> bool:
        """Say whether there were cases, none unexplained, and no explanation without one."""
        return bool(self.reckoning.cases) and not self.reckoning.unexplained and not self.reckoning.stale


def try_suite(name: str, vectors: Path, runner: Runner, explanations: Sequence[Explanation] = EXPLANATIONS) -> Trial:
    """Run one suite of SUITES on a folder of suites."""
    suite = SUITES[name]
    folder = vectors / suite.FOLDER
    findings = suite.run(folder, runner)
    not_taken = [(path.relative_to(vectors), why) for path, why in findings.not_taken]
    return Trial(name, folder, reckon(name, findings.results, explanations), not_taken)
