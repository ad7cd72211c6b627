"""How the bytes of a line become whole scans, whatever way they are cut into reads. The caller has clock and device."""

from dataclasses import dataclass
from enum import StrEnum

from agent.core.reading.piece import Piece
from agent.core.scan import SCAN_BYTES_MAX, ScanFault

SCAN_TIMEOUT_MS = 500  # a scanner sends a scan in one go; a longer pause in the middle is a stall
TAIL_MS_MAX = 60_000  # how long after a stall the rest of the scan may still come; no link holds half a scan longer


class Framing(StrEnum):
    """How a scanner marks the end of a scan.

    CR also takes the LF right behind it, LF the CR right before and right behind it: they are one terminator, whichever
    way the scanner writes it. CRLF is exactly the two. IDLE has no mark: a pause ends the scan.
    """

    CR = "cr"
    LF = "lf"
    CRLF = "crlf"
    TAB = "tab"
    ETX = "etx"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class _Terminator:
    """mark ends a scan; before may stand between payload and mark, behind right after the mark."""

    mark: bytes
    before: bytes = b""
    behind: bytes = b""


_TERMINATORS = {
    Framing.CR: _Terminator(b"\r", behind=b"\n"),
    Framing.LF: _Terminator(b"\n", before=b"\r", behind=b"\r"),
    Framing.CRLF: _Terminator(b"\r\n"),
    Framing.TAB: _Terminator(b"\t"),
    Framing.ETX: _Terminator(b"\x03"),
}


