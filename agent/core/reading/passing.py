"""Which scans of a scanner pass: the same code in sight is one scan, a flood is cut and told. Time is an argument.

The law: what does not pass is counted, and what was dropped in a flood is new when it is shown again.
"""

from agent.core.reading.in_sight import InSight
from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile
from agent.core.scan import ScanFault

BURST_SCANS_MAX = 64  # a backlog of a stalled machine; no hand makes more at once
IN_SIGHT_MAX = 8  # codes that lie before one scanner at once; beyond, the one longest unseen is new again
CALM_S = 2.0  # a flood is over after at most so much silence
FLOOD_TOLD_MS = 10_000  # while a flood lasts, whoever comes to the scanner is told within this time


class Gate:
    """What every scanner's pieces go through, in order. Times are milliseconds of any one clock that does not step.

    repeats: codes still in sight, dropped: scans lost to floods; neither was passed. For the status.
    """

    def __init__(self, profile: Profile) -> None:
        self._per_s = profile.scans_per_s_max
        self._burst = max(BURST_SCANS_MAX, profile.scans_per_s_max)
        self._room = float(self._burst)
        self._calm_room = min(self._burst / 2, CALM_S * profile.scans_per_s_max)
        self._filled_at_ms: int | None = None
        self._in_sight = InSight(profile.same_code_interval_ms, IN_SIGHT_MAX)
        self._flood_told_at_ms: int | None = None  # None: there is none
        self.repeats = 0
        self.dropped = 0

    def passes(self, piece: Piece, at_ms: int) -> Piece | None:
        """Return the piece, a flood's fault in its place, or None where it is nothing new."""
        if self._in_sight.sees_again(piece, at_ms):
            self.repeats += 1
            return None
        self._fill(at_ms)
        has_room = self._room >= 1
        # What is dropped takes its room too: the flood is over when less comes than a hand makes, and not before.
        self._room = max(0.0, self._room - 1)
        if self._flood_told_at_ms is not None and self._room >= self._calm_room:
            self._flood_told_at_ms = None
        if has_room and self._flood_told_at_ms is None:
            if piece.fault is None:
                self._in_sight.add(piece, at_ms)
            return piece
        self.dropped += 1
        if self._flood_told_at_ms is not None and at_ms - self._flood_told_at_ms < FLOOD_TOLD_MS:
            return None
        self._flood_told_at_ms = at_ms
        return Piece(b"", ScanFault.FLOOD)

    def _fill(self, at_ms: int) -> None:
        before_ms, self._filled_at_ms = self._filled_at_ms, at_ms
        if before_ms is not None and at_ms > before_ms:
            self._room = min(self._burst, self._room + (at_ms - before_ms) * self._per_s / 1000)
