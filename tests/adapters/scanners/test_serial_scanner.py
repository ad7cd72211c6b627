"""The serial scanner on real ttys: the bytes go through the kernel, hang-ups are the kernel's."""

import asyncio
from pathlib import Path

import pytest
from serial import Serial

from agent.adapters.scanners.intake import SCANS_QUEUED_MAX
from agent.adapters.scanners.lookout import REOPEN_DELAY_S_MAX
from agent.adapters.scanners.presence import Presence
from agent.adapters.scanners.serial import READ_BYTES_MAX, SerialScanner, Settings
from agent.core.reading.framing import Framing
from agent.core.scan import SCAN_BYTES_MAX, ScanFault
from fakes.serial_scanner import scanner_at
from fakes.tty import WITHIN_S, Presences, Tty, open_files, reading
from fakes.world import BOOT_ID, FakeClock


@pytest.mark.parametrize(
    ("framing", "end"),
    [
        (Framing.CR, b"\r"),
        (Framing.CR, b"\r\n"),
        (Framing.LF, b"\n"),
        (Framing.CRLF, b"\r\n"),
        (Framing.TAB, b"\t"),
        (Framing.ETX, b"\x03"),
    ],
)
async def test_every_byte_value_the_framing_allows_comes_through_the_tty(
    framing: Framing, end: bytes, tty: Tty, told: Presences
) -> None:
    payload = b"<" + bytes(b for b in range(256) if framing is Framing.CRLF or b not in end[:1]) + b"> "
    async with reading(scanner_at(tty.path, told, framing=framing)) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(payload + end + payload[::-1] + end)
        first, second = await listener.take(2)
    assert (first.data, second.data) == (payload, payload[::-1])
    assert first.fault is second.fault is None
    assert (first.scanner, first.at.boot_id) == ("front", BOOT_ID)


async def test_two_scanners_at_once_do_not_mix(tmp_path: Path) -> None:
    ttys = [Tty(tmp_path / name) for name in ("left", "right")]
    tolds = [Presences(), Presences()]
    codes = [[f"EHC1:{name}:{i:03}:{'x' * (i % 50)}".encode() for i in range(100)] for name in ("left", "right")]
    left, right = (
        SerialScanner(Settings(id=f"s{i}", path=str(ttys[i].path), scans_per_s_max=1_000), FakeClock(), tolds[i])
        for i in range(2)
    )
    async with reading(left) as at_left, reading(right) as at_right:
        for told in tolds:
            await told.until(Presence.PRESENT)
        for pair in zip(*codes, strict=True):  # halves of both in turn: every scan is in the middle of another
            for cut in (slice(0, 7), slice(7, None)):
                for tty, code in zip(ttys, pair, strict=True):
                    await tty.send(code[cut] + (b"" if cut.stop else b"\r"))
        got = [await at_left.take(100), await at_right.take(100)]
    for tty in ttys:
        tty.unplug()
    assert [[scan.data for scan in scans] for scans in got] == codes
    assert {(scan.scanner, scan.fault) for scan in got[0]} == {("s0", None)}
    assert {(scan.scanner, scan.fault) for scan in got[1]} == {("s1", None)}


async def test_a_scanner_that_is_missing_at_start_is_told_once_and_found_when_it_appears(
    tmp_path: Path, told: Presences
) -> None:
    tty = Tty(tmp_path / "scanner", is_there=False)
    async with reading(scanner_at(tty.path, told)) as listener:
        why = await told.until(Presence.ABSENT)
        tty.plug_in()
        await told.until(Presence.PRESENT)
        await tty.send(b"hello\r")
        assert (await listener.next()).data == b"hello"
    tty.unplug()
    assert str(tty.path) in why
    assert "/dev/serial/by-id" in why
    assert [presence for _, presence, _ in told.told] == [Presence.ABSENT, Presence.PRESENT]


@pytest.mark.looptime
async def test_a_scanner_missing_for_an_hour_is_told_once_and_found_within_seconds(
    tmp_path: Path, told: Presences
) -> None:
    loop = asyncio.get_running_loop()
    tty = Tty(tmp_path / "scanner", is_there=False)
    async with reading(scanner_at(tty.path, told)):
        await asyncio.sleep(3600)
        assert len(told.told) == 1
        tty.plug_in()
        await told.until(Presence.PRESENT)
        assert loop.time() <= 3600 + REOPEN_DELAY_S_MAX + 0.01
    tty.unplug()


async def test_hanging_up_in_the_middle_is_a_cut_scan_and_the_scanner_is_read_again_at_its_path(
    tty: Tty, told: Presences
) -> None:
    async with reading(scanner_at(tty.path, told)) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(b"whole\rhal")
        assert (await listener.next()).data == b"whole"
        tty.unplug()
        cut = await listener.next()
        await told.until(Presence.ABSENT)
        tty.plug_in()  # a new pty, with another name, behind the same path
        await told.until(Presence.PRESENT, times=2)
        await tty.send(b"f\rback\r")
        rest = await listener.take(2)
    assert (cut.data, cut.fault) == (b"hal", ScanFault.CUT)
    assert [(scan.data, scan.fault) for scan in rest] == [(b"f", None), (b"back", None)]
    assert [p for _, p, _ in told.told] == [Presence.PRESENT, Presence.ABSENT, Presence.PRESENT]