class ScanAssembler:
    """Assembles the bytes of one scanner into whole scans, however they are cut into reads.

    The caller says when bytes came (`feed`), calls `idle` at `due_at_ms`, and `hang_up` when the device goes away.
    Times are milliseconds of any one clock that does not step. Payload bytes are never changed, trimmed or invented; an
    empty payload is no scan. After a scan that stalled, what comes until the next terminator may be its tail: it is
    refused too, aloud, so that no tail is ever read as a scan. Not thread-safe.
    """

    def __init__(self, framing: Framing, *, bytes_max: int = SCAN_BYTES_MAX, timeout_ms: int = SCAN_TIMEOUT_MS) -> None:
        self._terminator = _TERMINATORS.get(framing)  # None: a pause is the terminator
        self._bytes_max = bytes_max
        self._timeout_ms = timeout_ms
        self._pending = bytearray()
        self._fed_at_ms = 0
        self._may_follow = False  # the byte `behind` belongs to the terminator before it
        self._is_skipping = False  # over-long was reported; what is left of it goes until a terminator or a pause
        self._is_doubtful = False  # pauses were not seen, so they cannot tell one scan from the next
        self._is_spoiled = False  # part of what is arriving was damaged on the line
        self._tail_until_ms: int | None = None  # until then, what ends may have begun before a stall

    @property
    def is_between(self) -> bool:
        """Say whether no scan is arriving."""
        return not (self._pending or self._is_skipping or self._is_spoiled)

    def is_half(self, at_ms: int) -> bool:
        """Say whether what comes next may be the rest of something whose beginning came."""
        return not self.is_between or (self._tail_until_ms is not None and at_ms < self._tail_until_ms)

    @property
    def due_at_ms(self) -> int | None:
        """When `idle` will have something to do, should nothing come until then; None while nothing is pending."""
        is_waiting = not self.is_between or self._is_doubtful
        return self._fed_at_ms + self._timeout_ms if is_waiting else None

    def feed(self, data: bytes, at_ms: int) -> list[Piece]:
        """Take bytes as they were read; return the scans they complete."""
        terminator = self._terminator
        if (
            terminator is not None
            and not self._pending
            and not self._is_troubled
            and self._is_one_scan(data, terminator)
        ):
            self._fed_at_ms = at_ms  # the usual read: one whole scan, by itself
            self._may_follow = bool(terminator.behind)
            return [Piece(data[:-1])]
        if self._terminator is None and self._pending and at_ms - self._fed_at_ms >= self._timeout_ms:
            self._is_doubtful = True  # the reader was late: was there a pause in between, or only a slow reader?
        self._fed_at_ms = at_ms
        if self._tail_until_ms is not None and at_ms >= self._tail_until_ms and not self._pending:
            self._tail_until_ms = None
        self._pending += data
        pieces: list[Piece] = []
        while (payload := self._split()) is not None:
            was_skipping, self._is_skipping = self._is_skipping, False
            if not was_skipping and (payload or self._is_spoiled):
                pieces.append(self._judge(payload))
            self._is_spoiled, self._tail_until_ms = False, None
        if self._is_skipping:
            self._forget_skipped()
        elif len(self._pending) - self._held_back() > self._bytes_max:
            pieces.append(self._judge(bytes(self._pending)))
            self._is_skipping = True
            self._forget_skipped()
        return pieces

    def idle(self, at_ms: int) -> list[Piece]:
        """Say that nothing came until now; return the scan that a pause ends, or the half one that it leaves."""
        due_at_ms = self.due_at_ms
        if due_at_ms is None or at_ms < due_at_ms:
            return []
        is_whole = self._terminator is None and not self._is_doubtful
        if self._terminator is not None and (self._pending or self._is_skipping):
            self._tail_until_ms = at_ms + TAIL_MS_MAX
        return self._end(None if is_whole else ScanFault.INCOMPLETE)

    def hang_up(self) -> list[Piece]:
        """Say that the device is gone; return the scan that it took with it."""
        self._may_follow, self._tail_until_ms = False, None
        return self._end(ScanFault.CUT)

    def spoil(self, at_ms: int) -> list[Piece]:
        """Say that a byte came damaged here: what is arriving is refused, at its end."""
        self._is_spoiled = not self._is_skipping
        self._fed_at_ms = at_ms
        return []

    def join_late(self, at_ms: int) -> None:
        """Say that the line was already sending when reading began: what ends first may have begun before."""
        if self._terminator is None:
            self._is_doubtful = True
            self._fed_at_ms = at_ms
        else:
            self._tail_until_ms = at_ms + TAIL_MS_MAX

    def lose_track(self) -> None:
        """Say that reading pauses: where only a pause ends a scan, what waits to be read is not to be trusted."""
        self._is_doubtful = self._terminator is None

    @property
    def _is_troubled(self) -> bool:
        return self._is_skipping or self._is_spoiled or self._tail_until_ms is not None

    def _is_one_scan(self, data: bytes, terminator: _Terminator) -> bool:
        return (
            1 < len(data) <= self._bytes_max
            and len(terminator.mark) == 1
            and data.find(terminator.mark) == len(data) - 1
            and not (self._may_follow and data.startswith(terminator.behind))
            and not (terminator.before and data.endswith(terminator.before + terminator.mark))
        )

    def _split(self) -> bytes | None:
        """Take the pending bytes up to the next terminator; None while there is none."""
        terminator = self._terminator
        if terminator is None or not self._pending:
            return None
        if self._may_follow:
            self._may_follow = False
            if self._pending.startswith(terminator.behind):
                del self._pending[: len(terminator.behind)]
        end = self._pending.find(terminator.mark)
        if end < 0:
            return None
        payload = bytes(self._pending[:end])
        del self._pending[: end + len(terminator.mark)]
        self._may_follow = bool(terminator.behind)
        return payload.removesuffix(terminator.before)

    def _held_back(self) -> int:
        """Return how many of the last bytes may yet turn out to be part of a terminator."""
        if self._terminator is None:
            return 0
        start = self._terminator.before + self._terminator.mark[:-1]
        return len(start) if start and self._pending.endswith(start) else 0

    def _forget_skipped(self) -> None:
        del self._pending[: len(self._pending) - self._held_back()]

    def _judge(self, payload: bytes) -> Piece:
        if self._is_spoiled:
            return Piece(payload[: self._bytes_max], ScanFault.DAMAGED)
        if len(payload) > self._bytes_max:
            return Piece(payload[: self._bytes_max], ScanFault.OVER_LONG)
        return Piece(payload, None if self._tail_until_ms is None else ScanFault.INCOMPLETE)

    def _end(self, fault: ScanFault | None) -> list[Piece]:
        """Give up what is pending, once."""
        payload, was_skipping = bytes(self._pending[: self._bytes_max]), self._is_skipping
        if self._is_spoiled:
            fault = ScanFault.DAMAGED
        is_nothing = was_skipping or not (payload or self._is_spoiled)
        self._pending.clear()
        self._is_skipping = self._is_doubtful = self._is_spoiled = False
        return [] if is_nothing else [Piece(payload, fault)]
