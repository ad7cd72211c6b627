"""A scanner on a serial line: USB virtual serial (CDC-ACM), RS-232, or any other tty.

pyserial opens, locks and configures the port; its file descriptor is read on the loop. Unplugging is handled here: the
port is looked for by the same path until it is back. What was scanned while nobody listened is discarded at opening, so
that it cannot end up in the next patient's visit. Assembling is agent/core/scan.py's.
"""

import asyncio
import errno
import os
import termios
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from agent.adapters.scanners.intake import Intake, loop_ms
from agent.adapters.scanners.lookout import DeviceAbsent, HotPlug, Lookout
from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.core.decision import Answer
from agent.core.reading.framing import SCAN_TIMEOUT_MS, Framing, ScanAssembler
from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile
from agent.core.scan import SCAN_BYTES_MAX, Scan
from agent.ports import Clock, ScanCounts

if TYPE_CHECKING:
    from serial import Serial

READ_BYTES_MAX = 4_096  # what the kernel's tty buffer holds


class Settings(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="serial"):
    """A serial scanner, 8 data bits, no parity, 1 stop bit.

    path: a stable one, from /dev/serial/by-id; step: the medical step it serves, else the terminal's.
    timeout_ms: the pause that ends a scan (framing "idle") or proves it incomplete (all others).
    """

    path: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,4096}$")]
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600] = 9600
    framing: Framing = Framing.CR
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = SCAN_TIMEOUT_MS
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=SCAN_BYTES_MAX)] = SCAN_BYTES_MAX


class SerialScanner:
    """One serial scanner. One consumer iterates `scans()`; the port is open only meanwhile."""

    def __init__(
        self, settings: Settings, clock: Clock, on_presence: OnPresence = log_presence, hot_plug: HotPlug | None = None
    ) -> None:
        self._settings = settings
        self._intake = Intake(settings, clock, on_presence)
        self._lookout = Lookout(self._open, self._intake.be_absent, hot_plug)
        self._assembler = ScanAssembler(settings.framing, bytes_max=settings.bytes_max, timeout_ms=settings.timeout_ms)
        self._port: Serial | None = None
        self._is_reading = False
        self._quiet_timer: asyncio.TimerHandle | None = None

    @property
    def id(self) -> str:
        """The configured id."""
        return self._settings.id

    @property
    def presence(self) -> Presence | None:
        """Whether the port can be read now."""
        return self._intake.presence

    @property
    def counts(self) -> ScanCounts:
        """What was scanned since the start (ports.Counted)."""
        return self._intake.counts

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield whole scans, and faulty ones with their fault, whether or not the device is there at the moment."""
        self._lookout.look()
        try:
            while True:
                scan = await self._intake.next()
                self._resume()
                yield scan
        finally:
            self._lookout.stop()
            self._close()

    def answered(self, answer: Answer) -> None:
        """Leave the scanner silent."""

    def why_silent(self) -> str | None:
        """Say why no scan can come through, though the device may be fine; None while it is read or looked for."""
        if (why := self._intake.why_stuck()) is not None:
            return why
        if self._port is None:
            return None if self._lookout.is_looking else "nobody looks for the device"
        if not self._is_reading and not self._intake.is_full:
            return "the port is open and nobody reads it"
        return None

    def _open(self) -> None:
        try:
            self._port = _open_port(self._settings)
        except (OSError, termios.error) as error:
            raise DeviceAbsent(_why_absent(self._settings.path, error)) from error
        self._resume()
        self._intake.be_present(self._settings.path)

    def _close(self) -> None:
        self._pause()
        if self._port is not None:
            self._port.close()
            self._port = None
        if self._quiet_timer is not None:
            self._quiet_timer.cancel()
            self._quiet_timer = None

    def _pause(self) -> None:
        if self._port is not None and self._is_reading:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._is_reading = False

    def _resume(self) -> None:
        """Read again, if reading is paused and the queue has room."""
        if self._port is None or self._is_reading or self._intake.is_full:
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
            self._take(self._assembler.feed(data, loop_ms()))
            self._watch_for_quiet()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        """The device went away: give up the half scan, look for the device until it is back."""
        self._close()
        self._take(self._assembler.hang_up())
        self._lookout.lost(_why_absent(self._settings.path, OSError(errno.ENOENT, "")))

    def _take(self, pieces: list[Piece]) -> None:
        self._intake.take(pieces)
        if self._intake.is_full and self._is_reading:
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
            self._take(self._assembler.idle(loop_ms()))
            self._watch_for_quiet()


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
