"""A tty as a serial scanner needs it: opened, locked, raw, with damaged bytes marked; written to without ever waiting.

What the bytes mean is agent/core/reading/'s.
"""

import array
import asyncio
import errno
import fcntl
import os
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serial import Serial

READ_BYTES_MAX = 4_096  # what the kernel's tty buffer holds
OUTBOX_BYTES_MAX = 512  # a dozen signals; a scanner that takes none of them takes no more

_TIOCGICOUNT = 0x545D  # linux/asm-generic/ioctls.h
_ICOUNT_INTS = 20  # struct serial_icounter_struct, linux/serial.h
_OVERRUN, _BUF_OVERRUN = 7, 10


def open_port(path: Path, baud: int) -> "Serial":
    """Open, lock and configure the port, raw; opening discards what the kernel had buffered. Raises OSError."""
    from serial import Serial  # noqa: PLC0415 — a terminal without a serial scanner never loads it

    # inter_byte_timeout=0 is VMIN 1, VTIME 0: "nothing yet" reads as EAGAIN, so that an empty read is a hang-up.
    port = Serial(str(path), baud, exclusive=True, inter_byte_timeout=0)
    try:
        mark_damage(port)
    except termios.error:
        port.close()
        raise
    return port


def close_port(port: "Serial") -> None:
    """Close the port; what it was not yet told is forgotten.

    Else closing waits for a scanner that takes nothing, for 30 s (closing_wait; drivers/tty/tty_port.c).
    """
    with suppress(OSError, termios.error):  # it is gone: nothing waits for it
        termios.tcflush(port.fileno(), termios.TCOFLUSH)
    port.close()


def set_baud(port: "Serial", baud: int) -> None:
    """Set another speed and discard what came at the old one. Raises OSError, termios.error."""
    port.baudrate = baud
    mark_damage(port)


def mark_damage(port: "Serial") -> None:
    """Have the kernel mark damaged bytes and breaks; pyserial switches that off whenever it changes a setting."""
    attributes = termios.tcgetattr(port.fileno())
    attributes[0] |= termios.INPCK | termios.PARMRK
    attributes[0] &= ~(termios.IGNPAR | termios.IGNBRK | termios.BRKINT | termios.ISTRIP)
    termios.tcsetattr(port.fileno(), termios.TCSANOW, attributes)
    termios.tcflush(port.fileno(), termios.TCIFLUSH)  # what came unmarked would be read as if it were marked


def losses(port: "Serial") -> int | None:
    """Return how many times the line lost bytes before they were read; None where the driver does not count."""
    counts = array.array("i", [0] * _ICOUNT_INTS)
    try:
        fcntl.ioctl(port.fileno(), _TIOCGICOUNT, counts)
    except OSError:
        return None
    return counts[_OVERRUN] + counts[_BUF_OVERRUN]


class Outbox:
    """What a scanner is to be sent. Nothing waits for it: what has no room is dropped and counted."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._writer_fd: int | None = None
        self.dropped = 0

    def __bool__(self) -> bool:
        """Say whether anything waits."""
        return bool(self._waiting)

    def put(self, signal: bytes) -> bool:
        """Take a signal, whole or not at all; say whether it was taken."""
        if len(self._waiting) + len(signal) > OUTBOX_BYTES_MAX:
            self.dropped += 1
            return False
        self._waiting += signal
        return True

    def flush(self, fd: int) -> None:
        """Write what the device takes now; the rest is written when it takes more."""
        try:
            while self._waiting:
                del self._waiting[: os.write(fd, self._waiting)]
        except BlockingIOError:
            if self._writer_fd is None:
                self._writer_fd = fd
                asyncio.get_running_loop().add_writer(fd, self.flush, fd)
            return
        except OSError:  # the device is going away: reading finds out and says so
            self.dropped += 1
            self._waiting.clear()
        self._stop()

    def close(self) -> None:
        """Forget what waits: a scanner that comes back is not told old answers. Before the descriptor is closed."""
        if self._waiting:
            self.dropped += 1
        self._waiting.clear()
        self._stop()

    def _stop(self) -> None:
        if self._writer_fd is not None:
            asyncio.get_running_loop().remove_writer(self._writer_fd)
            self._writer_fd = None


class LossWatch:
    """Tells when bytes were lost before they could be read: an overrun leaves no mark among the bytes."""

    def __init__(self, count: Callable[[], int | None]) -> None:
        self._count = count
        self._before = count()

    @property
    def is_counting(self) -> bool:
        """Say whether the driver counts at all."""
        return self._before is not None

    def has_lost(self) -> bool:
        """Say whether bytes were lost since this was asked last."""
        if self._before is None:
            return False
        before, self._before = self._before, self._count()
        return self._before is not None and self._before != before


def why_absent(path: str, error: Exception) -> str:
    """Say what is wrong and what to do about it."""
    match error.args[0] if error.args else None:  # a SerialException may lack errno, a termios.error always does
        case errno.ENOENT | errno.ENXIO | errno.ENODEV | errno.EIO:
            return (
                f"{path} is not there: plug the scanner in, or set path to one of /dev/serial/by-id/*; a scanner that "
                'types like a keyboard must be set to "USB virtual serial port" (its own setup code) first'
            )
        case errno.EACCES | errno.EPERM:
            return f"no permission for {path}: give it to the service's user (docs/operations.md says how)"
        case errno.EAGAIN | errno.EBUSY:
            return f"{path} is in use by another program: end it (ModemManager and getty are the usual ones)"
        case _:
            return f"{path} cannot be used as a serial port ({error}): set path to one of /dev/serial/by-id/*"
