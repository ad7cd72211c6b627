"""One TCP connection to a reader: its bytes, assembled by themselves, and how it ends.

The law: no two connections share an assembler, and a reader that has gone without a word is noticed by the kernel.
Who connects, and to whom, is network.py's and network_dial.py's.
"""

import asyncio
import socket
from collections.abc import Callable

from agent.adapters.scanners.intake import loop_ms
from agent.core.reading.framing import ScanAssembler
from agent.core.reading.piece import Piece

READ_BYTES_MAX = 1_024  # a turn of the loop: full of empty lines it costs a small machine milliseconds
KEEP_IDLE_S, KEEP_INTERVAL_S, KEEP_PROBES = 6, 3, 3  # tcp(7): a quiet line is tried, and given up after 15 s
UNACKNOWLEDGED_MS_MAX = 15_000  # TCP_USER_TIMEOUT, for what was sent and nobody takes
BACKLOG = 16
LINES_PER_S_MAX, BYTES_PER_S_MAX = 1_000, 1_000_000  # of one connection: far beyond what a fast reader sends
BURST_S = 0.064  # so far ahead of that it may be: 64 lines at once
_ENDS = b"\t\n\r\x03"  # what may end a line, whatever the framing


class Line:
    """Reads one connected socket on the loop.

    on_pieces: told what arrived. on_lost: told once, with why, after the half scan that the line took with it.
    is_paced: a flood is read at LINES_PER_S_MAX and BYTES_PER_S_MAX, so that scanners beside it are read on
    time; not where a pause ends a scan.
    """

    def __init__(
        self,
        connected: socket.socket,
        assembler: ScanAssembler,
        on_pieces: Callable[["Line", list[Piece]], None],
        on_lost: Callable[["Line", str], None],
        *,
        is_paced: bool = True,
    ) -> None:
        self._socket = connected
        self._assembler = assembler
        self._on_pieces = on_pieces
        self._on_lost = on_lost
        self._quiet_timer: asyncio.TimerHandle | None = None
        self._pace_timer: asyncio.TimerHandle | None = None
        self._is_paced = is_paced
        self._paid_until_s = 0.0  # when what was read so far is due at that rate, by the loop's clock
        self._is_open = True
        self.is_reading = False
        self.was_half = False  # closed in a scan: the rest of it may come over the next connection

    @property
    def is_waiting(self) -> bool:
        """Say whether it sent too much at once, and is read again in a moment."""
        return self._pace_timer is not None

    def resume(self) -> None:
        """Read, or read again; what is too fast waits for its turn."""
        if self._is_open and not self.is_reading and self._pace_timer is None:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable)
            self.is_reading = True
            self._watch_for_quiet()

    def pause(self) -> None:
        """Leave what comes to the kernel, and by its window to the reader."""
        if self.is_reading:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self.is_reading = False
            self._assembler.lose_track()

    def send(self, data: bytes) -> bool:
        """Send a few bytes if the kernel takes them now; say whether it did."""
        try:
            return self._is_open and self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) == len(data)
        except OSError:  # reading will say what is wrong with it
            return False

    def close(self) -> list[Piece]:
        """Hang up; return the scan that is cut by it."""
        if not self._is_open:
            return []
        self.pause()
        self._is_open = False
        for timer in (self._quiet_timer, self._pace_timer):
            if timer is not None:
                timer.cancel()
        self._quiet_timer = self._pace_timer = None
        self._socket.close()
        self.was_half = self._assembler.is_half(loop_ms())
        return self._assembler.hang_up()

    def _on_readable(self) -> None:
        why = "it hung up"
        try:
            data = self._socket.recv(READ_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:  # ETIMEDOUT: nobody answered; ECONNRESET, EHOSTUNREACH, …
            data, why = b"", f"the connection broke: {error.strerror}"
        if data:
            self._on_pieces(self, self._assembler.feed(data, loop_ms()))
            self._pace(data)
            self._watch_for_quiet()
            return
        if cut := self.close():
            self._on_pieces(self, cut)
        self._on_lost(self, why)

    def _pace(self, data: bytes) -> None:
        """Leave a flood to the kernel, and by its window to the reader, for as long as what it sent is worth."""
        lines = len(data) - len(data.translate(None, _ENDS))
        now_s = asyncio.get_running_loop().time()
        worth_s = max(lines / LINES_PER_S_MAX, len(data) / BYTES_PER_S_MAX)
        self._paid_until_s = max(self._paid_until_s, now_s) + worth_s
        if self._is_paced and self.is_reading and self._paid_until_s - now_s > BURST_S:
            self.pause()
            self._pace_timer = asyncio.get_running_loop().call_at(self._paid_until_s, self._on_turn)

    def _on_turn(self) -> None:
        self._pace_timer = None
        self.resume()
        self._on_pieces(self, [])  # whoever takes them pauses the line again, if there is no room

    def _watch_for_quiet(self) -> None:
        """Have the assembler asked when its pause is over; while paused nobody knows whether there is one."""
        due_at_ms = self._assembler.due_at_ms
        if due_at_ms is not None and self._quiet_timer is None and self.is_reading:
            self._quiet_timer = asyncio.get_running_loop().call_at(due_at_ms / 1000, self._on_quiet)

    def _on_quiet(self) -> None:
        """The pause may be over. The loop runs readers before timers, so whatever had come by now has been fed."""
        self._quiet_timer = None
        if self.is_reading:
            self._on_pieces(self, self._assembler.idle(loop_ms()))
            self._watch_for_quiet()


def keep_alive(connected: socket.socket) -> None:
    """Have the kernel notice a pulled cable, also where nothing is sent; and send small answers at once."""
    connected.setblocking(False)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, KEEP_IDLE_S),
        (socket.TCP_KEEPINTVL, KEEP_INTERVAL_S),
        (socket.TCP_KEEPCNT, KEEP_PROBES),
        (socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS_MAX),
        (socket.TCP_NODELAY, 1),
    ):
        connected.setsockopt(socket.IPPROTO_TCP, option, value)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
