"""A USB scanner made of software: a gadget behind dummy_hcd, with vendor, product and serial number, that enumerates.

Sources: the kernel's Documentation/usb/gadget_configfs.rst and gadget_hid.rst; HID Usage Tables 1.12, keyboard page.
"""

import os
import select
import termios
import time
import tty
from collections.abc import Sequence
from pathlib import Path

GADGETS = Path("/sys/kernel/config/usb_gadget")
WRITE_S_MAX = 20.0
MAKER, PRODUCT = "Lab", "Scanner"

# A boot keyboard (HID 1.11, appendix B.1): one byte of modifiers, one reserved, six keys; five LEDs come back.
KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508"
    "1500256505071900296581 00c0".replace(" ", "")
)


class Gadget:
    """One gadget on the controller of the same number; functions are added before it is plugged in."""

    def __init__(self, number: int, serial: str, vendor: int = 0x0C2E, product: int = 0x0200) -> None:
        self._folder = GADGETS / f"lab{number}"
        self._controller = f"dummy_udc.{number}"
        self.serial = serial
        self._hid: Path | None = None
        self._port: Path | None = None
        self._line: int | None = None
        self._reports: int | None = None
        folder = self._folder
        (folder / "strings/0x409").mkdir(parents=True)
        (folder / "configs/c.1").mkdir(parents=True)
        for name, value in (("idVendor", f"{vendor:#06x}"), ("idProduct", f"{product:#06x}"), ("bcdUSB", "0x0200")):
            (folder / name).write_text(value)
        for name, value in (("serialnumber", serial), ("manufacturer", MAKER), ("product", PRODUCT)):
            (folder / "strings/0x409" / name).write_text(value)

    def add_line(self) -> None:
        """Add a virtual serial line (CDC-ACM)."""
        function = self._folder / "functions/acm.line"
        function.mkdir()
        (self._folder / "configs/c.1/acm.line").symlink_to(function)
        self._port = Path(f"/dev/ttyGS{int((function / 'port_num').read_text())}")

    def add_hid(self, descriptor: bytes, report_bytes: int) -> None:
        """Add an HID interface that sends reports of that length."""
        function = self._folder / "functions/hid.reports"
        function.mkdir()
        (function / "report_length").write_text(str(report_bytes))
        (function / "report_desc").write_bytes(descriptor)
        (function / "protocol").write_text("1" if descriptor == KEYBOARD else "0")
        (function / "subclass").write_text("1" if descriptor == KEYBOARD else "0")
        (self._folder / "configs/c.1/hid.reports").symlink_to(function)
        self._hid = function

    def plug_in(self) -> None:
        """Connect it: the kernel's host side enumerates it."""
        (self._folder / "UDC").write_text(self._controller)
        if self._port is not None:
            self._line = os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._line, termios.TCSANOW)

    def unplug(self) -> None:
        """Disconnect it, whatever it is in the middle of."""
        (self._folder / "UDC").write_text("\n")
        if self._line is not None:
            os.close(self._line)  # it was hung up
            self._line = None
        if self._reports is not None:
            os.close(self._reports)
            self._reports = None

    def send(self, data: bytes) -> None:
        """Send bytes over the serial line. Raises TimeoutError where the host does not take them."""
        assert self._line is not None  # noqa: S101
        end_s = time.monotonic() + WRITE_S_MAX
        while data:
            if not select.select([], [self._line], [], max(0.0, end_s - time.monotonic()))[1]:
                raise TimeoutError(f"the line of {self.serial} is not read")
            data = data[os.write(self._line, data) :]

    def report(self, reports: Sequence[bytes]) -> None:
        """Send HID reports, each as soon as the host has fetched the one before."""
        if self._reports is None:
            self._reports = self._open_reports()
        for report in reports:
            if not select.select([], [self._reports], [], WRITE_S_MAX)[1]:
                raise TimeoutError(f"the reports of {self.serial} are not read")
            os.write(self._reports, report)

    def _open_reports(self) -> int:
        assert self._hid is not None  # noqa: S101
        major, minor = (int(part) for part in (self._hid / "dev").read_text().split(":"))
        node = Path(f"/run/tmp/hidg-{major}-{minor}")
        if not node.exists():
            os.mknod(node, 0o020600, os.makedev(major, minor))
        return os.open(node, os.O_RDWR | os.O_NONBLOCK)
