"""A keyboard made by the kernel's uinput: what it types comes out of an event node (linux/uinput.h, input.h)."""

import fcntl
import os
import struct
from collections.abc import Iterable
from pathlib import Path

EV_SYN, EV_KEY, EV_MSC, EV_LED, EV_REP = 0x00, 0x01, 0x04, 0x11, 0x14
MSC_SCAN = 0x04
KEYS_MAX = 248
BUS_USB = 0x03
_SET_EVBIT, _SET_KEYBIT, _SET_MSCBIT, _SET_LEDBIT = 0x40045564, 0x40045565, 0x40045568, 0x40045569
EVIOCGRAB = 0x40044590
_DEV_SETUP, _DEV_CREATE, _DEV_DESTROY = 0x405C5503, 0x5501, 0x5502
_EVENT = struct.Struct("llHHi")
_SETUP = struct.Struct("HHHH80sI")

RULE = 'SUBSYSTEM=="input", KERNEL=="event*", ATTRS{name}=="Lab *", SYMLINK+="lab/$attr{name}"\n'


def link_of(name: str) -> Path:
    """Return the link that RULE makes; udev writes what a file name must not hold as an underscore."""
    return Path("/dev/lab", name.replace(" ", "_"))


class Keyboard:
    """A keyboard behind a stable link that udev makes by its name (RULE)."""

    def __init__(self, name: str, product: int) -> None:
        self.link, self._name, self._product = link_of(name), name, product
        self._fd: int | None = None

    def plug_in(self) -> None:
        """Create the device; udev makes the link to its event node."""
        fd = self._fd = os.open("/dev/uinput", os.O_WRONLY | os.O_NONBLOCK)
        for kind in (EV_KEY, EV_MSC, EV_LED, EV_REP):
            fcntl.ioctl(fd, _SET_EVBIT, kind)
        for key in range(1, KEYS_MAX):
            fcntl.ioctl(fd, _SET_KEYBIT, key)
        fcntl.ioctl(fd, _SET_MSCBIT, MSC_SCAN)
        for led in range(3):
            fcntl.ioctl(fd, _SET_LEDBIT, led)
        fcntl.ioctl(fd, _DEV_SETUP, _SETUP.pack(BUS_USB, 0x0C2E, self._product, 1, self._name.encode(), 0))
        fcntl.ioctl(fd, _DEV_CREATE)

    def unplug(self) -> None:
        """Destroy the device, as pulling its plug does."""
        if self._fd is not None:
            fcntl.ioctl(self._fd, _DEV_DESTROY)
            os.close(self._fd)
            self._fd = None

    def put(self, records: bytes) -> None:
        """Have these input_event records happen."""
        assert self._fd is not None  # noqa: S101
        os.write(self._fd, records)


def records_of(strokes: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return one report a stroke, as a USB keyboard makes them: scan code, key, end of the report."""
    return [
        _EVENT.pack(0, 0, EV_MSC, MSC_SCAN, 0x70000 + key)
        + _EVENT.pack(0, 0, EV_KEY, key, value)
        + _EVENT.pack(0, 0, EV_SYN, 0, 0)
        for key, value in strokes
    ]
