import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.adapters.scanners import hid
from agent.adapters.scanners.presence import Presence
from agent.adapters.scanners.report_reader import RING_REPORTS, ReportReader
from agent.core.scan import SCAN_BYTES_MAX, ScanFault
from fakes.hid_reports import COUNTED, KEYBOARD, UNCOUNTED, HidDevice, report, reports
from fakes.tty import Presences, reading
from fakes.waiting import until
from fakes.world import FakeClock

PATH = "/dev/scanward/by-id/hid-Maker_1-if00"


class Rig:
    def __init__(self, descriptor: bytes = COUNTED, **settings: object) -> None:
        self.device = HidDevice(descriptor)
        self.told = Presences()
        given = hid.Settings(id="front", path=PATH, **{"same_code_interval_ms": 0, **settings})  # type: ignore[arg-type]
        self.scanner = hid.HidScanner(given, FakeClock(), self.told, open_device=self.device.open)


RigOf = Callable[..., Rig]


@pytest.fixture
def rig_of() -> Iterator[RigOf]:
    rigs: list[Rig] = []

    def make(descriptor: bytes = COUNTED, **settings: object) -> Rig:
        rigs.append(Rig(descriptor, **settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.device.unplug()


def open_now() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


async def test_a_code_over_several_reports_is_one_scan_with_its_aim_id(rig_of: RigOf) -> None:
    rig = rig_of()
    code = "姓名：测试".encode() + bytes(range(256))
    async with reading(rig.scanner) as listener:
        where = await rig.told.until(Presence.PRESENT)
        await rig.device.send(*reports(code, b"]Q2"))
        scan = await listener.next()
    assert (scan.data, scan.aim, scan.fault, scan.scanner) == (code, "]Q2", None, "front")
    assert where == f"{PATH} (Maker Scanner)"
    assert rig.device.opened == [Path(PATH)]


async def test_a_code_that_was_on_its_way_at_opening_is_lost_and_not_read_from_its_middle(rig_of: RigOf) -> None:
    rig = rig_of()
    async with reading(rig.scanner) as listener:
        await until(lambda: bool(rig.device.opened))
        rig.device.send_now(report(b"the rest of a code"))
        scan = await listener.next()
        assert rig.scanner.presence is None
        await rig.told.until(Presence.PRESENT)
        await rig.device.send(*reports(b"next"))
        assert [(scan.data, scan.fault) for scan in await listener.take(1)] == [(b"next", None)]
    assert scan.fault is ScanFault.LOST


async def test_what_comes_while_the_loop_stands_still_is_read_all_the_same(rig_of: RigOf) -> None:
    rig = rig_of(scans_per_s_max=1_000)
    codes = [b"%d" % number * 30 for number in range(100, 140)]
    async with reading(rig.scanner) as listener:
        await rig.told.until(Presence.PRESENT)
        records = [record for code in codes for record in reports(code)]
        sent = threading.Event()

        def send_slowly() -> None:
            for record in records:
                rig.device.send_now(record)
                while rig.device._unread():
                    sent.wait(0.0005)
            sent.set()

        threading.Thread(target=send_slowly).start()
        assert sent.wait(20)  # the loop does nothing until everything was sent
        assert [scan.data for scan in await listener.take(len(codes))] == codes
    assert len(records) > RING_REPORTS


async def test_a_ring_that_was_full_may_have_dropped_reports_and_the_scan_is_lost() -> None:
    device = HidDevice()
    hidraw = device.open(Path(PATH))
    records = [report(b"%02d" % number) for number in range(RING_REPORTS)]
    device.send_now(*records)  # all of them before anybody reads
    has_come = asyncio.Event()
    reader = ReportReader(hidraw.fd, "ring", has_come.set, lambda: None)
    got = []
    async with asyncio.timeout(10):
        while len(got) < RING_REPORTS:
            while (taken := reader.take()) is not None:
                got.append(taken)
            await asyncio.sleep(0)
    reader.stop()
    device.unplug()
    assert [taken.data for taken in got] == records
    assert [taken.is_gap_behind for taken in got] == [False] * (RING_REPORTS - 1) + [True]


async def test_a_scan_with_a_full_ring_in_its_middle_is_refused_and_the_next_one_is_whole(rig_of: RigOf) -> None:
    rig = rig_of(timeout_ms=20)
    async with reading(rig.scanner) as listener:
        await rig.told.until(Presence.PRESENT)
        started, go = threading.Event(), threading.Event()
        whole = reports(b"x" * 56 * 80)
        _hold(rig.scanner, started, go)
        rig.device.send_now(report(b"y" * 56, more=True))
        assert await asyncio.to_thread(started.wait, 10)
        rig.device.send_now(*whole)  # the reading thread is held meanwhile: 80 wait, more than a ring has
        go.set()
        assert {scan.fault for scan in await listener.take(1)} == {ScanFault.LOST}
        await until(lambda: rig.scanner._assembler.due_at_ms is None)
        rig.scanner._assembler._tail = None
        await rig.device.send(*reports(b"next"))
        while (scan := await listener.next()).fault is not None:
            assert scan.fault is ScanFault.LOST
    assert scan.data == b"next"


def _hold(scanner: hid.HidScanner, started: threading.Event, go: threading.Event) -> None:
    """Have the reading thread stand still once, in front of its next report."""
    reader = scanner._reader
    assert reader is not None
    put: Callable[..., None] = reader._put

    def held(data: bytes, *, is_gap_behind: bool) -> None:
        if not started.is_set():
            started.set()
            go.wait(10)
        put(data, is_gap_behind=is_gap_behind)

    reader._put = held  # type: ignore[method-assign]


async def test_a_scan_that_never_goes_on_is_incomplete(rig_of: RigOf) -> None:
    rig = rig_of(timeout_ms=20)
    async with reading(rig.scanner) as listener:
        await rig.told.until(Presence.PRESENT)
        await rig.device.send(report(b"a" * 56, more=True))
        scan = await listener.next()
    assert (scan.data, scan.fault) == (b"a" * 56, ScanFault.INCOMPLETE)


async def test_an_unplugged_scanner_cuts_its_scan_and_is_read_again_when_it_is_back(rig_of: RigOf) -> None:
    rig = rig_of()
    async with reading(rig.scanner) as listener:
        await rig.told.until(Presence.PRESENT)
        await rig.device.send(report(b"whole"), report(b"a" * 56, more=True))
        rig.device.unplug()
        assert PATH in await rig.told.until(Presence.ABSENT)
        assert [(s.data, s.fault) for s in await listener.take(2)] == [(b"whole", None), (b"a" * 56, ScanFault.CUT)]
        assert rig.scanner.why_silent() is None
        rig.device.plug_in()
        await rig.told.until(Presence.PRESENT, times=2)
        await rig.device.send(*reports(b"back"))
        assert (await listener.next()).data == b"back"


async def test_the_longest_code_comes_through(rig_of: RigOf) -> None:
    rig = rig_of()
    code = bytes(i % 251 for i in range(SCAN_BYTES_MAX))
    async with reading(rig.scanner) as listener:
        await rig.told.until(Presence.PRESENT)
        await rig.device.send(*reports(code))
        assert (await listener.next()).data == code


@pytest.mark.parametrize(
    ("descriptor", "padding", "why"),
    [
        (KEYBOARD, "", "keyboard mode: scan its setting code for 'HID POS'"),
        (b"", "", "keyboard mode"),
        (UNCOUNTED, "", 'set padding = "nul"'),
    ],
)
async def test_a_device_whose_reports_cannot_be_read_is_absent_and_says_what_to_do(
    rig_of: RigOf, descriptor: bytes, padding: str, why: str
) -> None:
    rig = rig_of(descriptor, padding=padding)
    async with reading(rig.scanner):
        said = await rig.told.until(Presence.ABSENT)
    assert why in said
    assert PATH in said


async def test_padding_is_taken_off_where_the_technician_says_so(rig_of: RigOf) -> None:
    rig = rig_of(UNCOUNTED, padding="nul")
    async with reading(rig.scanner) as listener:
        await rig.told.until(Presence.PRESENT)
        record = report(b"code")
        await rig.device.send(record[:1] + record[2:])
        assert (await listener.next()).data == b"code"


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EACCES, "no permission"),
        (errno.EAGAIN, "in use by another program"),
        (errno.ENOTTY, "is no hidraw device"),
        (errno.ENODEV, "is not there"),
    ],
)
async def test_what_is_wrong_with_a_device_is_said_with_what_to_do(number: int, why: str) -> None:
    def fail(node: Path) -> hid.Hidraw:
        raise OSError(number, os.strerror(number), str(node))

    told = Presences()
    scanner = hid.HidScanner(hid.Settings(id="front", path=PATH), FakeClock(), told, open_device=fail)
    async with reading(scanner):
        said = await told.until(Presence.ABSENT)
    assert why in said
    assert PATH in said


