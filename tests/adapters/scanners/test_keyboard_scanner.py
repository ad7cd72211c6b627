"""The scanner that types: the kernel's records through a pipe, read by the real thread; opening by recorded ioctls."""

import asyncio
import errno
import struct
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agent.adapters.scanners import evdev, key_reader
from agent.adapters.scanners.evdev import EVENT, EventNode, events_in
from agent.adapters.scanners.intake import SCANS_QUEUED_MAX
from agent.adapters.scanners.keyboard import KeyboardScanner
from agent.adapters.scanners.keyboard_settings import Settings
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.adapters.scanners.presence import Presence
from agent.core.reading.keys import HELD, KeyEvent, Stroke
from agent.core.reading.layouts import LAYOUTS
from agent.core.reading.layouts.typed import keys_for
from agent.core.scan import ScanFault
from fakes.board import ENTER, Board
from fakes.tty import Presences, reading
from fakes.waiting import until
from fakes.world import FakeClock

CODES = [
    "EHC1:6BF OXN*TS0",
    "shc:/5676290952",
    '{"data":{"is":"UTO"}}',
    "01040\x1d10ABC\x1d",
    "https://Ex.org/~a?B=%7E",
]


def scanner_at(board: Board, told: Presences, **settings: object) -> KeyboardScanner:
    settings = {"id": "front", "path": str(board.path), "timeout_ms": 50, "scans_per_s_max": 10_000} | settings
    return KeyboardScanner(Settings(**settings), FakeClock(), told, open_node=board.open)  # type: ignore[arg-type]


async def test_what_is_typed_comes_out_byte_for_byte(board: Board, told: Presences) -> None:
    async with reading(scanner_at(board, told)) as listener:
        await told.until(Presence.PRESENT)
        for code in CODES:
            await board.type(code)
        scans = await listener.take(len(CODES))
    assert [(scan.data, scan.fault) for scan in scans] == [(code.encode(), None) for code in CODES]


async def test_eight_scanners_of_eight_countries_at_once_do_not_mix(tmp_path: Path) -> None:
    boards = [Board(tmp_path / f"event{i}", layout=name) for i, name in enumerate(LAYOUTS)]
    tolds = [Presences() for _ in boards]
    async with AsyncExitStack() as stack:
        listeners = [
            await stack.enter_async_context(reading(scanner_at(b, t, layout=name, timeout_ms=2_000)))
            for b, t, name in zip(boards, tolds, LAYOUTS, strict=True)
        ]
        for told in tolds:
            await told.until(Presence.PRESENT)
        streams = [[s for code in CODES for s in keys_for(code, b.layout) + ENTER] for b in boards]
        for start in range(0, max(map(len, streams)), 7):  # every scan is in the middle of seven others
            for b, stream in zip(boards, streams, strict=True):
                await b.press(stream[start : start + 7])
        got = [await listener.take(len(CODES)) for listener in listeners]
    for b in boards:
        b.unplug()
    assert [[scan.data.decode() for scan in scans] for scans in got] == [CODES] * len(LAYOUTS)
    assert {scan.fault for scans in got for scan in scans} == {None}


async def test_a_scanner_is_present_after_a_first_pause_and_what_was_typed_before_is_dropped(
    board: Board, told: Presences
) -> None:
    await board.type("before")
    await board.press([Stroke(42, 1)])  # Shift stays down
    async with reading(scanner_at(board, told)) as listener:
        await told.until(Presence.PRESENT)
        await board.press([Stroke(30, 1), Stroke(30, 0), Stroke(42, 0), *ENTER])
        assert (await listener.next()).data == b"A"


async def test_caps_lock_pressed_before_the_first_pause_counts_beside_its_light(board: Board, told: Presences) -> None:
    board.lit = True  # and stays lit: of a keyboard that is the agent's alone nobody else hears the key
    await board.press([*keys_for("x", board.layout), Stroke(58, 1), Stroke(58, 0)])
    async with reading(scanner_at(board, told)) as listener:
        assert "light" not in await told.until(Presence.PRESENT)
        await board.type("aB1")
        assert (await listener.next()).data == b"aB1"


async def test_the_light_of_caps_lock_counts_from_the_start_and_is_told(tmp_path: Path, told: Presences) -> None:
    board = Board(tmp_path / "event0", lit=True)
    async with reading(scanner_at(board, told)) as listener:
        assert "Caps Lock" in await told.until(Presence.PRESENT)
        await board.type("aB1")
        assert (await listener.next()).data == b"Ab1"
    board.unplug()


