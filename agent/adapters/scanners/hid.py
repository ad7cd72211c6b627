"""A scanner in HID POS mode (USB HID bar code scanner): hidraw gives its reports as they are, no keyboard in between.

Unplugging is handled here: the device is looked for until it is back. It counts as present once nobody can be in the
middle of a code any more. Reading is report_reader.py's, assembling agent/core/reading/reports.py's.
"""

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import NamedTuple

from agent.adapters.scanners.devices import HID_POS_MODE, Kind, resolve
from agent.adapters.scanners.hid_settings import Settings
from agent.adapters.scanners.intake import Intake, TakenIn, loop_ms
from agent.adapters.scanners.lookout import DeviceAbsent, HotPlug, Lookout
from agent.adapters.scanners.presence import OnPresence, log_presence
from agent.adapters.scanners.report_reader import ReportReader
from agent.core.legible import legible
from agent.core.reading.piece import Piece
from agent.core.reading.report_descriptor import DESCRIPTOR_BYTES_MAX, Layout, layouts_of
from agent.core.reading.reports import SETTLE_MS, ReportAssembler
from agent.core.scan import Scan
from agent.ports import Clock

__all__ = ["HidScanner", "Hidraw", "Settings", "open_hidraw"]

REPORTS_A_TURN_MAX = 256  # then the loop's other work has its turn
NAME_BYTES_MAX = 128  # what the kernel keeps of it
_LOOK_AGAIN_S = 0.02


class Hidraw(NamedTuple):
    """An open device: its descriptor to read from, its report descriptor, what it is called."""

    fd: int
    descriptor: bytes
    name: str


class HidScanner(TakenIn):
    """One scanner in HID POS mode. One consumer iterates `scans()`; the device is open only meanwhile."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        on_presence: OnPresence = log_presence,
        hot_plug: HotPlug | None = None,
        *,
        open_device: Callable[[Path], Hidraw] | None = None,
    ) -> None:
        self._settings = settings
        self._intake = Intake(settings, clock, on_presence)
        self._lookout = Lookout(self._open, self._intake.be_absent, hot_plug)
        self._open_device = open_device or open_hidraw
        self._assembler = ReportAssembler((), timeout_ms=settings.timeout_ms)
        self._reader: ReportReader | None = None
        self._settle_timer: asyncio.TimerHandle | None = None
        self._quiet_timer: asyncio.TimerHandle | None = None

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield whole scans, and faulty ones with their fault, whether or not the device is there at the moment."""
        self._lookout.look()
        try:
            while True:
                scan = await self._intake.next()
                self._take_reports()
                yield scan
        finally:
            self._lookout.stop()
            self._close()

    def why_silent(self) -> str | None:
        """Say why no scan can come through, though the device may be fine; None while it is read or looked for."""
        if (why := self._intake.why_stuck()) is not None:
            return why
        if self._reader is None:
            return None if self._lookout.is_looking else "nobody looks for the device"
        return None if self._reader.is_alive else "the device is open and nobody reads it"

    def _open(self) -> None:
        path = self._settings.path
        try:
            device = self._open_device(resolve(path, Kind.HID))
        except OSError as error:
            raise DeviceAbsent(_why_absent(path, error)) from error
        layouts = layouts_of(device.descriptor)
        if (fault := _layout_fault(path, layouts, self._settings)) is not None:
            os.close(device.fd)
            raise DeviceAbsent(fault)
        settings = self._settings
        self._assembler = ReportAssembler(layouts, bytes_max=settings.bytes_max, timeout_ms=settings.timeout_ms)
        self._assembler.begin(loop_ms())

        def on_reports() -> None:
            if reader is self._reader:  # else it speaks of a device that was closed since
                self._take_reports()

        def on_gone() -> None:
            if reader is self._reader:
                self._hang_up()

        reader = self._reader = ReportReader(device.fd, f"hid:{self.id}", on_reports, on_gone)
        where = f"{path} ({device.name})" if device.name else path
        loop = asyncio.get_running_loop()
        self._settle_timer = loop.call_later(SETTLE_MS / 1000 + 0.001, self._intake.be_present, where)

    def _close(self) -> None:
        for timer in (self._settle_timer, self._quiet_timer):
            if timer is not None:
                timer.cancel()
        self._settle_timer = self._quiet_timer = None
        if self._reader is not None:
            self._reader.stop()
            self._reader = None

    def _take_reports(self) -> None:
        """Take what the thread has read, while the queue has room; the thread reads on in any case."""
        for _ in range(REPORTS_A_TURN_MAX):
            if self._reader is None or self._intake.is_full or not self._take_one(self._reader):
                break
        else:
            asyncio.get_running_loop().call_soon(self._take_reports)
        self._watch_for_quiet()

    def _take_one(self, reader: ReportReader) -> bool:
        if (report := reader.take()) is None:
            return False
        self._take(self._assembler.feed(report.data, report.at_ms))
        if report.is_gap_behind:
            self._assembler.lose_track(report.at_ms)
        return True

    def _take(self, pieces: list[Piece]) -> None:
        self._intake.take(pieces)

    def _hang_up(self) -> None:
        """The device went away: take what it still sent, give up the half scan, look for it until it is back."""
        if (reader := self._reader) is None:
            return
        while self._take_one(reader):
            pass
        self._close()
        self._take(self._assembler.hang_up())
        self._lookout.lost(_why_absent(self._settings.path, OSError(errno.ENODEV, "")))

    def _watch_for_quiet(self) -> None:
        """Have the assembler asked when its pause is over."""
        due_at_ms = self._assembler.due_at_ms
        if due_at_ms is not None and self._quiet_timer is None and self._reader is not None:
            self._quiet_timer = asyncio.get_running_loop().call_at(due_at_ms / 1000, self._on_quiet)

    def _on_quiet(self) -> None:
        """The pause may be over, unless reports wait that nobody has looked at yet."""
        self._quiet_timer = None
        if self._reader is None:
            return
        if self._reader.is_behind:
            self._quiet_timer = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._on_quiet)
            self._take_reports()
        else:
            self._take(self._assembler.idle(loop_ms()))
            self._watch_for_quiet()


