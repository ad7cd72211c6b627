"""HID bar code scanners as descriptors and reports, written by hand from the usage tables, and a hidraw's double."""

import asyncio
import fcntl
import os
import socket
import struct
import termios
from pathlib import Path

from agent.adapters.scanners.hid import Hidraw

DATA_BYTES = 56


def item(tag: int, value: int, size: int = 1) -> bytes:
    """One short item; tag as in the HID specification with its type, without its size."""
    return bytes([tag | {1: 1, 2: 2, 4: 3}[size]]) + value.to_bytes(size, "little")


def usage(value: int) -> bytes:
    return item(0x08, value)


PAGE_SCANNER, PAGE_DESKTOP = item(0x04, 0x8C), item(0x04, 0x01)
SCANNER = PAGE_SCANNER + usage(0x02) + item(0xA0, 0x01)
BYTES = item(0x14, 0) + item(0x24, 255, 2) + item(0x74, 8)
INPUT, PADDING, BUFFERED = item(0x80, 0x02), item(0x80, 0x03), item(0x80, 0x0102, 2)
END = b"\xc0"
FLAG = item(0x74, 1) + item(0x94, 1) + usage(0xFF) + INPUT + item(0x74, 7) + PADDING
AIM_IN_ONE = PAGE_SCANNER + item(0x94, 3) + usage(0xFB) + usage(0xFC) + usage(0xFD) + INPUT
AIM_APART = item(0x94, 1) + b"".join(usage(u) + INPUT for u in (0xFB, 0xFC, 0xFD))
DATA = item(0x94, DATA_BYTES) + usage(0xFE) + BUFFERED
LENGTH = item(0x94, 1) + PAGE_DESKTOP + usage(0x3B) + INPUT + PAGE_SCANNER

COUNTED = SCANNER + item(0x84, 2) + usage(0x12) + item(0xA0, 2) + BYTES + LENGTH + AIM_IN_ONE + DATA + FLAG + END + END
"""Report 2: length, AIM id, 56 bytes of data, a bit for "more follows"."""
WITHOUT_ID = SCANNER + BYTES + LENGTH + AIM_IN_ONE + DATA + FLAG + END
UNCOUNTED = SCANNER + item(0x84, 2) + BYTES + AIM_APART + DATA + FLAG + END
"""No length: what fills a report is known only by its being NUL."""
WITHOUT_FLAG = SCANNER + item(0x84, 2) + BYTES + LENGTH + AIM_IN_ONE + DATA + END
UNNAMED = SCANNER + item(0x84, 2) + BYTES + item(0x94, 63) + usage(0x12) + INPUT + END
"""A scanner whose descriptor names no fields: 64 bytes, its id included."""
KEYBOARD = (
    PAGE_DESKTOP + usage(0x06) + item(0xA0, 1) + item(0x04, 0x07) + item(0x18, 0xE0) + item(0x28, 0xE7)
    + item(0x74, 1) + item(0x94, 8) + INPUT + item(0x94, 6) + item(0x74, 8) + item(0x80, 0) + END
)  # fmt: skip


def report(data: bytes, aim: bytes = b"]Q1", *, more: bool = False, length: int | None = None, id_: int = 2) -> bytes:
    """A report of COUNTED."""
    return bytes([id_, len(data) if length is None else length]) + aim + data.ljust(DATA_BYTES, b"\0") + bytes([more])


def standard(data: bytes, aim: bytes = b"]Q1", *, more: int = 0, length: int | None = None) -> bytes:
    """A report of UNNAMED: its 62nd and 63rd byte are the maker's."""
    head = bytes([2, len(data) if length is None else length]) + aim
    return head + data.ljust(DATA_BYTES, b"\0") + b"s\0" + bytes([more])


def reports(code: bytes, aim: bytes = b"]Q1") -> list[bytes]:
    """All reports of one code, as COUNTED splits it."""
    parts = [code[at : at + DATA_BYTES] for at in range(0, len(code), DATA_BYTES)] or [b""]
    return [report(part, aim, more=index + 1 < len(parts)) for index, part in enumerate(parts)]


class HidDevice:
    """A hidraw's double: records in a socket pair, one a read, and an end that can be pulled out."""

    def __init__(self, descriptor: bytes = COUNTED, *, is_there: bool = True) -> None:
        self.descriptor = descriptor
        self.opened: list[Path] = []
        self._ours: socket.socket | None = None
        self._is_there = is_there

    def open(self, node: Path) -> Hidraw:
        if not self._is_there:
            raise FileNotFoundError(2, os.strerror(2), str(node))
        if self._ours is not None:
            self._ours.close()
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        theirs.setblocking(False)
        self.opened.append(node)
        return Hidraw(theirs.detach(), self.descriptor, "Maker Scanner")

    def plug_in(self) -> None:
        self._is_there = True

    def unplug(self) -> None:
        self._is_there = False
        if self._ours is not None:
            self._ours.close()
            self._ours = None

    def send_now(self, *records: bytes) -> None:
        """Send without looking whether anybody reads."""
        assert self._ours is not None
        for record in records:
            self._ours.send(record)

    async def send(self, *records: bytes) -> None:
        """Send as a scanner does: the next report when the one before it was read."""
        for record in records:
            self.send_now(record)
            while self._unread():  # noqa: ASYNC110
                await asyncio.sleep(0.0005)

    def _unread(self) -> int:
        assert self._ours is not None
        return int(struct.unpack("i", fcntl.ioctl(self._ours, termios.TIOCOUTQ, bytes(4)))[0])
