"""A scanner on a serial line: USB virtual serial (CDC-ACM), RS-232, or any other tty.

Its file descriptor is read on the loop. Unplugging is handled here: the port is looked for by the same path until it is
back. What was scanned while nobody listened is discarded at opening, and a scan that was arriving then is refused, so
that neither ends up in the next patient's visit. Assembling is agent/core/reading/'s, the tty serial_port.py's.
"""

import asyncio
import errno
import os
import termios
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from agent.adapters.scanners import serial_port
from agent.adapters.scanners.devices import Kind, resolve
from agent.adapters.scanners.intake import Intake, TakenIn, loop_ms
from agent.adapters.scanners.lookout import DeviceAbsent, HotPlug, Lookout
from agent.adapters.scanners.presence import OnPresence, log_presence
from agent.adapters.scanners.serial_port import READ_BYTES_MAX, LossWatch, Outbox
from agent.core.decision import Answer
from agent.core.reading.assembling import SerialFraming, assembler_of
from agent.core.reading.box import BoxCheck, BoxLength
from agent.core.reading.framing import SCAN_TIMEOUT_MS
from agent.core.reading.marks import MarkReader
from agent.core.reading.piece import Piece
from agent.core.reading.probing import BaudProbe
from agent.core.reading.profile import Profile
from agent.core.reading.ssi import SsiAssembler
from agent.core.reading.vendors import ReplyFilter, Signals, Vendor, signals_of
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.ports import Clock

if TYPE_CHECKING:
    from serial import Serial

SETTLE_S = 0.05  # a line that is quiet so long is not in the middle of a scan
LOST_MS = 1_000  # after an overrun, what ends within this time may lack the lost bytes

_CHECKED = {SerialFraming.BOX, SerialFraming.SSI}
_Hex = Annotated[str, msgspec.Meta(pattern="^([0-9A-Fa-f]{2} ?){1,64}$")]


class Settings(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="serial"):
    """A serial scanner, 8 data bits, no parity, 1 stop bit.

    path: a stable one, from /dev/serial/by-id, or usb:VVVV:PPPP[:SERIAL]; baud "auto" finds the speed by what arrives.
    timeout_ms: the pause that ends a scan (framing "idle") or proves it incomplete (all others).
    box_length, box_check: how a scan box writes its frames. vendor: whose commands the scanner obeys; accepted, asked,
    refused, trigger_on, trigger_off: other commands in their place, in hexadecimal. trigger: who starts a read.
    """

    path: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,4096}$")]
    baud: Literal["auto", 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600] = 9600
    framing: SerialFraming = SerialFraming.CR
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = SCAN_TIMEOUT_MS
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=SCAN_BYTES_MAX)] = SCAN_BYTES_MAX
    box_length: BoxLength = BoxLength.ASCII
    box_check: BoxCheck = BoxCheck.LENGTH
    vendor: Vendor = Vendor.NONE
    accepted: _Hex | None = None
    asked: _Hex | None = None
    refused: _Hex | None = None
    trigger_on: _Hex | None = None
    trigger_off: _Hex | None = None
    trigger: Literal["scanner", "host"] = "scanner"

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other. Raises ValueError."""
        if self.vendor is Vendor.ZEBRA_SSI and self.framing != SerialFraming.SSI:
            raise ValueError(
                'vendor = "zebra-ssi" answers in packets: set framing = "ssi" and the scanner to packeted data'
            )
        if self.trigger == "host" and not self.signals.trigger_on:
            raise ValueError('trigger = "host" needs vendor, or trigger_on and trigger_off')

    @property
    def signals(self) -> Signals:
        """What the scanner is sent: the vendor's commands, with those set here in their place."""
        names = ("accepted", "asked", "refused", "trigger_on", "trigger_off")
        vendor = signals_of(self.vendor)
        own = {name: getattr(self, name) for name in names}
        return Signals(**{n: getattr(vendor, n) if own[n] is None else bytes.fromhex(own[n]) for n in names})


