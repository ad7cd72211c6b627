"""Ctrl-C, a full disk behind the output, a reader that went away: real processes, as at a shell."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import pytest

from agent.cli import OUTPUT_UNWRITTEN, READER_GONE

CARD = "1122" * 16
TRUST = {"format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-11-21T08:00:00Z", "keys": []}
LINE = b'{"code": "hello"}\n'
FULL = Path("/dev/full")
ENDS_S = 60
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


@pytest.fixture
def verify(tmp_path: Path) -> list[str]:
    (tmp_path / "trust.json").write_text(json.dumps(TRUST))
    return ["agent", "verify", "--in", "-", "--out", "-", "--trust", str(tmp_path / "trust.json")]


def started(arguments: list[str], **pipes: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
        bufsize=0,
        **pipes,
    )


def feed(pipe: IO[bytes]) -> None:
    try:
        while True:
            pipe.write(LINE * 400)
    except OSError:
        return


def ended(process: subprocess.Popen[bytes]) -> str:
    """Return what it and its processes said; they hold the pipe until they end, so this is their end, too."""
    assert process.stderr is not None
    timer = threading.Timer(ENDS_S, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        said = process.stderr.read().decode()
        process.wait()
        return said
    finally:
        timer.cancel()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_verify_and_its_processes_without_a_trace(verify: list[str], workers: str) -> None:
    """A terminal sends it to all of them at once; a shell sees that the first died of it."""
    with started([*verify, "--workers", workers], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        feeder = threading.Thread(target=feed, args=(process.stdin,))
        feeder.start()
        assert process.stdout.readline()  # all of them work
        os.killpg(process.pid, signal.SIGINT)
        drain = threading.Thread(target=process.stdout.read)
        drain.start()
        said = ended(process)
        feeder.join()
        drain.join()
    assert said.splitlines()[1:] == [], said
    assert process.returncode == -signal.SIGINT


def test_ctrl_c_while_verify_waits_for_a_line_ends_it_without_a_trace(verify: list[str]) -> None:
    with started([*verify, "--workers", "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"laboratory" in process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        assert ended(process) == ""
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize(
    ("module", "arguments", "place"),
    [
        ("agent", ["explain", CARD], "agent.commands.explain.run"),
        ("platform_stub", ["publish", "x"], "platform_stub.cli._publish"),
    ],
)
def test_ctrl_c_ends_whatever_command_without_a_trace(module: str, arguments: list[str], place: str) -> None:
    held = (
        "def held(_): print('held', file=sys.stderr, flush=True); signal.pause()\n"
        f"import runpy, signal, sys, {place.rpartition('.')[0]}; {place} = held; sys.argv[1:] = {arguments!r}\n"
        f"runpy.run_module({module!r}, run_name='__main__')\n"
    )
    command = [sys.executable, "-c", held]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, bufsize=0) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"held\n"
        process.send_signal(signal.SIGINT)
        assert ended(process) == ""
    assert process.returncode == -signal.SIGINT


@needs_full
@pytest.mark.parametrize(
    "arguments", [["agent", "explain", CARD], ["agent", "verify", "--help"], ["platform_stub", "mint", "--help"]]
)
def test_a_full_disk_behind_the_output_is_one_clear_line(arguments: list[str]) -> None:
    with FULL.open("wb") as full, started(arguments, stdout=full) as process:
        said = [line for line in ended(process).splitlines() if "laboratory" not in line]
    assert len(said) == 1, said
    assert said[0].endswith("No space left on device: the output is not whole")
    assert process.returncode == (OUTPUT_UNWRITTEN if arguments[0] == "agent" else 1)


@needs_full
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_behind_verdicts_is_one_clear_line(verify: list[str], workers: str) -> None:
    with FULL.open("wb") as full, started([*verify, "--workers", workers], stdin=subprocess.PIPE, stdout=full) as one:
        assert one.stdin is not None
        feeder = threading.Thread(target=feed, args=(one.stdin,))
        feeder.start()
        said = ended(one).splitlines()[1:]
        feeder.join()
    assert said == ["scanward: No space left on device: the output is not whole"]
    assert one.returncode == OUTPUT_UNWRITTEN


@pytest.mark.parametrize("arguments", [["agent", "verify", "--help"], ["platform_stub", "mint", "--help"]])
def test_a_reader_of_help_that_went_away_is_no_error(arguments: list[str]) -> None:
    with started(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert ended(process) == ""
    assert process.returncode == READER_GONE


def test_verify_without_standard_error_keeps_what_it_says_out_of_the_verdicts(verify: list[str]) -> None:
    command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", *verify]
    done = subprocess.run(command, input=LINE, stdout=subprocess.PIPE, check=False, timeout=ENDS_S)
    assert [json.loads(line)["reason"] for line in done.stdout.splitlines()] == ["family.unknown"]
    assert done.returncode == 0


def test_verify_with_its_input_closed_finds_nothing_in_it(verify: list[str]) -> None:
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", *verify]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, timeout=ENDS_S, check=False)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
