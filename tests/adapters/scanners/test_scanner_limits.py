"""What scanners do where the machine gives out: no descriptors, no threads, a deaf device, pulled cables."""

import asyncio
import errno
import os
import termios
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.adapters.scanners import hid, keyboard, lookout, serial
from agent.adapters.scanners.camera import CameraScanner
from agent.adapters.scanners.camera import Settings as CameraSettings
from agent.adapters.scanners.presence import Presence
from agent.ports import Scanner
from fakes.board import Board
from fakes.hid_reports import HidDevice, reports
from fakes.pictures import PlainReader, picture_of
from fakes.tty import Presences, Tty, open_files, reading
from fakes.waiting import until
from fakes.world import FakeClock

CYCLES = 1_000


@pytest.fixture
def device() -> Iterator[HidDevice]:
    device = HidDevice()
    yield device
    device.unplug()


def keyboard_at(board: Board, told: Presences) -> keyboard.KeyboardScanner:
    settings = keyboard.Settings(id="front", path=str(board.path), timeout_ms=20)
    return keyboard.KeyboardScanner(settings, FakeClock(), told, open_node=board.open)


def hid_at(device: HidDevice, told: Presences) -> hid.HidScanner:
    settings = hid.Settings(id="front", path="/dev/hidraw0")
    return hid.HidScanner(settings, FakeClock(), told, open_device=device.open)


