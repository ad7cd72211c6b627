"""A reader that has seen enough ends a command without a trace."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import READER_GONE

CARD = "1122" * 16
TRUST = {"format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-11-21T08:00:00Z", "keys": []}


def said_to_nobody(*arguments: str) -> str:
    """Run a command whose reader has gone; return its errors. It ends as SIGPIPE would end it."""
    command = [sys.executable, "-m", "agent", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == READER_GONE
    return said


@pytest.mark.parametrize("arguments", [["explain", CARD], ["explain", CARD, "--json"], ["scanners", "list"]])
def test_a_reader_that_went_away_is_no_error(arguments: list[str]) -> None:
    said = said_to_nobody(*arguments)
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


@pytest.mark.parametrize("arguments", [["explain", CARD], ["explain", CARD, "--json"], ["scanners", "list"]])
def test_a_command_without_any_output_ends_as_it_would_with_one(arguments: list[str]) -> None:
    """As a scheduler starts it, with descriptor 1 closed."""
    command = [sys.executable, "-m", "agent", *arguments]
    shown = subprocess.run(command, capture_output=True, check=False)
    closed = subprocess.run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, check=False)
    assert (closed.returncode, closed.stderr) == (shown.returncode, shown.stderr)


def test_a_reader_of_verdicts_that_went_away_is_no_error(tmp_path: Path) -> None:
    lines, trust = tmp_path / "lines.jsonl", tmp_path / "trust.json"
    lines.write_text('{"code": "hello"}\n')
    trust.write_text(json.dumps(TRUST))
    assert "Broken pipe" not in said_to_nobody("verify", "--in", str(lines), "--out", "-", "--trust", str(trust))
