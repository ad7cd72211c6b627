"""Readers on the network that send their scans as lines over TCP: the agent connects, or they do.

The law: each connection assembles for itself, so that two readers never mix; a half scan at a cut is a fault. Plain TCP
proves nothing about the sender: only addresses that are named may connect, and a code is judged like any other.
"""

import asyncio
import errno
import ipaddress
import logging
import socket
from collections import deque
from collections.abc import AsyncGenerator

from agent.adapters.scanners.intake import Intake, TakenIn, loop_ms
from agent.adapters.scanners.lookout import DeviceAbsent, Lookout
from agent.adapters.scanners.network_dial import Dialler
from agent.adapters.scanners.network_line import Line, keep_alive, listening_socket
from agent.adapters.scanners.network_settings import Settings
from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.core.decision import Answer
from agent.core.reading.framing import Framing, ScanAssembler
from agent.core.reading.piece import Piece
from agent.core.scan import Scan
from agent.ports import Clock

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 16  # of one listening scanner; a reader has one
ACCEPTS_MAX = 16  # in one turn of the loop
STRANGERS_TOLD_S = 60.0  # how often the log hears of those who may not connect


class NetworkScanner(TakenIn):
    """One or more readers that are one scanner. One consumer iterates `scans()`; sockets are open only meanwhile."""

    def __init__(self, settings: Settings, clock: Clock, on_presence: OnPresence = log_presence) -> None:
        self._settings = settings
        self._intake = Intake(settings, clock, on_presence)
        self._dialler = Dialler(settings.host, settings.port, self._on_connected, self._on_not_connected)
        self._lookout = Lookout(self._listen, self._intake.be_absent)
        self._allowed = [ipaddress.ip_network(peer) for peer in settings.peers]
        self._listening: socket.socket | None = None
        self._lines = dict[str, Line]()  # by the peer's address, the oldest first
        self._origins = deque[Line]()  # which line each waiting scan came from
        self._answers_to: Line | None = None
        self._cut = set[str]()  # peers whose last connection ended in a scan, or behind half of one
        self._stranger_told_at_s = -STRANGERS_TOLD_S

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield whole scans, and faulty ones with their fault, whether or not a reader is there at the moment."""
        if self._settings.is_listening:
            self._lookout.look()
        else:
            self._dialler.dial()
        try:
            while True:
                scan = await self._intake.next()
                self._answers_to = self._origins.popleft()
                self._resume()
                yield scan
        finally:
            self._close()

    def answered(self, answer: Answer) -> None:
        """Tell the reader whose scan it was; what asks somebody is neither accepted nor refused."""
        said = {
            Answer.ACCEPT: self._settings.accepted,
            Answer.PROVISIONAL: self._settings.accepted,
            Answer.REFUSE: self._settings.refused,
        }.get(answer, "")
        if said and self._answers_to is not None:
            self._answers_to.send(said.encode())

    def why_silent(self) -> str | None:
        """Say why no scan can come through, though readers may be fine; None while all is well."""
        if (why := self._intake.why_stuck()) is not None:
            return why
        if any(not (line.is_reading or line.is_waiting) for line in self._lines.values()) and not self._intake.is_full:
            return "a connection is open and nobody reads it"
        if self._settings.is_listening:
            is_looked_after = self._listening is not None or self._lookout.is_looking
        else:
            is_looked_after = bool(self._lines) or self._dialler.is_dialling
        return None if is_looked_after else "nobody connects to the reader, or listens for it"

    # The agent connects.

    def _on_connected(self, connected: socket.socket) -> None:
        self._begin(connected, self._settings.path)

    def _on_not_connected(self, why: str) -> None:
        self._intake.be_absent(f"{self._settings.path}: {why}: switch the reader on, or correct path")

    # Readers connect.

    def _listen(self) -> None:
        """Listen. Raises DeviceAbsent."""
        try:
            self._listening = listening_socket(self._settings.host, self._settings.port)
        except OSError as error:
            raise DeviceAbsent(_why_deaf(self._settings.path, error)) from error
        asyncio.get_running_loop().add_reader(self._listening.fileno(), self._accept)
        self._tell_listening()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_MAX):
            if self._listening is None:
                return
            try:
                connected, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:  # EMFILE, ENOBUFS …: it would be ready for ever
                self._stop_listening()
                self._lookout.lost(_why_deaf(self._settings.path, error))
                return
            peer = str(address[0]).partition("%")[0]
            if not self._may_connect(peer):
                connected.close()
                continue
            if (before := self._lines.get(peer)) is not None:
                self._take(before, before.close())  # it came back, and its old connection did not hear of that
                self._forget(before)
            self._begin(connected, peer)

    def _may_connect(self, peer: str) -> bool:
        is_named = not self._allowed or any(ipaddress.ip_address(peer) in network for network in self._allowed)
        has_room = peer in self._lines or len(self._lines) < CONNECTIONS_MAX
        now_s = asyncio.get_running_loop().time()
        if not (is_named and has_room) and now_s - self._stranger_told_at_s >= STRANGERS_TOLD_S:
            self._stranger_told_at_s = now_s
            why = "is not one of peers" if not is_named else f"would be one connection more than {CONNECTIONS_MAX}"
            log.warning("scanner %s: %s %s: hung up", self.id, peer, why)
        return is_named and has_room

    def _tell_listening(self) -> None:
        if self._settings.stays_connected and not self._lines:
            self._intake.be_absent(f"no reader is connected to {self._settings.path}: switch it on, or see its cable")
        else:
            self._intake.be_present(self._settings.path)

    # Both.

    def _begin(self, connected: socket.socket, peer: str) -> None:
        settings = self._settings
        try:
            keep_alive(connected)
        except OSError:  # it has gone again
            connected.close()
            if not settings.is_listening:
                self._dialler.lost()
            return
        assembler = ScanAssembler(settings.framing, bytes_max=settings.bytes_max, timeout_ms=settings.timeout_ms)
        if peer in self._cut:  # a device server sends the rest of what was cut over its next connection
            self._cut.discard(peer)
            assembler.join_late(loop_ms())
        is_paced = settings.framing is not Framing.IDLE
        self._lines[peer] = Line(connected, assembler, self._take, self._on_lost, is_paced=is_paced)
        self._resume()
        if self.presence is not Presence.PRESENT:
            self._intake.be_present(settings.path if peer == settings.path else f"{settings.path}, from {peer}")
        log.debug("scanner %s: connected with %s", self.id, peer)

    def _take(self, line: Line, pieces: list[Piece]) -> None:
        heartbeat = self._settings.heartbeat.encode()
        for piece in pieces:
            if heartbeat and piece == Piece(heartbeat):
                continue
            self._origins.extend([line] * self._intake.take([piece]))
        if self._intake.is_full:
            for each in self._lines.values():
                each.pause()

    def _forget(self, line: Line) -> None:
        peers = {peer for peer, other in self._lines.items() if other is line}
        if line.was_half:
            if len(self._cut) >= CONNECTIONS_MAX:
                self._cut.clear()
            self._cut |= peers
        for peer in peers:
            del self._lines[peer]

    def _resume(self) -> None:
        """Read again, if the queue has room."""
        if not self._intake.is_full:
            for line in self._lines.values():
                line.resume()

    def _on_lost(self, line: Line, why: str) -> None:
        self._forget(line)
        if self._settings.is_listening:
            if not self._lines and self._settings.stays_connected:
                self._tell_listening()
        else:
            self._dialler.lost()
            self._on_not_connected(why)

    def _stop_listening(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening.fileno())
            self._listening.close()
            self._listening = None

    def _close(self) -> None:
        self._lookout.stop()
        self._dialler.stop()
        self._stop_listening()
        for line in self._lines.values():
            line.close()
        self._lines.clear()


def _why_deaf(path: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{path} is in use by another program: end it, or set path to another port"
        case errno.EADDRNOTAVAIL:
            return f"{path} is no address of this machine: see ip address, and correct path"
        case errno.EACCES | errno.EPERM:
            return f"no permission for {path}: set path to a port above 1023"
        case _:
            return f"{path} cannot be listened on ({error.strerror})"
