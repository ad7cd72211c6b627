"""A reader that has seen enough ends a command without a trace."""

import subprocess
import sys

import pytest

CARD = "1122" * 16


@pytest.mark.parametrize("arguments", [["explain", CARD], ["explain", CARD, "--json"], ["scanners", "list"]])
def test_a_reader_that_went_away_is_no_error(arguments: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "agent", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        process.wait()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
