"""`scanward scanners test`, as a technician runs it: real ptys, another process that holds one, a replayed file."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.clock import SystemRandomness
from agent.app import Paths, open_ledger
from agent.cli import main
from agent.commands.scanners import showing, trial
from agent.config import load
from agent.core.codes.hospital_card import read_patterns
from agent.core.scan import ScanFault
from fakes.ehc_issuer import scan_of
from fakes.neighbours import SHAPES, numbered
from fakes.pictures import picture_of

ROOT = Path(__file__).parents[3]
SECRET = "EHC1:MAX-MUSTERMANN"


class LooseTty:
    """A tty that nobody has open yet, as a port with a scanner on it; `path` is a stable link to it."""

    def __init__(self, path: Path) -> None:
        self._master, slave = os.openpty()
        path.symlink_to(os.ttyname(slave))
        os.close(slave)
        self.path = path

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def close(self) -> None:
        os.close(self._master)


@pytest.fixture
def tty(tmp_path: Path) -> Iterator[LooseTty]:
    tty = LooseTty(tmp_path / "tty-front")
    yield tty
    tty.close()


@pytest.fixture
def config(tty: LooseTty, tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(
        f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{tty.path}"\ntimeout_ms = 200\n'
        f'[state]\ndirectory = "{tmp_path / "state"}"\n'
    )
    return path


@contextmanager
def trying(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command until its scanner is present."""
    with subprocess.Popen(
        [sys.executable, "-m", "agent", "scanners", "test", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("present")
            yield process
        finally:
            process.kill()


def test_a_scan_is_told_in_all_a_technician_needs_but_not_what_it_holds(tty: LooseTty, config: Path) -> None:
    with trying("--config", str(config), "front", "--count", "2") as process:
        tty.send(SECRET.encode() + b"\r")
        tty.send("01\x1d02\u00e4\r".encode())
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "ok     19 bytes, AIM id not told, ASCII, family" in out
    assert "7 bytes, AIM id not told, UTF-8, ␝×1" in out
    assert re.search(r"2 +\+\d+\.\d{3} s", out)
    assert "shape AAA9:AAA-AAAAAAAAAA" in out
    assert "shape 99␝99文" in out
    assert "test: 2 good, 0 faulty" in out
    assert SECRET not in out + err
    assert "MUSTER" not in out + err


def test_what_a_code_holds_is_shown_on_demand_after_a_warning(tty: LooseTty, config: Path) -> None:
    with trying("--config", str(config), "--count", "1", "--show") as process:
        tty.send(SECRET.encode() + b"\x1d\r")
        out, err = process.communicate(timeout=30)
    assert f"text  {SECRET}␝" in out
    assert "personal data" in err


def test_a_faulty_scan_is_told_with_its_cure_and_is_no_success(tty: LooseTty, config: Path) -> None:
    with trying("--config", str(config), "--count", "1") as process:
        tty.send(b"no end")
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "FAULT  incomplete: the end of the scan never came" in out
    assert "do: set the scanner's suffix and framing" in out


def test_a_scanner_without_a_configuration_is_tried_by_its_path(tty: LooseTty) -> None:
    with trying("--type", "serial", "--path", str(tty.path), "--set", "framing=lf", "--count", "1") as process:
        tty.send(b"abc\n")
        out, _ = process.communicate(timeout=30)
    assert "ok     3 bytes" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to(tty: LooseTty, config: Path, number: int) -> None:
    with trying("--config", str(config)) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "test: 0 good, 0 faulty" in out
    assert "Traceback" not in err


def test_it_ends_after_its_seconds(tty: LooseTty, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scanners", "test", "--config", str(config), "--seconds", "1", "--trigger"]) == 1
    captured = capsys.readouterr()
    assert "test: 0 good, 0 faulty in 1." in captured.out
    assert "has no trigger" in captured.err


def test_a_scanner_that_another_program_has_is_left_alone(
    tty: LooseTty, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        tty.path.open("rb", buffering=0) as held,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()]) as other,
    ):
        assert main(["scanners", "test", "--config", str(config), "front"]) == 2
        other.kill()
    assert f"(pid {other.pid}): end it first" in capsys.readouterr().err


def test_a_scanner_of_the_running_agent_is_left_alone(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = config.parent / "state"
    state.mkdir(mode=0o700)
    ledger = open_ledger(load(config), Paths(state), SystemRandomness())
    try:
        assert main(["scanners", "test", "--config", str(config), "front"]) == 2
    finally:
        ledger.close()
    assert f"the agent (pid {os.getpid()}) has it: systemctl stop scanward" in capsys.readouterr().err


def test_a_file_of_scans_is_shown_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scans").write_bytes(b"one\n\xff\xfe\n")
    assert main(["scanners", "test", "--type", "replay", "--path", str(tmp_path / "scans"), "--show"]) == 0
    out = capsys.readouterr().out
    assert "test: 2 good" in out
    assert "text  ⟨ff⟩⟨fe⟩" in out


def test_an_absent_scanner_is_told_as_absent_and_not_as_one_nobody_looks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "none")
    assert main(["scanners", "test", "--type", "serial", "--path", path, "--seconds", "1"]) == 1
    out = capsys.readouterr().out
    assert f"absent   test: {path} is not there" in out
    assert "silent" not in out


def test_a_camera_s_thread_has_ended_when_the_command_does(tmp_path: Path) -> None:
    picture_of("code").save(tmp_path / "1.png")
    assert main(["scanners", "test", "--type", "camera", "--path", f"folder:{tmp_path}", "--count", "1"]) == 0
    assert "camera" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--config FILE ID, or --type TYPE --path PATH"),
        (["--type", "serial"], "--config FILE ID, or --type TYPE --path PATH"),
        (["--type", "parrot", "--path", "x"], "no settings of a scanner"),
        (["--type", "serial", "--path", "x", "--set", "baud"], "write NAME=VALUE"),
        (["--type", "serial", "--path", "x", "--set", "baud=7"], "no settings of a scanner"),
    ],
)
def test_what_cannot_be_opened_is_told_with_what_to_write(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scanners", "test", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_scanner_that_is_not_configured_is_told_with_those_that_are(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scanners", "test", "--config", str(config), "back"]) == 2
    assert "no scanner 'back' there: name one of these: front" in capsys.readouterr().err


def test_a_camera_s_pictures_are_counted_by_whichever_name_it_gives_them() -> None:
    class Counts:
        pictures, dropped = 90, 3

    class Camera:
        counts = Counts()

    class Other:
        counts = object()

    assert trial.figures_of(Camera()) == (90, 3)
    assert trial.figures_of(Other()) is None
    assert trial._rate((0, 0), (90, 3), 3.0) == "30.0/s, 3 of 90 dropped"


@pytest.mark.parametrize("family", sorted(SHAPES))
def test_a_code_that_whoever_sees_it_can_use_is_masked_even_on_demand(family: str) -> None:
    secret = numbered(family)
    for fault in (None, ScanFault.SYMBOLOGY):
        scan = replace(scan_of(secret), fault=fault)
        told = "\n".join(showing.lines_of(scan, 1, None, show=True))
        assert secret[4:] not in told
        assert "shape 9999" in told
    assert f"family {family}" in "\n".join(showing.lines_of(scan_of(secret), 1, None, show=True))


def test_the_site_s_cards_are_told_by_its_patterns() -> None:
    told = "\n".join(showing.lines_of(scan_of("JZ123456"), 1, None, show=False, cards=read_patterns([r"JZ\d{6}"])))
    assert "family hospital-card" in told
    assert "AA999999" in told
