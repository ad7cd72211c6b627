"""The figures of docs/conformance.md are those of a run; each suite runs alone here, skipped aloud without data."""

import os
import re
from pathlib import Path

import pytest

from conformance.command import ROOT, Runner
from conformance.document import BEGIN, END, PATH, figures, row, section
from conformance.explained import Explanation, reckon
from conformance.explanations import EXPLANATIONS
from conformance.result import Result
from conformance.suites import SUITES
from conformance.trial import Trial, try_suite

CASES_MIN = {
    "hcert": 230, "shc": 30, "wycheproof": 1_150, "sm2": 100, "cose": 14, "aadhaar": 1, "vds-nc": 4, "gematik": 8,
    "zxing": 250,
}  # fmt: skip
MACHINES_DIFFER = 8  # pictures of zxing that a slower machine may give up on
DOCUMENT = (ROOT / PATH).read_text("utf-8")


@pytest.fixture
def vectors() -> Path:
    folder = os.environ.get("SCANWARD_VECTORS")
    if not folder:
        pytest.skip(f"SCANWARD_VECTORS names no folder of public suites ({PATH})")
    return Path(folder)


def test_every_suite_has_a_floor() -> None:
    assert set(CASES_MIN) == set(SUITES)


@pytest.mark.parametrize("name", [name for name in SUITES if name != "zxing"])
def test_the_document_says_what_a_run_gives(name: str, vectors: Path) -> None:
    trial = try_suite(name, vectors, Runner(2))
    assert [(r.id, r.got) for r in trial.reckoning.unexplained] == []
    assert trial.reckoning.stale == []
    assert trial.reckoning.cases >= CASES_MIN[name]
    assert row(trial) in DOCUMENT, f"the figures are of another run: make conformance WRITE=1 writes {PATH}"
    assert section(trial) in DOCUMENT, f"the reasons are of another run: make conformance WRITE=1 writes {PATH}"


@pytest.mark.timeout(600)  # a minute of processor time
def test_no_picture_is_read_otherwise_than_its_truth(vectors: Path) -> None:
    trial = try_suite("zxing", vectors, Runner(2))
    assert [(r.id, r.got) for r in trial.reckoning.unexplained] == []
    assert trial.reckoning.cases >= CASES_MIN["zxing"]
    (told,) = [line for line in DOCUMENT.splitlines() if re.match(r"\| zxing \| [0-9]+ \|", line)]
    cases, agreed = (int(cell) for cell in told.split("|")[2:4])
    assert cases == trial.reckoning.cases
    assert abs(agreed - len(trial.reckoning.agreed)) <= MACHINES_DIFFER


def test_botans_cases_are_valid_on_this_curve_with_sm3_and_nowhere_else(vectors: Path) -> None:
    results = SUITES["sm2"].run(vectors / SUITES["sm2"].FOLDER, Runner(1)).results
    botan = [(result.got, result.facts) for result in results if result.id.startswith("sm2_sig.vec")]
    assert len(botan) == 7
    for got, facts in botan:
        if "curve of SM2" not in facts:
            assert got == "no key"
        else:
            assert got == ("valid" if "hash SM3" in facts else "invalid")


def test_every_explanation_is_of_a_suite_and_names_its_cases_one_way() -> None:
    for why in EXPLANATIONS:
        assert why.suite in SUITES
        assert (why.id is None) != (why.fact is None)
    assert len({(why.suite, why.id, why.fact, why.got) for why in EXPLANATIONS}) == len(EXPLANATIONS)


def trial(*results: Result, name: str = "suite") -> Trial:
    why = Explanation(name, "refused key.usage", "its key | is for others", fact="odd")
    return Trial(name, Path("folder"), reckon(name, results, [why]), ())


def test_figures_are_a_table_and_a_reason_for_each_difference() -> None:
    odd = frozenset({"odd"})
    results = [Result(f"file.json#{n}", ("verified",), "refused key.usage", odd) for n in (3, 1, 2, 7)]
    written = figures([trial(*results, Result("a", ("verified",), "verified")), trial(name="another")])
    assert "| suite | 5 | 1 | 4 | 0 |\n| another | 0 | 0 | 0 | 0 |\n| all | 5 | 1 | 4 | 0 |\n" in written
    assert "| 4 | odd: `file.json#1-3,7` | refused key.usage | its key \\| is for others |\n" in written
    assert written == figures([trial(*results, Result("a", ("verified",), "verified")), trial(name="another")])


def test_the_document_keeps_its_marks() -> None:
    assert DOCUMENT.count(BEGIN) == 1
    assert DOCUMENT.count(END) == 1
