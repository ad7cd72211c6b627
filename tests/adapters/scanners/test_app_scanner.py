"""A program as scanner: what it brings is a scan, byte for byte, or refused to its face."""

from agent.adapters.scanners.app import AppScanner, Settings
from agent.adapters.scanners.intake import SCANS_QUEUED_MAX
from agent.adapters.scanners.presence import Presence
from agent.core.reading.passing import BURST_SCANS_MAX
from agent.core.scan import SCAN_BYTES_MAX, ScanFault
from agent.ports import Entered, TakesScans
from fakes.tty import Presences, reading
from fakes.world import FakeClock


def phone(told: Presences, **settings: object) -> AppScanner:
    return AppScanner(Settings(id="phone", **settings), FakeClock(), told)


async def test_what_a_program_brings_is_a_scan(told):
    scanner = phone(told)
    assert isinstance(scanner, TakesScans)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        assert scanner.enter(b"EHC1:\x00\xff ", "]Q1") is Entered.TAKEN
        scan = await listener.next()
    assert (scan.data, scan.aim, scan.scanner, scan.fault) == (b"EHC1:\x00\xff ", "]Q1", "phone", None)
    assert [presence for _, presence, _ in told.told] == [Presence.PRESENT, Presence.ABSENT]


async def test_before_and_after_it_is_watched_nothing_is_taken(told):
    scanner = phone(told)
    assert scanner.enter(b"A", None) is Entered.FULL
    async with reading(scanner):
        await told.until(Presence.PRESENT)
    assert scanner.enter(b"A", None) is Entered.FULL


async def test_too_long_full_and_flood_are_said(told):
    scanner = phone(told)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        assert scanner.enter(b"x" * (SCAN_BYTES_MAX + 1), None) is Entered.TOO_LONG
        assert scanner.enter(b"x" * SCAN_BYTES_MAX, None) is Entered.TAKEN
        said = [scanner.enter(b"%d" % number, None) for number in range(SCANS_QUEUED_MAX)]
        assert said == [Entered.TAKEN] * (SCANS_QUEUED_MAX - 1) + [Entered.FULL]


async def test_a_flood_is_refused_and_the_scan_that_tells_it_is_one_fault(told):
    scanner = phone(told)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        said = []
        for number in range(BURST_SCANS_MAX + 3):
            said.append(scanner.enter(b"%d" % number, None))
            if number <= BURST_SCANS_MAX:
                last = await listener.next()
        assert said == [Entered.TAKEN] * BURST_SCANS_MAX + [Entered.FLOOD] * 3
        assert (last.data, last.fault) == (b"", ScanFault.FLOOD)
        assert scanner.counts.faults == {"flood": 1}
        assert (scanner.counts.scans, scanner.counts.dropped) == (BURST_SCANS_MAX + 1, 3)


async def test_the_profile_stands_before_a_program_too(told):
    scanner = phone(told, symbologies=("qr",))
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        assert scanner.enter(b"A", "]d2") is Entered.TAKEN
        assert (await listener.next()).fault is ScanFault.SYMBOLOGY
        assert scanner.enter(b"B", None) is Entered.TAKEN
        assert scanner.enter(b"B", None) is Entered.TAKEN
        assert (await listener.next()).data == b"B"
        assert listener.waiting == 0
        assert scanner.counts.repeats == 1