def failing(times: int, error: Exception, real: Callable[..., object]) -> Callable[..., object]:
    """Return what fails so often and then does what the real one does."""
    left = [times]

    def fail_or_do(*args: object, **kwargs: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return real(*args, **kwargs)

    return fail_or_do


@contextmanager
def out_of(what: str, pipe: str) -> Iterator[None]:
    """Let the machine run out three times, of descriptors (where `os.<pipe>` makes them) or of threads."""
    with pytest.MonkeyPatch.context() as limits:
        if what == "descriptors":
            error = OSError(errno.EMFILE, "Too many open files")
            limits.setattr(os, pipe, failing(3, error, getattr(os, pipe)))
        else:
            error = RuntimeError("can't start new thread")
            limits.setattr(threading.Thread, "start", failing(3, error, threading.Thread.start))
        limits.setattr(lookout, "REOPEN_DELAY_S_FIRST", 0.001)
        yield


async def require_told_and_tried_again(
    scanner: Scanner, told: Presences, send: Callable[[], Coroutine[None, None, None]]
) -> None:
    async with reading(scanner) as listener:
        assert "no means to open it" in await told.until(Presence.ABSENT)
        assert scanner.why_silent() is None
        await told.until(Presence.PRESENT)
        await send()
        assert (await listener.next()).data == b"EHC1:A"


@pytest.mark.parametrize("what", ["descriptors", "threads"])
async def test_a_keyboard_for_which_the_machine_has_no_means_is_told_and_tried_again_and_nothing_leaks(
    what: str, board: Board, told: Presences
) -> None:
    before = open_files()
    with out_of(what, "pipe2"):
        await require_told_and_tried_again(keyboard_at(board, told), told, lambda: board.type("EHC1:A"))
    assert open_files() == before


@pytest.mark.parametrize("what", ["descriptors", "threads"])
async def test_a_hid_scanner_for_which_the_machine_has_no_means_is_told_and_tried_again_and_nothing_leaks(
    what: str, device: HidDevice, told: Presences
) -> None:
    before = open_files()
    with out_of(what, "eventfd"):
        await require_told_and_tried_again(hid_at(device, told), told, lambda: device.send(*reports(b"EHC1:A")))
        device.unplug()
    assert open_files() == before


async def test_what_a_closed_hid_reader_still_has_to_say_does_not_hang_up_on_the_next(
    device: HidDevice, told: Presences
) -> None:
    scanner = hid_at(device, told)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        first = scanner._reader
        assert first is not None
        device.unplug()
        first._thread.join(5)  # it has told the loop, and the loop has not heard it yet
        scanner._close()
        device.plug_in()
        scanner._lookout.look()
        await told.until(Presence.PRESENT, times=2)
        await device.send(*reports(b"EHC1:A"))
        assert (await listener.next()).fault is None
    assert [presence for _, presence, _ in told.told] == [Presence.PRESENT, Presence.PRESENT]


async def test_a_camera_whose_reader_fails_is_told_opened_anew_and_keeps_its_secrets(
    tmp_path: Path, told: Presences
) -> None:
    picture_of(b"EHC1:A").save(tmp_path / "1.png")
    make_reader = failing(1, ImportError("PLANTED"), PlainReader)
    settings = CameraSettings(id="front", path=f"folder:{tmp_path}", fps=240)
    scanner = CameraScanner(settings, FakeClock(), told, make_reader=make_reader)  # type: ignore[arg-type]
    async with reading(scanner) as listener:
        why = await told.until(Presence.ABSENT)
        assert "ImportError" in why
        assert "PLANTED" not in why
        assert (await listener.next()).data == b"EHC1:A"


async def test_a_port_whose_scanner_takes_nothing_is_closed_without_waiting_for_it(
    tty: Tty, told: Presences, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel waits up to 30 s for unsent bytes of real hardware; a pty never does."""
    flushed: list[int] = []
    flush = termios.tcflush
    monkeypatch.setattr(termios, "tcflush", lambda fd, queue: (flushed.append(queue), flush(fd, queue)))
    async with reading(serial.SerialScanner(serial.Settings(id="front", path=str(tty.path)), FakeClock(), told)):
        await told.until(Presence.PRESENT)
        flushed.clear()
    assert flushed == [termios.TCOFLUSH]


async def test_a_keyboard_unplugged_a_thousand_times_leaves_nothing_open(board: Board, told: Presences) -> None:
    scanner = keyboard_at(board, told)
    await _cycle(scanner._lookout.look, scanner._hang_up)
    scanner._lookout.stop()


async def test_a_hid_scanner_unplugged_a_thousand_times_leaves_nothing_open(device: HidDevice, told: Presences) -> None:
    scanner = hid_at(device, told)
    await _cycle(scanner._lookout.look, scanner._hang_up)
    scanner._lookout.stop()


async def test_a_serial_scanner_unplugged_a_thousand_times_leaves_nothing_open(tty: Tty, told: Presences) -> None:
    scanner = serial.SerialScanner(serial.Settings(id="front", path=str(tty.path)), FakeClock(), told)
    await _cycle(scanner._lookout.look, scanner._hang_up)
    scanner._lookout.stop()


@pytest.mark.looptime
async def test_a_device_that_goes_as_soon_as_it_is_opened_is_opened_less_and_less_often() -> None:
    opened: list[float] = []
    loop = asyncio.get_running_loop()

    def open_device() -> None:
        opened.append(loop.time())
        loop.call_soon(one.lost, "it hung up")

    one = lookout.Lookout(open_device, lambda _why: None)
    one.look()
    await asyncio.sleep(60)
    assert len(opened) < 40
    await asyncio.sleep(lookout.REOPEN_DELAY_S_MAX)
    one._opened_at_s -= lookout.HELD_S
    one.lost("unplugged")
    lost_at_s, times = loop.time(), len(opened)
    await asyncio.sleep(lookout.REOPEN_DELAY_S_FIRST + 0.01)
    assert opened[times] == pytest.approx(lost_at_s + lookout.REOPEN_DELAY_S_FIRST), "it had been there for a while"
    one.stop()


async def _cycle(look: Callable[[], None], hang_up: Callable[[], None]) -> None:
    look()
    hang_up()
    files, threads = open_files(), threading.active_count()
    for _ in range(CYCLES):
        look()
        hang_up()
    assert open_files() == files
    await until(lambda: threading.active_count() <= threads)
