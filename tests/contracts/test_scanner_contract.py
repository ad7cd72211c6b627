"""What every scanner promises, on the real ones: a pty, HID records, keys over a pipe, a file played again."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from agent.adapters.scanners import hid, keyboard, replay, serial
from agent.adapters.scanners.presence import Presence
from agent.core.reading.framing import Framing
from agent.core.scan import SCAN_BYTES_MAX, ScanFault
from agent.ports import Scanner
from fakes.board import Board
from fakes.hid_reports import HidDevice, reports
from fakes.tty import Presences, Tty, reading
from fakes.world import EPOCH_MS, FakeClock


class Rig(Protocol):
    """A scanner, and the hand that holds codes in front of it."""

    scanner: Scanner
    told: Presences

    async def scan(self, *codes: bytes) -> None: ...


class SerialRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.tty = Tty(folder / "tty", is_there=is_there)
        settings = serial.Settings(id="front", path=str(self.tty.path), framing=Framing.LF)
        self.scanner: Scanner = serial.SerialScanner(settings, FakeClock(), self.told)

    async def scan(self, *codes: bytes) -> None:
        await self.told.until(Presence.PRESENT)
        await self.tty.send(b"".join(code + b"\n" for code in codes))

    def put_away(self) -> None:
        self.tty.unplug()


class HidRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.device = HidDevice(is_there=is_there)
        settings = hid.Settings(id="front", path=str(folder / "hidraw0"))
        self.scanner: Scanner = hid.HidScanner(settings, FakeClock(), self.told, open_device=self.device.open)

    async def scan(self, *codes: bytes) -> None:
        await self.told.until(Presence.PRESENT)
        await self.device.send(*(record for code in codes for record in reports(code)))

    def put_away(self) -> None:
        self.device.unplug()


class ReplayRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.path = folder / "replay"
        if is_there:
            self.path.write_bytes(b"")
        self.scanner: Scanner = replay.ReplayScanner(
            replay.Settings(id="front", path=str(self.path)), FakeClock(), self.told
        )

    async def scan(self, *codes: bytes) -> None:
        with self.path.open("ab") as file:
            file.writelines(code + b"\n" for code in codes)

    def put_away(self) -> None: ...


class KeyboardRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.board = Board(folder / "event0", is_there=is_there)
        settings = keyboard.Settings(id="front", path=str(self.board.path), alt_codes="unicode", timeout_ms=300)
        self.scanner: Scanner = keyboard.KeyboardScanner(settings, FakeClock(), self.told, open_node=self.board.open)

    async def scan(self, *codes: bytes) -> None:
        await self.told.until(Presence.PRESENT)
        for code in codes:
            await self.board.type(code.decode(), alt_codes="unicode")

    def put_away(self) -> None:
        self.board.unplug()


def typable(codes: list[bytes]) -> list[bytes]:
    """Return those that are text: keys carry nothing else."""
    return [code for code in codes if code.isascii() or code.startswith("姓".encode())]


@pytest.fixture(params=[SerialRig, HidRig, ReplayRig, KeyboardRig])
def make_rig(request: pytest.FixtureRequest) -> Callable[..., SerialRig | HidRig | ReplayRig | KeyboardRig]:
    return request.param


@pytest.fixture
async def rig(make_rig: Callable[..., SerialRig | HidRig | ReplayRig | KeyboardRig], tmp_path: Path) -> AsyncIterator[Rig]:
    rig = make_rig(tmp_path)
    yield rig
    rig.put_away()


async def scan_and_listen(rig: Rig, codes: list[bytes], expected: int) -> list[tuple[bytes, ScanFault | None]]:
    if isinstance(rig, ReplayRig):  # a file is written before it is replayed
        await rig.scan(*codes)
    async with reading(rig.scanner) as listener:
        if not isinstance(rig, ReplayRig):
            await rig.scan(*codes)
        scans = await listener.take(expected)
    assert {scan.scanner for scan in scans} == {"front"}
    assert all(scan.at.now.earliest_ms >= EPOCH_MS for scan in scans)
    return [(scan.data, scan.fault) for scan in scans]


async def test_scans_come_in_order_byte_for_byte(rig: Rig) -> None:
    codes = [
        b"EHC1:ABC$%*+-./: 9",
        "姓名：测试".encode(),
        "姓名".encode("gb18030"),
        b"]C10104012345678901\x1d10ABC\x1d",
        b"<" + bytes(b for b in range(256) if b != 0x0A) + b">",
        b" spaces belong to the code ",
    ]
    if isinstance(rig, KeyboardRig):
        codes = typable(codes)
    assert await scan_and_listen(rig, codes, len(codes)) == [(code, None) for code in codes]


async def test_an_over_long_scan_is_one_fault_and_the_next_is_whole(rig: Rig) -> None:
    codes = [b"y" * (2 * SCAN_BYTES_MAX), b"", b"next"]
    assert await scan_and_listen(rig, codes, 2) == [(b"y" * SCAN_BYTES_MAX, ScanFault.OVER_LONG), (b"next", None)]


async def test_the_longest_scan_comes_through(rig: Rig) -> None:
    code = bytes(32 + i % 90 for i in range(SCAN_BYTES_MAX))
    assert await scan_and_listen(rig, [code], 1) == [(code, None)]


async def test_a_missing_device_is_told_with_its_path_and_is_not_fatal(
    make_rig: Callable[..., SerialRig | HidRig | ReplayRig | KeyboardRig], tmp_path: Path
) -> None:
    rig = make_rig(tmp_path, is_there=False)
    async with reading(rig.scanner):
        why = await rig.told.until(Presence.ABSENT)
    rig.put_away()
    assert str(tmp_path) in why
    assert rig.told.told[0][0] == "front" == rig.scanner.id
    assert len(rig.told.told) == 1


async def test_nobody_is_told_what_was_scanned(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0):
        await scan_and_listen(rig, [b"PLANTED-1", b"PLANTED" * 2_000], 2)
    assert "PLANTED" not in caplog.text
    assert not any("PLANTED" in why for _, _, why in rig.told.told)
