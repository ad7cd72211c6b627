"""An HID device made by the kernel's uhid: its reports come out of a hidraw node (linux/uhid.h)."""

import os
import select
import struct

UHID_DESTROY, UHID_START, UHID_CREATE2, UHID_INPUT2 = 1, 2, 11, 12
BUS_USB = 0x03
START_S_MAX = 10.0
EVENT_BYTES = 4_380  # struct uhid_event
_CREATE2 = struct.Struct("=I128s64s64sHHIIII4096s")
_INPUT2 = struct.Struct("=IH4096s")


class HidDevice:
    """One device with a report descriptor."""

    def __init__(self, name: str, serial: str, descriptor: bytes, vendor: int = 0x0C2E, product: int = 0x0400) -> None:
        self._create = _CREATE2.pack(
            UHID_CREATE2, name.encode(), b"lab", serial.encode(), len(descriptor), BUS_USB, vendor, product, 1, 0,
            descriptor,
        )  # fmt: skip
        self._fd: int | None = None

    def plug_in(self) -> None:
        """Create it and wait until its driver has taken it. Raises TimeoutError."""
        self._fd = os.open("/dev/uhid", os.O_RDWR | os.O_NONBLOCK)
        os.write(self._fd, self._create)
        while self._next_event() != UHID_START:
            pass

    def _next_event(self) -> int:
        assert self._fd is not None  # noqa: S101
        if not select.select([self._fd], [], [], START_S_MAX)[0]:
            raise TimeoutError("uhid does not start the device")
        kind: int = struct.unpack_from("=I", os.read(self._fd, EVENT_BYTES))[0]
        return kind

    def unplug(self) -> None:
        """Destroy it, as pulling its plug does."""
        if self._fd is not None:
            os.write(self._fd, struct.pack("=I", UHID_DESTROY))
            os.close(self._fd)
            self._fd = None

    def put(self, report: bytes) -> None:
        """Have the device send one report, its id first."""
        assert self._fd is not None  # noqa: S101
        os.write(self._fd, _INPUT2.pack(UHID_INPUT2, len(report), report))