async def test_what_the_kernel_dropped_is_a_lost_scan_and_the_next_is_whole(board: Board, told: Presences) -> None:
    async with reading(scanner_at(board, told, timeout_ms=2_000)) as listener:
        await told.until(Presence.PRESENT)
        await board.press(keys_for("lost", board.layout))
        await board.press([Stroke(42, 1)])
        await board.drop()
        assert ((await listener.next()).fault) is ScanFault.LOST
        await board.press([Stroke(30, 1), Stroke(30, 0), *ENTER])
        await board.press([Stroke(30, 1), Stroke(30, 0), Stroke(42, 0), *ENTER])
        scan = await listener.next()
    assert (scan.data, scan.fault) == (b"A", None)  # Shift was asked for again


async def test_a_pause_in_the_middle_is_an_incomplete_scan(board: Board, told: Presences) -> None:
    async with reading(scanner_at(board, told)) as listener:
        await told.until(Presence.PRESENT)
        await board.type("hal", end=[])
        scan = await listener.next()
    assert (scan.data, scan.fault) == (b"hal", ScanFault.INCOMPLETE)


async def test_without_a_terminator_a_pause_ends_a_scan(board: Board, told: Presences) -> None:
    async with reading(scanner_at(board, told, terminator="none")) as listener:
        await told.until(Presence.PRESENT)
        await board.type("whole", end=[])
        scan = await listener.next()
    assert (scan.data, scan.fault) == (b"whole", None)


async def test_unplugging_in_the_middle_is_a_cut_scan_and_the_scanner_is_read_again(
    board: Board, told: Presences
) -> None:
    async with reading(scanner_at(board, told, timeout_ms=2_000)) as listener:
        await told.until(Presence.PRESENT)
        await board.type("whole")
        await board.type("hal", end=[])
        board.unplug()
        first, second = await listener.take(2)
        assert "plug the scanner in" in await told.until(Presence.ABSENT)
        board.plug_in()
        await told.until(Presence.PRESENT, 2)
        await board.type("again")
        third = await listener.next()
    assert [(s.data, s.fault) for s in (first, second, third)] == [
        (b"whole", None), (b"hal", ScanFault.CUT), (b"again", None),
    ]  # fmt: skip


async def test_no_tail_crosses_a_broken_radio_link(tmp_path: Path, told: Presences) -> None:
    board = Board(tmp_path / "event0", is_radio=True)
    async with reading(scanner_at(board, told, timeout_ms=100)) as listener:
        await told.until(Presence.PRESENT)
        for times, fault in ((2, ScanFault.CUT), (3, ScanFault.INCOMPLETE)):  # the link breaks at once; it stalls first
            await board.type("hal", end=[])
            if fault is ScanFault.INCOMPLETE:
                assert (await listener.next()).fault is fault
            board.unplug()
            if fault is ScanFault.CUT:
                assert (await listener.next()).fault is fault
            await told.until(Presence.ABSENT, times - 1)
            board.plug_in()
            await told.until(Presence.PRESENT, times)
            await board.type("f")
            await board.type(f"next {times}")
            tail, following = await listener.take(2)
            assert (tail.data, tail.fault) == (b"f", ScanFault.INCOMPLETE)
            assert (following.data.decode(), following.fault) == (f"next {times}", None)
    board.unplug()


async def test_a_key_held_down_for_good_does_not_keep_the_scanner_away(board: Board, told: Presences) -> None:
    async with reading(scanner_at(board, told)), asyncio.TaskGroup() as group:

        async def repeat() -> None:
            while Presence.PRESENT not in [presence for _, presence, _ in told.told]:
                await board.send([KeyEvent(1, 30, HELD), KeyEvent(0, 0, 1)])
                await asyncio.sleep(0.01)

        group.create_task(repeat())
        await told.until(Presence.PRESENT)


async def test_while_nobody_takes_scans_keys_are_kept(board: Board, told: Presences) -> None:
    scanner = scanner_at(board, told)
    scans = scanner.scans()
    first = asyncio.ensure_future(anext(scans))
    await told.until(Presence.PRESENT)
    count = 3 * SCANS_QUEUED_MAX
    for i in range(count):
        await board.type(f"code-{i}")
    got = [(await first).data] + [(await anext(scans)).data for _ in range(count - 1)]
    assert got == [f"code-{i}".encode() for i in range(count)]
    assert scanner.why_silent() is None
    await scans.aclose()


