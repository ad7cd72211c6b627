"""One scan as its device gives it, before any setting is applied: bytes of a port, keys of an input device.

The law: never for longer than it is told; a keyboard is taken for itself meanwhile, or the scan would type itself into
the technician's own shell.
"""

import errno
import os
import select
import termios
import time
from collections.abc import Callable
from pathlib import Path

from agent.adapters.scanners.evdev import EVENT, EventNode, events_in
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.core.reading.keys import EV_KEY, KeyEvent

QUIET_S = 0.5  # a pause ends a scan
BYTES_MAX = 16_384
EVENTS_MAX = 16_384
_READ_BYTES = 64 * EVENT.size  # the kernel gives whole events


class NoReading(Exception):
    """Nothing could be read; the message says why and what to do."""


def read_bytes(path: Path, baud: int, seconds: float, ready: Callable[[], None]) -> bytes:
    """Return what one scan sends over a serial port. ready: called when it can be scanned. Raises NoReading."""
    from serial import Serial  # noqa: PLC0415 — only a serial port needs it

    try:
        with Serial(str(path), baud, exclusive=True, inter_byte_timeout=0) as port:
            ready()
            return _read(port.fileno(), seconds, BYTES_MAX)
    except (OSError, termios.error) as error:
        raise NoReading(why(path, error)) from error


def read_keys(path: Path, seconds: float, ready: Callable[[], None]) -> tuple[list[KeyEvent], bool]:
    """Return the key events of one scan, and whether Caps Lock is lit; the device is this program's alone meanwhile.

    Raises NoReading.
    """
    try:
        node = EventNode(str(path))
    except DeviceAbsent as error:
        raise NoReading(str(error)) from error
    try:
        lit = node.is_lit()
        ready()
        data = _read(node.fileno(), seconds, EVENTS_MAX * EVENT.size, ends=is_released)
    except OSError as error:
        raise NoReading(why(path, error)) from error
    finally:
        node.close()
    return events_in(data), lit


def _read(fd: int, seconds: float, most: int, ends: Callable[[bytes], bool] = bool) -> bytes:
    """Read until a pause after the first byte, or until the time is over. Raises OSError."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    data = b""
    until_s = time.monotonic() + seconds
    while len(data) < most:
        left_s = QUIET_S if ends(data) else until_s - time.monotonic()
        if not poll.poll(max(0, round(left_s * 1000))):
            return data
        try:
            part = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            continue
        if not part:
            raise OSError(errno.ENODEV, "unplugged")
        data += part
    return data


def is_released(data: bytes) -> bool:
    """Say whether anything was typed and no key is down: the scan may be over."""
    down = {event.code: event.value for event in events_in(data) if event.type == EV_KEY}
    return bool(down) and not any(down.values())


def why(path: Path, error: Exception) -> str:
    """Say why a device cannot be read, and what to do."""
    match error.args[0] if error.args else None:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV | errno.EIO:
            return f"{path} is not there, or went away: plug the scanner in; scanward scanners list shows all"
        case errno.EACCES | errno.EPERM:
            return f"no permission for {path}: run this as root, or give it to this user (docs/operations.md)"
        case errno.EAGAIN | errno.EBUSY:
            return f"{path} is in use by another program: end it (the agent: systemctl stop scanward)"
        case errno.ENOTTY | errno.EINVAL:
            return f"{path} is no device of this kind: see --type, and scanward scanners list"
        case _:
            return f"{path} cannot be read ({error}): see --type, and scanward scanners list"