class SerialScanner(TakenIn):
    """One serial scanner. One consumer iterates `scans()`; the port is open only meanwhile."""

    def __init__(
        self, settings: Settings, clock: Clock, on_presence: OnPresence = log_presence, hot_plug: HotPlug | None = None
    ) -> None:
        self._settings = settings
        self._signals = settings.signals
        self._intake = Intake(settings, clock, on_presence)
        self._lookout = Lookout(self._open, self._intake.be_absent, hot_plug)
        self._assembler = assembler_of(
            settings.framing, settings.bytes_max, settings.timeout_ms, settings.box_length, settings.box_check
        )
        self._marks = MarkReader()
        self._replies = ReplyFilter()
        self._is_replying = settings.vendor is Vendor.NEWLAND
        self._probe = BaudProbe() if settings.baud == "auto" else None
        self._outbox = Outbox()
        self._port: Serial | None = None
        self._baud = 0
        self._losses: LossWatch | None = None
        self._lost_until_ms = 0
        self._has_hole = False  # what is arriving may lack lost bytes, however long it takes to arrive
        self._is_reading = False
        self._settle_timer: asyncio.TimerHandle | None = None
        self._quiet_timer: asyncio.TimerHandle | None = None

    @property
    def signals_dropped(self) -> int:
        """How many signals the scanner did not take."""
        return self._outbox.dropped

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
        """Have the scanner tell the answer, once nothing is arriving from it; where it takes nothing, say nothing."""
        self._say(self._signals.of(answer))

    def trigger(self, *, on: bool) -> None:
        """Have the scanner look for a code, or stop, where the host is to say so."""
        if self._settings.trigger == "host":
            self._say(self._signals.trigger_on if on else self._signals.trigger_off)

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
        baud = self._settings.baud
        self._baud = self._probe.baud if self._probe is not None else int(baud)
        try:
            port = self._port = serial_port.open_port(resolve(self._settings.path, Kind.SERIAL), self._baud)
        except (OSError, termios.error) as error:
            raise DeviceAbsent(serial_port.why_absent(self._settings.path, error)) from error
        losses = LossWatch(lambda: serial_port.losses(port))
        self._losses = losses if losses.is_counting else None
        self._settle_timer = asyncio.get_running_loop().call_later(SETTLE_S, self._settle)
        self._resume()

    def _settle(self) -> None:
        """Tell that the scanner is there: at the first byte, or once the line was seen quiet."""
        if self._settle_timer is not None:
            self._settle_timer.cancel()
            self._settle_timer = None
            self._intake.be_present(self._settings.path)

    def _close(self) -> None:
        self._pause()
        self._outbox.close()
        if self._port is not None:
            serial_port.close_port(self._port)
            self._port = None
        for timer in (self._quiet_timer, self._settle_timer):
            if timer is not None:
                timer.cancel()
        self._quiet_timer = self._settle_timer = None

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
            self._feed(data, loop_ms())
        else:
            self._hang_up()

    def _feed(self, data: bytes, now_ms: int) -> None:
        if self._settle_timer is not None:
            self._assembler.join_late(now_ms)
            self._settle()
        has_lost = self._losses is not None and self._losses.has_lost()
        if has_lost:
            self._lost_until_ms = now_ms + LOST_MS
        self._read(data, now_ms)
        if has_lost:
            self._has_hole = not self._assembler.is_between
        self._say_now()
        self._watch_for_quiet()

    def _read(self, data: bytes, now_ms: int) -> None:
        baud = self._baud
        for sent in self._marks.feed(data):
            if self._baud != baud:
                break  # what follows was read at a speed that is given up
            if self._is_replying and self._replies.broke_off(now_ms):
                self._take(self._assembler.spoil(now_ms))
            if sent is None:
                self._take(self._assembler.spoil(now_ms))
            elif not (self._is_replying and self._assembler.is_between):
                self._take(self._assembler.feed(sent, now_ms))
            elif code := self._replies.take(sent, now_ms):
                self._take(self._assembler.feed(code, now_ms))

    def _hang_up(self) -> None:
        """The device went away: give up the half scan, look for the device until it is back."""
        self._settle()
        self._close()
        self._marks.hang_up()
        self._replies.hang_up()
        self._take(self._assembler.hang_up())
        self._lookout.lost(serial_port.why_absent(self._settings.path, OSError(errno.ENOENT, "")))

    def _take(self, pieces: list[Piece]) -> None:
        if not pieces:
            return
        is_doubted = self._is_replying or self._lost_until_ms or self._probe is not None
        self._intake.take([self._judge(piece) for piece in pieces] if is_doubted else pieces)
        if self._intake.is_full and self._is_reading:
            self._pause()
            self._assembler.lose_track()
        if self._probe is not None and self._port is not None and self._probe.baud != self._baud:
            self._change_baud(self._port, self._probe.baud)

    def _judge(self, piece: Piece) -> Piece:
        """Refuse what looks whole and is not to be trusted."""
        if piece.fault is None and (self._has_hole or loop_ms() < self._lost_until_ms):
            piece = piece._replace(fault=ScanFault.LOST)
        self._has_hole = False
        if self._is_replying and piece.fault is None and self._replies.spoils(piece.data):
            piece = piece._replace(fault=ScanFault.DAMAGED)
        if self._probe is not None:
            piece = self._probe.judge(piece, is_checked=self._settings.framing in _CHECKED)
        return piece

    def _change_baud(self, port: "Serial", baud: int) -> None:
        """Read at another speed; what is left of the old one is neither kept nor told a second time."""
        self._baud = baud
        try:
            serial_port.set_baud(port, baud)
        except (OSError, termios.error):  # the device went away: reading finds out
            return
        self._marks.hang_up()
        self._assembler.hang_up()

    def _say(self, signal: bytes) -> None:
        if signal and self._port is not None and self._outbox.put(signal):
            self._replies.expect(signal, loop_ms())
            self._say_now()

    def _say_now(self) -> None:
        """Send what waits, unless a scan is arriving: some scanners stop sending when they are spoken to."""
        if isinstance(self._assembler, SsiAssembler) and (replies := self._assembler.take_replies()):
            self._outbox.put(replies)
        if self._outbox and self._port is not None and self._assembler.is_between:
            self._outbox.flush(self._port.fileno())

    def _watch_for_quiet(self) -> None:
        """Have the assembler asked when its pause is over; while paused nobody knows whether there is one."""
        due_at_ms = self._assembler.due_at_ms
        if due_at_ms is None or not self._is_reading:
            return
        if self._quiet_timer is not None and self._quiet_timer.when() > due_at_ms / 1000:
            self._quiet_timer.cancel()
            self._quiet_timer = None
        if self._quiet_timer is None:
            self._quiet_timer = asyncio.get_running_loop().call_at(due_at_ms / 1000, self._on_quiet)

    def _on_quiet(self) -> None:
        """The pause may be over. The loop runs readers before timers, so whatever had come by now has been fed."""
        self._quiet_timer = None
        if self._is_reading:
            self._take(self._assembler.idle(loop_ms()))
            self._say_now()
            self._watch_for_quiet()
