"""Which scans of a scanner pass: the same code in sight is one scan, a flood is cut and told. Time is an argument."""

from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile
from agent.core.scan import ScanFault

BURST_SCANS_MAX = 64  # a backlog of a stalled machine; no hand makes more at once


class Gate:
    """What every scanner's pieces go through, in order. Times are milliseconds of any one clock that does not step.

    repeats, dropped: how many were not passed so far, for the status.
    """

    def __init__(self, profile: Profile) -> None:
        self._interval_ms = profile.same_code_interval_ms
        self._per_s = profile.scans_per_s_max
        self._burst = max(BURST_SCANS_MAX, profile.scans_per_s_max)
        self._room = float(self._burst)
        self._filled_at_ms: int | None = None
        self._last: tuple[Piece, int] | None = None
        self._is_flooded = False
        self.repeats = 0
        self.dropped = 0

    def passes(self, piece: Piece, at_ms: int) -> Piece | None:
        """Return the piece, a flood's fault in its place, or None where it is nothing new."""
        if piece.fault is None and self._interval_ms:
            last, self._last = self._last, (piece, at_ms)
            if last is not None and last[0] == piece and at_ms - last[1] < self._interval_ms:
                self.repeats += 1
                return None
        self._fill(at_ms)
        if self._is_flooded and self._room < self._burst / 2:
            self.dropped += 1
            return None
        self._is_flooded = self._room < 1
        if self._is_flooded:
            self.dropped += 1
            return Piece(b"", ScanFault.FLOOD)
        self._room -= 1
        return piece

    def _fill(self, at_ms: int) -> None:
        before_ms, self._filled_at_ms = self._filled_at_ms, at_ms
        if before_ms is not None and at_ms > before_ms:
            self._room = min(self._burst, self._room + (at_ms - before_ms) * self._per_s / 1000)
