"""What a serial scanner is told, and what it tells in packets, on real ttys."""

import asyncio
import os
import termios

import msgspec
import pytest

from agent.adapters.scanners import serial, serial_port
from agent.adapters.scanners.intake import loop_ms
from agent.adapters.scanners.presence import Presence
from agent.adapters.scanners.serial import Settings
from agent.adapters.scanners.serial_port import OUTBOX_BYTES_MAX
from agent.core.decision import Answer
from agent.core.reading.assembling import SerialFraming
from agent.core.reading.vendors import Vendor
from agent.core.scan import ScanFault
from agent.ports import Triggered
from fakes.serial_scanner import scanner_at
from fakes.ssi_scanner import CODE128, SsiScanner
from fakes.tty import Presences, Tty, reading
from fakes.waiting import until


async def test_an_ssi_scanner_is_acknowledged_and_told_the_answer(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, framing=SerialFraming.SSI, vendor=Vendor.ZEBRA_SSI, trigger="host")
    there = SsiScanner(tty)
    long = bytes(range(256)) * 4
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        await there.scan(long)
        await there.scan(b"(01)0123", CODE128)
        first, second = await listener.take(2)
        scanner.answered(Answer.REFUSE)
        assert (await there.hear())[1:5] == bytes([0xE6, 4, 0, 6])
        scanner.trigger(on=True)
        scanner.trigger(on=False)
        assert [(await there.hear())[1] for _ in range(2)] == [0xE4, 0xE5]
    assert isinstance(scanner, Triggered)
    assert (first.data, first.aim, first.fault) == (long, "]Q1", None)
    assert (second.data, second.aim) == (b"(01)0123", "]C0")


async def test_an_ssi_packet_that_was_damaged_or_not_acknowledged_is_one_scan(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, framing=SerialFraming.SSI, same_code_interval_ms=0)
    there = SsiScanner(tty)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        await there.send(b"\x1cdamaged", spoilt_first=True)
        await there.send(b"\x1cunheard", deaf_first=True)
        await there.send(b"\x1cnext")
        scans = await listener.take(3)
    assert [(scan.data, scan.fault) for scan in scans] == [(b"damaged", None), (b"unheard", None), (b"next", None)]


@pytest.mark.parametrize("vendor", [Vendor.HONEYWELL, Vendor.DATALOGIC])
async def test_the_answer_is_sent_to_the_scanner(vendor: Vendor, tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, vendor=vendor)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        scanner.answered(Answer.ACCEPT)
        assert await tty.receive() == scanner._signals.accepted
        scanner.answered(Answer.REFUSE)
        assert await tty.receive() == scanner._signals.refused
        scanner.trigger(on=True)  # trigger = "scanner": nobody asked the host to
        scanner.answered(Answer.ACCEPT)
        assert await tty.receive() == scanner._signals.accepted


async def test_own_commands_take_the_place_of_the_vendors(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, vendor=Vendor.HONEYWELL, accepted="07 ff 00")
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        scanner.answered(Answer.PROVISIONAL)
        assert await tty.receive() == b"\x07\xff\x00"


async def test_nothing_is_sent_while_a_scan_is_arriving(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, vendor=Vendor.HONEYWELL, timeout_ms=10_000)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(b"first ha")
        await until(lambda: not scanner._assembler.is_between)
        scanner.answered(Answer.ACCEPT)
        with pytest.raises(BlockingIOError):
            os.read(tty._fds[0], 100)  # type: ignore[index]
        await tty.send(b"lf\r")
        assert (await listener.next()).data == b"first half"
        assert await tty.receive() == b"\x1b7,"


async def test_newlands_replies_are_no_scans_and_spoil_none(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, vendor=Vendor.NEWLAND, trigger="host")
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        scanner.trigger(on=True)
        assert await tty.receive() == b"~\x010000#SCNTRG1;\x03"
        await tty.send(b"\x02\x010000#SCNTRG1\x06;\x03EHC1:A\r")
        assert ((await listener.next()).data) == b"EHC1:A"
        await tty.send(b"EHC1\x02\x010000#SCNTRG0\x06;\x03:B\r")
        assert (await listener.next()).fault is ScanFault.DAMAGED


async def test_a_scanner_that_takes_nothing_is_not_waited_for_and_what_is_dropped_is_counted(
    tty: Tty, told: Presences
) -> None:
    scanner = scanner_at(tty.path, told, accepted="55 " * 64)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        for _ in range(5_000):  # more than a tty holds; nobody reads the other end
            scanner.answered(Answer.ACCEPT)
        assert scanner.signals_dropped > 0
        assert len(scanner._outbox._waiting) <= OUTBOX_BYTES_MAX
        await tty.send(b"still read\r")
        assert (await listener.next()).data == b"still read"
        taken = len(await tty.receive())
        async with asyncio.timeout(10):
            while scanner._outbox._waiting:  # the rest follows once the device takes more
                taken += len(await tty.receive())
        assert scanner._outbox._writer_fd is None