async def test_what_was_scanned_while_nobody_listened_is_not_replayed(tty: Tty, told: Presences) -> None:
    # The kernel's own other end tells that the bytes had arrived before the agent opened the port.
    with Serial(str(tty.path), exclusive=False) as before:
        await tty.send(b"left behind\r")
        arrived = asyncio.Event()
        asyncio.get_running_loop().add_reader(before.fileno(), arrived.set)
        async with asyncio.timeout(WITHIN_S):
            await arrived.wait()
        asyncio.get_running_loop().remove_reader(before.fileno())
    async with reading(scanner_at(tty.path, told)) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(b"fresh\r")
        assert (await listener.next()).data == b"fresh"


async def test_a_wake_up_without_bytes_is_no_hang_up(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        scanner._on_readable()
        await tty.send(b"still here\r")
        assert (await listener.next()).data == b"still here"
    assert len(told.told) == 1


async def test_half_a_scan_is_told_after_the_timeout(tty: Tty, told: Presences) -> None:
    async with reading(scanner_at(tty.path, told, timeout_ms=50)) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(b"half")
        half = await listener.next()
        await tty.send(b"its tail\rwhole\r")
        tail, whole = await listener.take(2)
    assert (half.data, half.fault) == (b"half", ScanFault.INCOMPLETE)
    assert (tail.data, tail.fault) == (b"its tail", ScanFault.INCOMPLETE)
    assert (whole.data, whole.fault) == (b"whole", None)


async def test_without_a_suffix_a_pause_ends_the_scan(tty: Tty, told: Presences) -> None:
    async with reading(scanner_at(tty.path, told, framing=Framing.IDLE, timeout_ms=50)) as listener:
        await told.until(Presence.PRESENT)
        for code in (b"one\r\n", bytes(range(256))):
            await tty.send(code)
            scan = await listener.next()
            assert (scan.data, scan.fault) == (code, None)


async def test_an_over_long_scan_is_one_fault_and_the_next_scan_is_whole(tty: Tty, told: Presences) -> None:
    async with reading(scanner_at(tty.path, told)) as listener:
        await told.until(Presence.PRESENT)
        await tty.send(bytes(range(128, 256)) * 800 + b"\rnext\r")
        long, following = await listener.take(2)
    assert (long.data, long.fault) == (bytes(range(128, 256)) * (SCAN_BYTES_MAX // 128), ScanFault.OVER_LONG)
    assert (following.data, following.fault) == (b"next", None)


async def test_a_slow_reader_makes_reading_pause_and_loses_nothing(tty: Tty, told: Presences) -> None:
    scanner = scanner_at(tty.path, told, scans_per_s_max=1_000_000)
    codes = [b"%06d" % i for i in range(20_000)]  # more than the kernel buffers
    scans = scanner.scans()
    async with asyncio.timeout(4 * WITHIN_S), asyncio.TaskGroup() as group:
        first = asyncio.ensure_future(anext(scans))
        await told.until(Presence.PRESENT)
        sending = group.create_task(tty.send(b"".join(code + b"\r" for code in codes)))
        got = [(await first).data]
        for i in range(1, len(codes)):
            if i % 100 == 0:
                await asyncio.sleep(0)  # let the reader run into its limit
            got.append((await anext(scans)).data)
            assert len(scanner._intake._waiting) < SCANS_QUEUED_MAX + READ_BYTES_MAX // 7 + 1
        await sending
        await scans.aclose()
    assert got == codes


async def test_a_port_held_by_another_program_is_told_with_what_to_do_and_taken_once_free(
    tty: Tty, told: Presences
) -> None:
    with Serial(str(tty.path), exclusive=True):
        gone = reading(scanner_at(tty.path, told))
        listener = await gone.__aenter__()
        why = await told.until(Presence.ABSENT)
    await told.until(Presence.PRESENT)
    await tty.send(b"mine now\r")
    assert (await listener.next()).data == b"mine now"
    await gone.__aexit__(None, None, None)
    assert "in use by another program" in why


async def test_a_path_that_is_no_serial_port_is_told_with_what_to_do(tmp_path: Path, told: Presences) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"not a tty")
    async with reading(scanner_at(path, told)):
        why = await told.until(Presence.ABSENT)
    assert "cannot be used as a serial port" in why
    assert "/dev/serial/by-id" in why


async def test_closing_gives_every_file_descriptor_back(tty: Tty, told: Presences) -> None:
    before = open_files()
    for times in range(1, 4):
        async with reading(scanner_at(tty.path, told)):
            await told.until(Presence.PRESENT, times=times)
    assert open_files() == before
