"""`scanward scanners calibrate` over real ptys and pipes of key events: settings to paste, or why there are none."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.scanners.evdev import EVENT
from agent.cli import main
from agent.commands.scanners import calibrating, choosing, raw
from agent.config import Environment, parse
from agent.core.reading.calibration import CALIBRATION_TEXT, Finding, calibrate_keys
from agent.core.reading.framing import Framing
from agent.core.reading.keys import EV_KEY, events_of
from agent.core.reading.layouts import LayoutName, layout_of
from agent.core.reading.layouts.typed import keys_for

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tty(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    master, slave = os.openpty()
    path = tmp_path / "port"
    path.symlink_to(os.ttyname(slave))
    os.close(slave)
    yield master, path
    os.close(master)


def calibrated(tty: tuple[int, Path], sent: bytes, *more: str) -> tuple[int, str, str]:
    """Run the command, and scan once it asks for it."""
    master, path = tty
    with subprocess.Popen(
        [sys.executable, "-m", "agent", "scanners", "calibrate", "--path", str(path), "--type", "serial",
         "--seconds", "20", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            assert "scan one code" in process.stderr.readline()
            os.write(master, sent)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, out, err


TEXT = CALIBRATION_TEXT.encode()


def test_what_a_serial_scanner_sends_becomes_a_section_that_the_agent_loads(tty: tuple[int, Path]) -> None:
    status, out, err = calibrated(tty, TEXT + b"\r\n", "--baud", "9600")
    assert status == 0, err
    (section,) = tomllib.loads(out)["scanners"]
    assert section["framing"] in {"crlf", "cr"}
    assert section["baud"] == 9600
    config = parse(out.encode(), Environment("kiosk", None, None))
    assert config.scanners[0].path == str(tty[1])
    assert CALIBRATION_TEXT not in out + err


def test_prefix_suffix_and_aim_id_are_found(tty: tuple[int, Path]) -> None:
    status, out, err = calibrated(tty, b"<<]Q1" + TEXT + b">>\t", "--baud", "9600")
    assert status == 0, err
    (section,) = tomllib.loads(out)["scanners"]
    assert (section["prefix"], section["suffix"]) == ("<<", ">>")
    assert (section["aim_id"], section["framing"]) == (True, "tab")


def test_another_code_fits_nothing_and_is_not_shown(tty: tuple[int, Path]) -> None:
    status, out, err = calibrated(tty, b"a patient's own code\r", "--baud", "9600")
    assert (status, out) == (1, "")
    assert "nothing fits: " in err
    assert "patient" not in err


def test_silence_is_told_with_what_to_look_at(tty: tuple[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scanners", "calibrate", "--path", str(tty[1]), "--type", "serial", "--seconds", "1"]) == 2
    assert "nothing came: is it this scanner" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--sheet FILE.pdf to print the sheet"),
        (["--path", "/dev/null"], "--path PATH --type TYPE"),
        (["--path", "/nowhere/tty", "--type", "serial"], "plug the scanner in"),
        (["--path", "usb:dead:beef", "--type", "serial"], "usb:dead:beef"),
    ],
)
def test_what_cannot_be_read_is_told(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scanners", "calibrate", *arguments]) == 2
    assert says in capsys.readouterr().err


# Keys


def record(type_: int, code: int, value: int) -> bytes:
    return EVENT.pack(7, 250_000, type_, code, value)


def test_a_scan_of_keys_ends_with_a_pause_while_no_key_is_down() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    down, up = record(EV_KEY, 30, 1), record(EV_KEY, 30, 0)
    os.write(theirs, down + up)
    try:
        assert raw._read(ours, 30, 10_000, ends=raw.is_released) == down + up
        os.write(theirs, down)
        assert raw._read(ours, 0.1, 10_000, ends=raw.is_released) == down, "a held key does not hold it for ever"
        os.close(theirs)
        with pytest.raises(OSError, match="unplugged"):
            raw._read(ours, 30, 10_000)
    finally:
        os.close(ours)


def test_a_file_that_is_no_input_device_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(raw.NoReading):
        raw.read_keys(tmp_path / "file", 1, lambda: None)


def test_only_settings_that_the_type_has_and_that_say_something_are_written() -> None:
    probe = choosing.ad_hoc("serial", "/dev/x", ())
    finding = Finding(layout="de", framing=Framing.CR, prefix="", gs="^]", aim_id=False)
    assert calibrating.settings_of(finding, probe) == {"framing": "cr", "gs": "^]"}


@pytest.mark.parametrize("layout", ["us", "de", "fr"])
def test_what_a_keyboard_scanner_types_becomes_a_section_that_the_agent_loads(layout: LayoutName) -> None:
    probe = choosing.ad_hoc("keyboard", "/dev/input/by-id/usb-x-event-kbd", ())
    events = events_of(keys_for(CALIBRATION_TEXT + "\r", layout_of(layout)))
    found = calibrating.settings_of(calibrate_keys(events), probe)
    assert found["layout"] == layout
    text = "\n".join(calibrating.section_of(probe, found))
    assert parse(text.encode(), Environment("kiosk", None, None)).scanners[0].layout == layout