async def test_an_answer_for_a_scanner_that_is_away_is_not_told_later(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, vendor=Vendor.DATALOGIC)
    scanner.answered(Answer.ACCEPT)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        tty.unplug()
        await told.until(Presence.ABSENT)
        scanner.answered(Answer.ACCEPT)
        tty.plug_in()
        await told.until(Presence.PRESENT, times=2)
        scanner.answered(Answer.REFUSE)
        assert await tty.receive() == b"FE"


async def test_a_scanner_box_is_read_byte_for_byte(tty: Tty, told: Presences) -> None:
    payload = bytes(range(256))
    checked = b"0256" + payload + b"\x03"
    lrc = 0
    for byte in checked:
        lrc ^= byte
    async with reading(scanner_at(tty.path, told, framing=SerialFraming.BOX, timeout_ms=50)) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(b"\x02" + checked + bytes([lrc]))
        assert (await listener.next()).data == payload
        await tty.send(b"\x02" + checked + bytes([lrc ^ 1]))
        assert (await listener.next()).fault is ScanFault.DAMAGED


async def test_bytes_the_kernel_marks_as_damaged_refuse_the_scan(tty: Tty, told: Presences) -> None:
    """A pty damages nothing: what the kernel would have written is read in its place."""
    scanner = scanner_at(tty.path, told)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        scanner._feed(b"EHC1:A\xff\x00CD\rnext \xff\xff\r", 0)
        damaged, following = await listener.take(2)
    assert (damaged.data, damaged.fault) == (b"EHC1:AD", ScanFault.DAMAGED)
    assert (following.data, following.fault) == (b"next \xff", None)


async def test_a_scan_with_an_overrun_in_it_is_refused(
    tty: Tty, told: Presences, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [0]
    monkeypatch.setattr(serial_port, "losses", lambda _port: counts[0])
    async with reading(scanner_at(tty.path, told)) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(b"whole\r")
        assert (await listener.next()).fault is None
        counts[0] = 1
        await tty.send(b"shrt\r")
        assert (await listener.next()).fault is ScanFault.LOST


async def test_a_scan_that_takes_long_to_arrive_is_refused_for_an_overrun_at_its_beginning(
    tty: Tty, told: Presences, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [0]
    monkeypatch.setattr(serial_port, "losses", lambda _port: counts[0])
    monkeypatch.setattr(serial, "LOST_MS", 1)
    scanner = scanner_at(tty.path, told, baud=1200, timeout_ms=10_000)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        counts[0] = 1
        await tty.send(b"EHC1:shrt")
        await until(lambda: not scanner._assembler.is_between)
        late_ms = loop_ms() + 5
        await until(lambda: loop_ms() > late_ms)
        await tty.send(b"ened\rwhole\r")
        shortened, whole = await listener.take(2)
    assert (shortened.data, shortened.fault) == (b"EHC1:shrtened", ScanFault.LOST)
    assert (whole.data, whole.fault) == (b"whole", None)


async def test_a_scan_that_was_arriving_when_the_port_was_opened_is_refused(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told)
    async with reading(scanner) as listener:
        await until(lambda: scanner._settle_timer is not None)
        await tty.send(b"nd of one\rwhole\r")
        end, whole = await listener.take(2)
    assert (end.data, end.fault) == (b"nd of one", ScanFault.INCOMPLETE)
    assert (whole.data, whole.fault) == (b"whole", None)


async def test_the_speed_is_found_by_what_arrives_and_kept_when_the_scanner_comes_back(
    tty: Tty, told: Presences
) -> None:
    scanner = scanner_at(tty.path, told, baud="auto", timeout_ms=50, same_code_interval_ms=0)

    async def scan(code: bytes) -> None:
        """A scanner at 115200: at any other speed the host sees damaged bytes and no terminator."""
        fd = os.open(tty.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        speed = termios.tcgetattr(fd)[4]
        os.close(fd)
        await tty.send(code + b"\r" if speed == termios.B115200 else b"\x80\x00\xf8\x00")

    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        await scan(b"EHC1:A")
        assert (await listener.next()).fault is not None, "the garbled scan is refused aloud"
        await scan(b"EHC1:A")
        assert ((await listener.next()).data, scanner._baud) == (b"EHC1:A", 115_200)
        tty.unplug()
        await told.until(Presence.ABSENT)
        tty.plug_in()
        await told.until(Presence.PRESENT, times=2)
        await scan(b"EHC1:B")
        assert (await listener.next()).data == b"EHC1:B"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"vendor": "zebra-ssi"}, 'set framing = "ssi"'),
        ({"trigger": "host"}, "needs vendor"),
        ({"accepted": "1b3"}, "accepted"),
        ({"baud": 9601}, "baud"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_do(more: dict[str, object], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert({"type": "serial", "id": "front", "path": "/dev/null"} | more, Settings)
