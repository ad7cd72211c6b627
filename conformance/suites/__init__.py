"""One file for each suite: a loader that turns its inputs into cases, and what it asserts of them."""

from pathlib import Path
from typing import Protocol, cast

from conformance.command import Runner
from conformance.result import Findings
from conformance.suites import aadhaar, cose, gematik, hcert, shc, sm2, vds_nc, wycheproof, zxing


class Suite(Protocol):
    """What each file here has."""

    NAME: str
    FOLDER: str

    def run(self, folder: Path, runner: Runner) -> Findings:
        """Judge everything in its folder; a folder that is not there has nothing in it."""
        ...


SUITES: dict[str, Suite] = {
    suite.NAME: suite
    for suite in (
        cast("Suite", module) for module in (hcert, shc, wycheproof, sm2, cose, aadhaar, vds_nc, gematik, zxing)
    )
}
