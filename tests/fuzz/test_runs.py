"""What a fuzzing process's last words say."""

from pathlib import Path

import pytest

from fuzz.runs import Run, read_result

GOOD = """\
#2\tINITED cov: 3 ft: 4 corp: 1/1b exec/s: 0 rss: 40Mb
#4096\tpulse  cov: 250 ft: 900 corp: 77/8Kb lim: 43 exec/s: 2048 rss: 50Mb
#20000\tDONE   cov: 262 ft: 1000 corp: 79/9Kb lim: 43 exec/s: 4339 rss: 50Mb
stat::number_of_executed_units: 20000
"""
BAD = (
    "#2\tINITED cov: 3 ft: 4 corp: 1/1b exec/s: 0 rss: 40Mb\nartifact_prefix='x'; Test unit written to /x/ehc-crash-1\n"
)


def test_a_run_to_its_end_tells_executions_and_coverage() -> None:
    result = read_result("ehc", 0, 4.0, GOOD)
    assert (result.is_good, result.executions, result.coverage, result.corpus) == (True, 20_000, 262, 79)
    assert str(result).startswith("ok   ehc")
    assert "5,000/s, 262 branches" in str(result)


def test_a_finding_says_how_to_have_it_again() -> None:
    result = read_result("ehc", 77, 1.0, BAD)
    assert (result.is_good, result.left) == (False, "/x/ehc-crash-1")
    assert "python -m fuzz ehc --replay /x/ehc-crash-1" in str(result)


def test_a_process_that_executed_nothing_found_something() -> None:
    assert not read_result("ehc", 0, 1.0, "").is_good


@pytest.mark.timeout(60)
def test_without_atheris_the_seeds_are_edited(tmp_path: Path) -> None:
    run = Run("base45", 300, 30, tmp_path, has_feedback=False)
    try:
        result = run.result()
    finally:
        run.end()
    assert (result.status, result.executions, result.is_good) == (0, 300, True), result.said
