"""Which codes in sight are new: a camera sees a code in every picture, and several codes at once. Time is an argument.

The law: the same code is new again only once it was out of sight for the interval, whatever else was seen meanwhile; a
code that is refused is refused once, too.
"""

from agent.core.reading.piece import Piece

REMEMBERED_MAX = 64  # codes; the one out of sight longest is forgotten first


class Sightings:
    """What one camera has in sight. interval_ms 0: every sight is new."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._last_at_ms = dict[Piece, int]()  # in the order of the last sight

    def new(self, pieces: list[Piece], at_ms: int) -> list[Piece]:
        """Return those that were not in sight before."""
        found = list[Piece]()
        for piece in pieces:
            last_at_ms = self._last_at_ms.pop(piece, None)
            self._last_at_ms[piece] = at_ms
            if len(self._last_at_ms) > REMEMBERED_MAX:
                del self._last_at_ms[next(iter(self._last_at_ms))]
            if last_at_ms is None or at_ms - last_at_ms >= self._interval_ms:
                found.append(piece)
        return found
