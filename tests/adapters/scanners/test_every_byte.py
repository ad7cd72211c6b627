"""Every kind of code through every way of arriving, by one to eight scanners at once: exact, each case counted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from agent.adapters.scanners import hid, keyboard, network, serial
from agent.adapters.scanners.presence import Presence
from agent.core.reading.assembling import SerialFraming
from agent.core.reading.box import BoxCheck, BoxLength
from agent.core.reading.framing import Framing
from agent.core.reading.keys import events_of
from agent.core.reading.layouts import LAYOUTS, LayoutName
from agent.core.reading.layouts.typed import keys_for
from agent.core.scan import Scan
from agent.ports import Scanner
from fakes.board import ENTER, Board
from fakes.hid_reports import HidDevice, reports
from fakes.ssi_scanner import DECODE_DATA, QR, ssi_packet
from fakes.tcp import TcpReader
from fakes.tty import Presences, Reading, Tty, reading
from fakes.world import FakeClock

CODES = {
    "EHC1": "EHC1:6BFOXN*TS0BI$ZD4N9:9S6RCVN5+O30K3/XIV0W23NTDE$VK G2EP4J0B3KLASMUG8GJL8LLG.3SA3/-2E%5V",
    "HC1": "HC1:NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL-AH-R6IOO6+IDOEZ/18WAV$E3+3AT4V22F/8X*G3M9JUPY0BX/KR96R/S09T.",
    "SHC": "shc:/56762909524320603460292437404460312229595326546034602925407728043360287028647167",
    "VDS-NC": '{"data":{"hdr":{"is":"UTO","t":"icao.test","v":1},"msg":{"name":"Cook"}},"sig":{"sigvl":"M_-"}}',
    "GS1": "0104012345678901\x1d10ABC123\x1d21xyz\x1d",
    "AIM id in the code": "]C1010401234567890110ABC\x1d",
    "URL": "https://Example.org/h/AbC-_~d?Q=1&r=%7E#Frag'ment",
    "Chinese": "姓名：测试 EHC1",
}
BYTES = {name: code.encode() for name, code in CODES.items()} | {"GB 18030": CODES["Chinese"].encode("gb18030")}
COUNTS = range(1, 9)
SCANNERS = sum(COUNTS)  # of each way of arriving
CHUNK = 7
LONG_MS = 10_000  # a busy machine is no pause
KEYS_PAUSE_MS = 2_000  # a keyboard's node is quiet that long before it counts as present
PAUSE_MS = 60  # where only a pause ends a code


class Desk:
    """One scanner, who listens to it, and what it is sent. aim: sent before each code, and taken off by the profile."""

    def __init__(self, number: int, scanner: Scanner, told: Presences) -> None:
        self.number, self.scanner, self.told = number, scanner, told
        self.listener = Reading()

    @property
    def aim(self) -> str:
        return "]Q1" if self.number % 2 else ""

    async def exact(self, codes: Sequence[bytes]) -> int:
        """Return how many scans came out as they were sent; there must be no other."""
        scans: list[Scan] = await self.listener.take(len(codes))
        assert [(scan.data, scan.fault) for scan in scans] == [(code, None) for code in codes]
        assert self.listener.waiting == 0
        return len(scans)


def profile(number: int) -> dict[str, object]:
    return {"id": f"desk-{number}", "aim_id": bool(number % 2)}


def own(number: int, code: bytes) -> bytes:
    """The code of one desk, so that a code at another desk is seen."""
    return code + f"#{number}".encode()


@asynccontextmanager
async def watched(desks: Sequence[Desk]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for desk in desks:
            desk.listener = await stack.enter_async_context(reading(desk.scanner))
        for desk in desks:
            await desk.told.until(Presence.PRESENT)
        yield


async def by_turns(sends: Sequence[Callable[[bytes], object]], streams: Sequence[bytes]) -> None:
    """Have every scanner send a few bytes, then every one the next."""
    for at in range(0, max(map(len, streams)), CHUNK):
        for send, stream in zip(sends, streams, strict=True):
            if part := stream[at : at + CHUNK]:
                await send(part)  # type: ignore[misc]


@pytest.mark.parametrize("name", LAYOUTS)
async def test_keyboards(name: LayoutName, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = 0
    boards = [Board(tmp_path / f"event{number}", layout=name) for number in range(max(COUNTS))]
    desks = []
    for number, board in enumerate(boards):
        settings = keyboard.Settings(
            **profile(number), path=str(board.path), layout=name, alt_codes="unicode", timeout_ms=KEYS_PAUSE_MS
        )  # type: ignore[arg-type]
        told = Presences()
        desks.append(Desk(number, keyboard.KeyboardScanner(settings, FakeClock(), told, open_node=board.open), told))
    async with watched(desks):
        for count in COUNTS:
            for kind, code in CODES.items():
                texts = [own(desk.number, f"{code}{kind}{count}".encode()).decode() for desk in desks[:count]]
                strokes = [
                    [*keys_for(desk.aim + text, board.layout, alt_codes="unicode"), *ENTER]
                    for desk, board, text in zip(desks, boards, texts, strict=False)
                ]
                for at in range(0, max(map(len, strokes)), CHUNK):
                    for board, pressed in zip(boards, strokes, strict=False):
                        await board.send(events_of(pressed[at : at + CHUNK]))
                exact += sum([await d.exact([t.encode()]) for d, t in zip(desks, texts, strict=False)])
    for board in boards:
        board.unplug()
    _tell(capsys, f"keyboards, layout {name}", exact, SCANNERS * len(CODES))


def box(code: bytes) -> bytes:
    body = f"{len(code):04}".encode() + code + b"\x03"
    return b"\x02" + body + bytes([reduce(xor, body)])


def ssi(code: bytes) -> bytes:
    parts = [code[at : at + 200] for at in range(0, len(code), 200)]
    return b"".join(
        ssi_packet(DECODE_DATA, bytes([QR]) + part, 0 if index + 1 == len(parts) else 2)
        for index, part in enumerate(parts)
    )


FRAMED: dict[SerialFraming, Callable[[bytes], bytes]] = {
    SerialFraming.CR: lambda code: code + b"\r",
    SerialFraming.LF: lambda code: code + b"\n",
    SerialFraming.CRLF: lambda code: code + b"\r\n",
    SerialFraming.TAB: lambda code: code + b"\t",
    SerialFraming.ETX: lambda code: code + b"\x03",
    SerialFraming.IDLE: lambda code: code,
    SerialFraming.BOX: box,
    SerialFraming.STX_ETX: lambda code: b"\x02" + code + b"\x03",
    SerialFraming.SSI: ssi,
}


@pytest.mark.parametrize("framing", list(SerialFraming))
async def test_serial_lines(framing: SerialFraming, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    is_idle = framing is SerialFraming.IDLE
    exact = 0
    for count in COUNTS:
        ttys = [Tty(tmp_path / f"tty{count}-{number}") for number in range(count)]
        desks = []
        for number, tty in enumerate(ttys):
            settings = serial.Settings(
                **profile(number), path=str(tty.path), framing=framing, timeout_ms=PAUSE_MS if is_idle else LONG_MS,
                box_length=BoxLength.ASCII, box_check=BoxCheck.LENGTH,
            )  # type: ignore[arg-type] # fmt: skip
            told = Presences()
            desks.append(Desk(number, serial.SerialScanner(settings, FakeClock(), told), told))
        async with watched(desks):
            exact += await _lines(desks, [tty.send for tty in ttys], FRAMED[framing], is_idle=is_idle)
        for tty in ttys:
            tty.unplug()
    _tell(capsys, f"serial lines, {framing.value}", exact, SCANNERS * len(BYTES))


@pytest.mark.parametrize("framing", list(Framing))
async def test_network_readers(framing: Framing, capsys: pytest.CaptureFixture[str]) -> None:
    is_idle = framing is Framing.IDLE
    exact = 0
    for count in COUNTS:
        readers, desks = [TcpReader() for _ in range(count)], []
        for number, reader in enumerate(readers):
            reader.switch_on()
            settings = network.Settings(
                **profile(number), path=f"tcp://127.0.0.1:{reader.port}", framing=framing,
                timeout_ms=PAUSE_MS if is_idle else LONG_MS,
            )  # type: ignore[arg-type] # fmt: skip
            told = Presences()
            desks.append(Desk(number, network.NetworkScanner(settings, FakeClock(), told), told))
        async with watched(desks):
            await asyncio.gather(*(reader.wait() for reader in readers))
            sends = [reader.send for reader in readers]
            exact += await _lines(desks, sends, FRAMED[SerialFraming(framing.value)], is_idle=is_idle)
        for reader in readers:
            reader.switch_off()
    _tell(capsys, f"network, {framing.value}", exact, SCANNERS * len(BYTES))


async def test_hid_pos(capsys: pytest.CaptureFixture[str]) -> None:
    exact = 0
    for count in COUNTS:
        devices, desks = [HidDevice() for _ in range(count)], []
        for number, device in enumerate(devices):
            settings = hid.Settings(**profile(number), path=f"/dev/hidraw{number}", timeout_ms=LONG_MS)  # type: ignore[arg-type]
            told = Presences()
            scanner = hid.HidScanner(settings, FakeClock(), told, open_device=device.open)
            desks.append(Desk(number, scanner, told))
        async with watched(desks):
            for code in BYTES.values():
                codes = [own(desk.number, code) for desk in desks]
                records = [reports(d.aim.encode() + c, b"]Q1") for d, c in zip(desks, codes, strict=True)]
                for at in range(max(map(len, records))):
                    for device, sent in zip(devices, records, strict=True):
                        await device.send(*sent[at : at + 1])
                exact += sum([await d.exact([c]) for d, c in zip(desks, codes, strict=True)])
        for device in devices:
            device.unplug()
    _tell(capsys, "HID POS", exact, SCANNERS * len(BYTES))


async def _lines(
    desks: Sequence[Desk],
    sends: Sequence[Callable[[bytes], object]],
    framed: Callable[[bytes], bytes],
    *,
    is_idle: bool,
) -> int:
    """Send all codes; by turns, but where only a pause ends a code. Return how many came out exact."""
    exact = 0
    for code in BYTES.values():
        codes = [own(desk.number, code) for desk in desks]
        streams = [framed(desk.aim.encode() + code) for desk, code in zip(desks, codes, strict=True)]
        if is_idle:
            for send, stream in zip(sends, streams, strict=True):
                await send(stream)  # type: ignore[misc]
        else:
            await by_turns(sends, streams)
        exact += sum([await d.exact([c]) for d, c in zip(desks, codes, strict=True)])
    return exact


def test_the_table_is_whole() -> None:
    ways = len(SerialFraming) + len(Framing) + 1
    assert SCANNERS * (len(LAYOUTS) * len(CODES) + ways * len(BYTES)) == 7_488


def _tell(capsys: pytest.CaptureFixture[str], what: str, exact: int, cases: int) -> None:
    with capsys.disabled():
        print(f"\n{what}: {exact} of {cases} codes exact", end="")  # noqa: T201 — the count is the proof
    assert exact == cases >= SCANNERS * len(CODES)
