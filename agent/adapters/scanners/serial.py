"""A scanner on a serial line: USB virtual serial (CDC-ACM), RS-232, or any other tty.

pyserial opens, locks and configures the port; its file descriptor is read on the loop. Unplugging is handled here: the
port is looked for by the same path until it is back. What was scanned while nobody listened is discarded at opening, so
that it cannot end up in the next patient's visit. Assembling is agent/core/scan.py's.
"""

import asyncio
import errno
import math
import os
import termios
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.core.scan import SCAN_BYTES_MAX, SCAN_TIMEOUT_MS, Framing, Piece, Scan, ScanAssembler
from agent.ports import Clock

if TYPE_CHECKING:
    from serial import Serial

READ_BYTES_MAX = 4_096  # what the kernel's tty buffer holds
SCANS_QUEUED_MAX = 64  # then reading pauses and the kernel buffers; one read's scans may come on top
REOPEN_DELAY_S_FIRST = 0.1
TAKEN_S_MAX = 30.0  # a scan waits longer only where the one before it is stuck
LATE_S_MAX = 2.0  # of a timer, before it counts as lost
REOPEN_DELAY_S_MAX = 2.0  # an attempt costs microseconds; nobody should wait long for a scanner just plugged in


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="serial"):
    """A serial scanner, 8 data bits, no parity, 1 stop bit.

    path: a stable one, from /dev/serial/by-id; step: the medical step it serves, else the terminal's.
    timeout_ms: the pause that ends a scan (framing "idle") or proves it incomplete (all others).
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{1,32}$")]
    path: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,4096}$")]
    step: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,31}$")] | None = None
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600] = 9600
    framing: Framing = Framing.CR
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = SCAN_TIMEOUT_MS
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=SCAN_BYTES_MAX)] = SCAN_BYTES_MAX


class SerialScanner:
    """One serial scanner. One consumer iterates `scans()`; the port is open only meanwhile."""

    def __init__(self, settings: Settings, clock: Clock, on_presence: OnPresence = log_presence) -> None:
        self._settings = settings
        self._clock = clock
        self._on_presence = on_presence
        self._assembler = ScanAssembler(settings.framing, bytes_max=settings.bytes_max, timeout_ms=settings.timeout_ms)
        self._queue: asyncio.Queue[Scan] = asyncio.Queue()
        self._port: Serial | None = None
        self._is_reading = False
        self._quiet_timer: asyncio.TimerHandle | None = None
        self._open_timer: asyncio.TimerHandle | None = None
        self._reopen_delay_s = REOPEN_DELAY_S_FIRST
        self._waits_since_s = 0.0  # the next scan in the queue, by the loop's clock
        self._why_absent = ""
        self.presence: Presence | None = None

    @property
    def id(self) -> str:
        """The configured id."""
        return self._settings.id

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield whole scans, and faulty ones with their fault, whether or not the device is there at the moment."""
        self._open()
        try:
            while True:
                scan = await self._queue.get()
                self._waits_since_s = asyncio.get_running_loop().time()
                self._resume()
                yield scan
        finally:
            self._close()

    def why_silent(self) -> str | None:
        """Say why no scan can come through, though the device may be fine; None while it is read or looked for."""
        now_s = asyncio.get_running_loop().time()
        if self._queue.qsize() and now_s - self._waits_since_s > TAKEN_S_MAX:
            return f"nobody has taken the next scan for {TAKEN_S_MAX:g} s"
        if self._port is None:
            is_looked_for = self._open_timer is not None and now_s - self._open_timer.when() < LATE_S_MAX
            return None if is_looked_for else "nobody looks for the device"
        if not self._is_reading and self._queue.qsize() < SCANS_QUEUED_MAX:
            return "the port is open and nobody reads it"
        return None

    def _open(self) -> None:
        self._open_timer = None
        try:
            port = _open_port(self._settings)
        except (OSError, termios.error) as error:
            self._be_absent(_why_absent(self._settings.path, error))
            self._open_later()
            return
        self._port = port
        self._reopen_delay_s = REOPEN_DELAY_S_FIRST
        self._why_absent = ""
        self._resume()
        self.presence = Presence.PRESENT
        self._on_presence(self.id, Presence.PRESENT, self._settings.path)

    def _open_later(self) -> None:
        self._open_timer = asyncio.get_running_loop().call_later(self._reopen_delay_s, self._open)
        self._reopen_delay_s = min(2 * self._reopen_delay_s, REOPEN_DELAY_S_MAX)

    def _close(self) -> None:
        self._pause()
        if self._port is not None:
            self._port.close()
            self._port = None
        for timer in (self._quiet_timer, self._open_timer):
            if timer is not None:
                timer.cancel()
        self._quiet_timer = self._open_timer = None

    def _pause(self) -> None:
        if self._port is not None and self._is_reading:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._is_reading = False

    def _resume(self) -> None:
        """Read again, if reading is paused and the queue has room."""
        if self._port is None or self._is_reading or self._queue.qsize() >= SCANS_QUEUED_MAX:
            return
        asyncio.get_running_loop().add_reader(self._port.fileno(), self._on_readable)
        self._is_reading = True
        self._watch_for_quiet()

    def _on_readable(self) -> None:
        assert self._port is not None  # noqa: S101 — the reader is removed before the port is closed
        try:
            data = os.read(self._port.fileno(), READ_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:  # EIO, ENODEV, ENXIO …: what a tty says depends on the driver, and always means this
            data = b""
        if data:
            self._take(self._assembler.feed(data, _loop_ms()))
            self._watch_for_quiet()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        """The device went away: give up the half scan, look for the device until it is back."""
        self._close()
        self._take(self._assembler.hang_up())
        self._be_absent(_why_absent(self._settings.path, OSError(errno.ENOENT, "")))
        self._open_later()

    def _take(self, pieces: list[Piece]) -> None:
        if not pieces:
            return
        at = self._clock.now()
        if not self._queue.qsize():
            self._waits_since_s = asyncio.get_running_loop().time()
        for data, fault in pieces:
            self._queue.put_nowait(Scan(data, self.id, at, fault=fault))
        if self._queue.qsize() >= SCANS_QUEUED_MAX and self._is_reading:
            self._pause()
            self._assembler.lose_track()

    def _watch_for_quiet(self) -> None:
        """Have the assembler asked when its pause is over; while paused nobody knows whether there is one."""
        due_at_ms = self._assembler.due_at_ms
        if due_at_ms is not None and self._quiet_timer is None and self._is_reading:
            self._quiet_timer = asyncio.get_running_loop().call_at(due_at_ms / 1000, self._on_quiet)

    def _on_quiet(self) -> None:
        """The pause may be over. The loop runs readers before timers, so whatever had come by now has been fed."""
        self._quiet_timer = None
        if self._is_reading:
            self._take(self._assembler.idle(_loop_ms()))
            self._watch_for_quiet()

    def _be_absent(self, why: str) -> None:
        if why != self._why_absent:
            self._why_absent = why
            self.presence = Presence.ABSENT
            self._on_presence(self.id, Presence.ABSENT, why)


def _open_port(settings: Settings) -> "Serial":
    """Open, lock and configure the port, raw; opening discards what the kernel had buffered. Raises OSError."""
    from serial import Serial  # noqa: PLC0415 — a terminal without a serial scanner never loads it

    # inter_byte_timeout=0 is VMIN 1, VTIME 0: "nothing yet" reads as EAGAIN, so that an empty read is a hang-up.
    return Serial(settings.path, settings.baud, exclusive=True, inter_byte_timeout=0)


def _why_absent(path: str, error: Exception) -> str:
    """Say what is wrong and what to do about it."""
    match error.args[0] if error.args else None:  # a SerialException may lack errno, a termios.error always does
        case errno.ENOENT | errno.ENXIO | errno.ENODEV | errno.EIO:
            return f"{path} is not there: plug the scanner in, or set path to one of /dev/serial/by-id/*"
        case errno.EACCES | errno.EPERM:
            return f"no permission for {path}: give it to the service's user (docs/operations.md says how)"
        case errno.EAGAIN | errno.EBUSY:
            return f"{path} is in use by another program: end it (ModemManager and getty are the usual ones)"
        case _:
            return f"{path} cannot be used as a serial port ({error}): set path to one of /dev/serial/by-id/*"


def _loop_ms() -> int:
    """The loop's clock, rounded up so that a timer is never early by a fraction."""
    return math.ceil(asyncio.get_running_loop().time() * 1000)
