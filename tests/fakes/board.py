"""A scanner that types, as the kernel shows it: input_event records through a pipe with a name, plugged in and out."""

import asyncio
import errno
import fcntl
import os
import sys
import termios
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.adapters.scanners.evdev import EVENT, Node
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.core.reading.alt_codes import AltCodes
from agent.core.reading.keys import EV_SYN, PRESSED, SYN_DROPPED, SYN_REPORT, KeyEvent, Stroke, events_of
from agent.core.reading.layouts import LayoutName, layout_of
from agent.core.reading.layouts.typed import keys_for

ENTER = [Stroke(28, 1), Stroke(28, 0)]


class Board:
    """The agent opens `path` with `open`; we write into the pipe."""

    def __init__(
        self, path: Path, *, layout: LayoutName = "us", is_there: bool = True, lit: bool = False, is_radio: bool = False
    ) -> None:
        self.path = path
        self.lit = lit
        self.is_radio = is_radio
        self.held: set[int] = set()
        self.layout = layout_of(layout)
        self._fd: int | None = None
        if is_there:
            self.plug_in()

    def plug_in(self) -> None:
        os.mkfifo(self.path)
        self._fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def unplug(self) -> None:
        """Hang up: what was written is read before the end is seen."""
        if self._fd is not None:
            self.path.unlink()
            os.close(self._fd)
            self._fd = None

    @property
    def unread(self) -> int:
        """How many bytes nobody has read yet."""
        assert self._fd is not None
        return int.from_bytes(fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)), sys.byteorder)

    def open(self, path: str) -> Node:
        """Stand in for EventNode."""
        try:
            return _PipeNode(os.open(path, os.O_RDONLY | os.O_NONBLOCK), self)
        except OSError as error:
            raise DeviceAbsent(f"{path} is not there ({errno.errorcode[error.errno or 0]})") from error

    async def type(self, text: str, *, end: Iterable[Stroke] = ENTER, alt_codes: AltCodes = "none") -> None:
        await self.press([*keys_for(text, self.layout, alt_codes=alt_codes), *end])

    async def press(self, strokes: Iterable[Stroke]) -> None:
        strokes = list(strokes)
        for code, value in strokes:
            (self.held.add if value == PRESSED else self.held.discard)(code)
        await self.send(events_of(strokes))

    async def drop(self) -> None:
        """Say what the kernel says when its buffer was full."""
        await self.send([KeyEvent(EV_SYN, SYN_DROPPED, 0), KeyEvent(EV_SYN, SYN_REPORT, 0)])

    async def send(self, events: Iterable[KeyEvent]) -> None:
        """Write events as of now, waiting while the pipe is full."""
        seconds, nanos = divmod(time.monotonic_ns(), 10**9)
        await self.write(b"".join(EVENT.pack(seconds, nanos // 1000, e.type, e.code, e.value) for e in events))

    async def write(self, data: bytes) -> None:
        assert self._fd is not None
        while data:
            try:
                data = data[os.write(self._fd, data[: 64 * EVENT.size]) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)


class _PipeNode:
    def __init__(self, fd: int, board: Board) -> None:
        self._fd = fd
        self._board = board

    def fileno(self) -> int:
        return self._fd

    def held(self) -> Sequence[int]:
        return sorted(self._board.held)

    def is_lit(self) -> bool:
        return self._board.lit

    def is_radio(self) -> bool:
        return self._board.is_radio

    def close(self) -> None:
        os.close(self._fd)
