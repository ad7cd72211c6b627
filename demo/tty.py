"""A scanner on a real tty: what is written here goes through the kernel's line discipline, as from a USB scanner."""

import fcntl
import os
import struct
import termios
import tty
from pathlib import Path


class TtyScanner:
    """A pty pair; `path` is a stable link to the side that the agent opens."""

    def __init__(self, scanner: str, path: Path) -> None:
        self.id = scanner
        self.path = path
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self._slave))

    def type(self, text: str) -> None:
        """Send a whole code, ended by a carriage return as scanners do."""
        os.write(self._master, text.encode() + b"\r")

    def type_part(self, text: str) -> None:
        """Send a code's beginning, without its end."""
        os.write(self._master, text.encode())

    @property
    def unread_bytes(self) -> int:
        """How many bytes wait in the kernel for the agent."""
        answer = fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("i", answer)[0])

    def close(self) -> None:
        """Unplug it."""
        os.close(self._master)
        os.close(self._slave)
        self.path.unlink(missing_ok=True)