async def test_more_keys_than_the_buffer_holds_are_a_loss_that_is_told(
    board: Board, told: Presences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_reader, "EVENTS_BUFFERED_MAX", 500)
    monkeypatch.setattr("agent.adapters.scanners.intake.SCANS_QUEUED_MAX", 1)
    scanner = scanner_at(board, told, same_code_interval_ms=0)
    scans = scanner.scans()
    first = asyncio.ensure_future(anext(scans))
    await told.until(Presence.PRESENT)
    await board.type("first")
    assert (await first).data == b"first"
    await board.type("second")
    await until(lambda: scanner._intake.is_full)  # from here on nothing is taken from the thread
    sent = ["second", *(f"code-{i}" for i in range(200))]
    for code in sent[1:]:
        await board.type(code)
    await until(lambda: board.unread == 0)
    got = [await anext(scans)]
    while got[-1].fault is not ScanFault.LOST:
        got.append(await anext(scans))
    whole = [scan.data.decode() for scan in got if scan.fault is None]
    assert whole == sent[: len(whole)]
    await until(lambda: scanner._assembler is not None and scanner._assembler.due_at_ms is None)
    await board.type("refused")  # nobody knows what was held down when it began
    assert (await anext(scans)).fault is ScanFault.LOST
    await until(lambda: scanner._assembler is not None and scanner._assembler.due_at_ms is None)
    await board.type("after")
    assert (await anext(scans)).data == b"after"
    await scans.aclose()


async def test_the_thread_ends_with_its_consumer(board: Board, told: Presences) -> None:
    scanner = scanner_at(board, told)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        thread = scanner._reader._thread  # type: ignore[union-attr]
        assert scanner.why_silent() is None
    assert not thread.is_alive()


async def test_records_cut_in_two_are_put_together(board: Board, told: Presences) -> None:
    async with reading(scanner_at(board, told, timeout_ms=2_000)) as listener:
        await told.until(Presence.PRESENT)
        records = b"".join(
            EVENT.pack(1, 0, 1, code, value) + EVENT.pack(1, 0, 0, 0, 0)
            for code, value in keys_for("ab", board.layout) + ENTER
        )
        for i in range(0, len(records), 7):
            await board.write(records[i : i + 7])
        assert (await listener.next()).data == b"ab"


class Kernel:
    """Answers ioctls as evdev does."""

    def __init__(self, *, keys: range = range(1, 128), refuses: dict[int, int] | None = None) -> None:
        self.keys = keys
        self.refuses = refuses or {}
        self.asked: list[tuple[int, object]] = []

    def __call__(self, fd: int, request: int, argument: int | bytes) -> int | bytes:
        self.asked.append((request, argument))
        if request in self.refuses:
            raise OSError(self.refuses[request], "refused")
        if isinstance(argument, int):
            return 0
        bits = {
            evdev.EVIOCGBIT_KEY: sum(1 << key for key in self.keys),
            evdev.EVIOCGKEY: 1 << 42,
            evdev.EVIOCGLED: 1 << 1,
            evdev.EVIOCGID: 0x0005,  # BUS_BLUETOOTH
        }
        return bits[request].to_bytes(len(argument), "little") if request in bits else argument


def test_opening_takes_the_node_alone_with_monotonic_times_and_without_scan_codes(tmp_path: Path) -> None:
    path = tmp_path / "event0"
    path.touch()
    kernel = Kernel()
    node = EventNode(str(path), kernel)
    assert (node.held(), node.is_lit(), node.is_radio()) == ([42], True, True)
    node.close()
    asked = [request for request, _ in kernel.asked]
    opening, asking = [0x80604521, 0x400445A0, 0x40104593, 0x40044590], [0x80604518, 0x80024519, 0x80084502]
    assert asked == opening + asking  # linux/input.h
    assert kernel.asked[1][1] == struct.pack("i", 1)
    assert kernel.asked[3][1] == 1


@pytest.mark.parametrize(
    ("kernel", "word"),
    [
        (Kernel(keys=range(113, 116)), "has no letters"),
        (Kernel(refuses={evdev.EVIOCGBIT_KEY: errno.ENOTTY}), "is no keyboard"),
        (Kernel(refuses={evdev.EVIOCGRAB: errno.EBUSY}), "held by another program"),
        (Kernel(refuses={evdev.EVIOCGRAB: errno.ENODEV}), "is not there"),
        (Kernel(refuses={evdev.EVIOCSCLOCKID: errno.EINVAL}), "is no keyboard"),
    ],
)
def test_a_node_that_cannot_be_taken_says_why_and_what_to_do(kernel: Kernel, word: str, tmp_path: Path) -> None:
    path = tmp_path / "event0"
    path.touch()
    with pytest.raises(DeviceAbsent, match=word):
        EventNode(str(path), kernel)


def test_what_is_no_input_device_is_refused_by_the_real_kernel(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(DeviceAbsent, match="is no keyboard"):
        EventNode(str(path))
    with pytest.raises(DeviceAbsent, match="is not there"):
        EventNode(str(tmp_path / "missing"))


def test_a_record_is_as_the_kernel_writes_it() -> None:
    assert EVENT.size == 2 * struct.calcsize("L") + 8
    record = struct.pack("@LLHHi", 12, 345_678, 1, 30, -1)
    assert events_in(record) == [KeyEvent(1, 30, -1, 12_345)]
