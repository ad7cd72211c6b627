"""An input event node of the kernel, taken for this process alone (linux/input.h, Documentation/input/event-codes.rst).

The law: a node is open only if it has letters, nobody else gets its keys, and its times are of the monotonic clock.
"""

import errno
import fcntl
import os
import struct
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from agent.adapters.scanners.lookout import DeviceAbsent
from agent.core.reading.keys import KeyEvent

EVENT = struct.Struct("@LLHHi")  # struct input_event: two words of time, whatever their width; type, code, value

_KEY_MAX, _LED_MAX = 0x2FF, 0x0F
_LED_CAPS_LOCK = 0x01
_EV_KEY, _EV_MSC = 0x01, 0x04
_BUS_BLUETOOTH = 0x05
_LETTERS = (*range(16, 26), *range(30, 39), *range(44, 51))


def _ior(number: int, size: int) -> int:
    return 2 << 30 | size << 16 | ord("E") << 8 | number


def _iow(number: int, size: int) -> int:
    return 1 << 30 | size << 16 | ord("E") << 8 | number


EVIOCGID = _ior(0x02, 8)  # struct input_id: bus, vendor, product, version
EVIOCGKEY = _ior(0x18, _KEY_MAX // 8 + 1)
EVIOCGLED = _ior(0x19, _LED_MAX // 8 + 1)
EVIOCGBIT_KEY = _ior(0x20 + _EV_KEY, _KEY_MAX // 8 + 1)
EVIOCGRAB = _iow(0x90, 4)
EVIOCSMASK = _iow(0x93, 16)
EVIOCSCLOCKID = _iow(0xA0, 4)

Ioctl = Callable[[int, int, Any], Any]


class Node(Protocol):
    """An open source of input events; read from its descriptor, without blocking."""

    def fileno(self) -> int:
        """Return the descriptor to read."""
        ...

    def held(self) -> Sequence[int]:
        """Return the keys that are down now; key events that were not read yet are dropped. Raises OSError."""
        ...

    def is_lit(self) -> bool:
        """Say whether Caps Lock's light is on. Raises OSError."""
        ...

    def is_radio(self) -> bool:
        """Say whether the device goes whenever its link does, and may keep what it could not send. Raises OSError."""
        ...

    def close(self) -> None:
        """Give the node back."""
        ...


class EventNode:
    """A node in /dev/input. Opening takes it for this process alone; closing gives it back."""

    def __init__(self, path: str, ioctl: Ioctl = fcntl.ioctl) -> None:
        """Open and take it. Raises DeviceAbsent."""
        self._ioctl = ioctl
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise DeviceAbsent(_why_absent(path, error)) from error
        try:
            self._take(path)
        except OSError as error:
            self.close()
            raise DeviceAbsent(_why_absent(path, error)) from error
        except DeviceAbsent:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to read."""
        return self._fd

    def held(self) -> list[int]:
        """Return the keys that are down now (EVIOCGKEY). Raises OSError."""
        return self._bits(EVIOCGKEY)

    def is_lit(self) -> bool:
        """Say whether Caps Lock's light is on (EVIOCGLED). Raises OSError."""
        return _LED_CAPS_LOCK in self._bits(EVIOCGLED)

    def is_radio(self) -> bool:
        """Say whether it is connected by Bluetooth (EVIOCGID). Raises OSError."""
        answer = self._ioctl(self._fd, EVIOCGID, bytes(8))
        return isinstance(answer, bytes) and int.from_bytes(answer[:2], sys.byteorder) == _BUS_BLUETOOTH

    def close(self) -> None:
        """Close the node, which ends the grab."""
        os.close(self._fd)

    def _take(self, path: str) -> None:
        if not set(_LETTERS) <= set(self._bits(EVIOCGBIT_KEY)):
            raise DeviceAbsent(f"{path} has no letters: a scanner's keyboard is the link that ends in -event-kbd")
        self._ioctl(self._fd, EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
        # Scan codes fill a third of the client's buffer of 64 events and say nothing that the key codes do not.
        nothing = array("B", bytes(8))
        self._ioctl(self._fd, EVIOCSMASK, struct.pack("IIQ", _EV_MSC, len(nothing), nothing.buffer_info()[0]))
        self._ioctl(self._fd, EVIOCGRAB, 1)

    def _bits(self, request: int) -> list[int]:
        answer = self._ioctl(self._fd, request, bytes(request >> 16 & 0x3FFF))
        bits = int.from_bytes(answer, "little") if isinstance(answer, bytes) else 0
        return [bit for bit in range(bits.bit_length()) if bits >> bit & 1]


def events_in(data: bytes) -> list[KeyEvent]:
    """Return the events of a read, their times in milliseconds."""
    return [
        KeyEvent(type_, code, value, seconds * 1000 + micros // 1000)
        for seconds, micros, type_, code, value in EVENT.iter_unpack(data)
    ]


def _why_absent(path: str, error: OSError) -> str:
    """Say what is wrong and what to do about it."""
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return f"{path} is not there: plug the scanner in, or set path to one of /dev/input/by-id/*-event-kbd"
        case errno.EACCES | errno.EPERM:
            return f"no permission for {path}: give it to the service's user (docs/operations.md says how)"
        case errno.EBUSY:
            return f"{path} is held by another program that reads it alone: end that program"
        case _:
            return f"{path} is no keyboard ({error.strerror}): set path to one of /dev/input/by-id/*-event-kbd"