# linux/hidraw.h, by asm-generic/ioctl.h: direction read, size, 'H', number.


def _read_request(number: int, size: int) -> int:
    return 2 << 30 | size << 16 | ord("H") << 8 | number


def open_hidraw(node: Path) -> Hidraw:
    """Open and lock a hidraw device and ask for its descriptor. Raises OSError; ENOTTY: it is none."""
    fd = os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # each reader gets every report: two would send each scan twice
        size = int.from_bytes(fcntl.ioctl(fd, _read_request(0x01, 4), bytes(4)), "little")
        size = min(size, DESCRIPTOR_BYTES_MAX - 1)  # the kernel takes no more
        asked = bytearray(size.to_bytes(4, "little") + bytes(DESCRIPTOR_BYTES_MAX))
        fcntl.ioctl(fd, _read_request(0x02, len(asked)), asked)
        name = fcntl.ioctl(fd, _read_request(0x04, NAME_BYTES_MAX), bytes(NAME_BYTES_MAX))
    except BaseException:
        os.close(fd)
        raise
    text = name.partition(b"\0")[0].decode(errors="replace")
    return Hidraw(fd, bytes(asked[4 : 4 + size]), legible(text))


def _layout_fault(path: str, layouts: tuple[Layout, ...], settings: Settings) -> str | None:
    """Say why a device's reports cannot be read as codes, and what to do; None where they can."""
    if not layouts:
        return f"{path} is no HID POS scanner now, mostly since it is in keyboard mode: {HID_POS_MODE}"
    if settings.padding == "" and any(layout.length_at is None for layout in layouts):
        return f'{path} does not tell how long a code is: set padding = "nul" if none ends in NUL, else use serial mode'
    return None


def _why_absent(path: str, error: OSError) -> str:
    """Say what is wrong and what to do about it."""
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV | errno.EIO:
            return f"{path} is not there: plug the scanner in, or set path to one of /dev/scanward/by-id/hid-*"
        case errno.EACCES | errno.EPERM:
            return f"no permission for {path}: give it to the service's user (docs/operations.md says how)"
        case errno.EAGAIN | errno.EBUSY:
            return f"{path} is in use by another program: end it"
        case _:
            return f"{path} is no hidraw device ({error.strerror}): set path to one of /dev/scanward/by-id/hid-*"
