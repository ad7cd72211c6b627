"""What a serial scanner says of its own reader, on real ttys; a reader is lost as an unexpected error loses it."""

import asyncio
from pathlib import Path

from agent.adapters.scanners.intake import SCANS_QUEUED_MAX, TAKEN_S_MAX
from agent.adapters.scanners.presence import Presence
from fakes.serial_scanner import scanner_at
from fakes.tty import WITHIN_S, Presences, Tty, reading


async def test_a_port_that_is_read_is_alive_also_when_nobody_scans(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        assert scanner.why_silent() is None


async def test_an_absent_device_that_is_looked_for_is_alive(tmp_path: Path, told: Presences) -> None:
    scanner = scanner_at(tmp_path / "none", told)
    async with reading(scanner):
        await told.until(Presence.ABSENT)
        assert scanner.why_silent() is None


async def test_an_absent_device_that_nobody_looks_for_any_more_is_told(tmp_path: Path, told: Presences) -> None:
    scanner = scanner_at(tmp_path / "none", told)
    async with reading(scanner):
        await told.until(Presence.ABSENT)
        scanner._lookout._cancel()
        assert scanner.why_silent() == "nobody looks for the device"


async def test_an_open_port_that_nobody_reads_is_told(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        scanner._pause()
        assert scanner.why_silent() == "the port is open and nobody reads it"


async def test_a_full_queue_is_alive_until_its_next_scan_has_waited_too_long(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told)
    scans = scanner.scans()
    first = asyncio.ensure_future(anext(scans))  # the consumer takes one scan, and then no more
    await told.until(Presence.PRESENT)
    async with asyncio.timeout(WITHIN_S):
        await tty.send(b"first\r")
        await first
        for number in range(SCANS_QUEUED_MAX):
            await tty.send(b"%d\r" % number)
        while scanner._is_reading:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert scanner.why_silent() is None
    scanner._intake._waits_since_s -= TAKEN_S_MAX + 1
    assert scanner.why_silent() == "nobody has taken the next scan for 30 s"
    async with asyncio.timeout(WITHIN_S):
        await anext(scans)
    assert scanner.why_silent() is None, "it is taken again"
    await scans.aclose()