async def test_a_real_device_that_is_no_hidraw_is_refused_and_closed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    before = open_now()
    for path in ("/dev/null", str(file), str(tmp_path / "missing"), str(tmp_path)):
        told = Presences()
        scanner = hid.HidScanner(hid.Settings(id="front", path=path), FakeClock(), told)
        async with reading(scanner):
            assert path in await told.until(Presence.ABSENT)
    assert open_now() == before


async def test_nothing_is_left_open_when_the_reading_ends(rig_of: RigOf) -> None:
    rig = rig_of()
    threads = set(threading.enumerate())
    before = open_now()
    async with reading(rig.scanner):
        await rig.told.until(Presence.PRESENT)
        assert rig.scanner.why_silent() is None
    rig.device.unplug()
    assert set(threading.enumerate()) == threads
    assert open_now() == before


async def test_while_nobody_takes_scans_reports_wait_and_the_status_says_so(rig_of: RigOf) -> None:
    rig = rig_of(scans_per_s_max=1_000)
    codes = [b"%d" % number for number in range(200)]
    scans = rig.scanner.scans()
    first = asyncio.ensure_future(anext(scans))
    await rig.told.until(Presence.PRESENT)
    await rig.device.send(*(record for code in codes for record in reports(code)))
    got = [(await first).data]
    assert rig.scanner._intake.is_full
    got += [(await anext(scans)).data for _ in codes[1:]]
    await scans.aclose()
    assert got == codes
