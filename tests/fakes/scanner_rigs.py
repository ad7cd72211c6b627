"""Every kind of scanner with the hand that holds codes in front of it, for what all of them promise."""

from functools import reduce
from operator import xor
from pathlib import Path
from typing import Protocol

from agent.adapters.scanners import camera, hid, keyboard, network, replay, serial
from agent.adapters.scanners.presence import Presence
from agent.core.reading.assembling import SerialFraming
from agent.core.reading.box import BoxLength
from agent.core.reading.framing import Framing
from agent.core.scan import SCAN_BYTES_MAX
from agent.ports import Scanner
from fakes.board import Board
from fakes.hid_reports import HidDevice, reports
from fakes.pictures import WrittenReader, written_picture
from fakes.tcp import TcpReader
from fakes.tty import Presences, Tty
from fakes.waiting import until
from fakes.world import FakeClock


class Rig(Protocol):
    """A scanner, and the hand. place: what an absent one is told with."""

    scanner: Scanner
    told: Presences
    place: str

    async def scan(self, *codes: bytes) -> None: ...

    def put_away(self) -> None: ...


class SerialRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.place = str(folder)
        self.tty = Tty(folder / "tty", is_there=is_there)
        settings = serial.Settings(id="front", path=str(self.tty.path), framing=SerialFraming.LF)
        self.scanner: Scanner = serial.SerialScanner(settings, FakeClock(), self.told)

    async def scan(self, *codes: bytes) -> None:
        await self.told.until(Presence.PRESENT)
        await self.tty.send(b"".join(code + b"\n" for code in codes))

    def put_away(self) -> None:
        self.tty.unplug()


class BoxRig(SerialRig):
    """A scan box, whose frames may hold any byte; a pause between two codes, as people make it."""

    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        super().__init__(folder, is_there=is_there)
        settings = serial.Settings(
            id="front", path=str(self.tty.path), framing=SerialFraming.BOX, box_length=BoxLength.BINARY, timeout_ms=20
        )
        self.scanner = serial.SerialScanner(settings, FakeClock(), self.told)

    async def scan(self, *codes: bytes) -> None:
        await self.told.until(Presence.PRESENT)
        assembler = self.scanner._assembler  # type: ignore[attr-defined]
        for code in codes:
            checked = len(code).to_bytes(2, "big") + code + b"\x03"
            await self.tty.send(b"\x02" + checked + bytes([reduce(xor, checked)]))
            if len(code) > SCAN_BYTES_MAX:
                await until(lambda: not assembler.is_between)
                await until(lambda: assembler.is_between)


class HidRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.place = str(folder)
        self.device = HidDevice(is_there=is_there)
        settings = hid.Settings(id="front", path=str(folder / "hidraw0"))
        self.scanner: Scanner = hid.HidScanner(settings, FakeClock(), self.told, open_device=self.device.open)

    async def scan(self, *codes: bytes) -> None:
        await self.told.until(Presence.PRESENT)
        await self.device.send(*(record for code in codes for record in reports(code)))

    def put_away(self) -> None:
        self.device.unplug()


class KeyboardRig:
    """Keys carry text and nothing else."""

    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.place = str(folder)
        self.board = Board(folder / "event0", is_there=is_there)
        settings = keyboard.Settings(id="front", path=str(self.board.path), alt_codes="unicode", timeout_ms=300)
        self.scanner: Scanner = keyboard.KeyboardScanner(settings, FakeClock(), self.told, open_node=self.board.open)

    async def scan(self, *codes: bytes) -> None:
        await self.told.until(Presence.PRESENT)
        for code in codes:
            await self.board.type(code.decode(), alt_codes="unicode")

    def put_away(self) -> None:
        self.board.unplug()


class NetworkRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.reader = TcpReader()
        if is_there:
            self.reader.switch_on()
        self.place = f"tcp://127.0.0.1:{self.reader.port}"
        settings = network.Settings(id="front", path=self.place, framing=Framing.LF)
        self.scanner: Scanner = network.NetworkScanner(settings, FakeClock(), self.told)

    async def scan(self, *codes: bytes) -> None:
        await self.reader.wait()
        await self.reader.send(b"".join(code + b"\n" for code in codes))

    def put_away(self) -> None:
        self.reader.switch_off()


class ReplayRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.place = str(folder)
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


class CameraRig:
    def __init__(self, folder: Path, *, is_there: bool = True) -> None:
        self.told = Presences()
        self.place = str(folder)
        self.folder = folder / "pictures"
        if is_there:
            self.folder.mkdir()
        settings = camera.Settings(id="front", path=f"folder:{self.folder}", fps=240)
        self.scanner: Scanner = camera.CameraScanner(settings, FakeClock(), self.told, make_reader=WrittenReader)

    async def scan(self, *codes: bytes) -> None:
        for number, code in enumerate(codes):
            (self.folder / f"{number:03}.pgm").write_bytes(written_picture(code))

    def put_away(self) -> None: ...


RIGS: tuple[type[Rig], ...] = (SerialRig, BoxRig, HidRig, KeyboardRig, NetworkRig, CameraRig, ReplayRig)
WRITTEN_FIRST = (ReplayRig, CameraRig)  # a file is written before it is played


def typable(codes: list[bytes]) -> list[bytes]:
    """Return those that are text: keys carry nothing else."""
    return [code for code in codes if code.isascii() or code.startswith("姓".encode())]
