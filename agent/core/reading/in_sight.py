"""Which codes are still in sight: a scanner reads a code again and again, and several in turn. Time is an argument.

The law: the same code is new again only once it was out of sight for the interval, whatever else was seen meanwhile.
"""

from agent.core.reading.piece import Piece

REMEMBERED_MAX = 64  # codes; the one out of sight longest is forgotten first


class InSight:
    """What one scanner has in sight. interval_ms 0: every sight is new."""

    def __init__(self, interval_ms: int, remembered_max: int = REMEMBERED_MAX) -> None:
        self._interval_ms = interval_ms
        self._remembered_max = remembered_max
        self._last_at_ms = dict[Piece, int]()  # the longest unseen first

    def new(self, pieces: list[Piece], at_ms: int) -> list[Piece]:
        """Return those that were not in sight before: a code that is refused is new once, too."""
        found = list[Piece]()
        for piece in pieces:
            if not self.sees_again(piece, at_ms):
                self.add(piece, at_ms)
                found.append(piece)
        return found

    def sees_again(self, piece: Piece, at_ms: int) -> bool:
        """Say whether a code that is seen now was in sight, and stays so; forget who has gone."""
        while self._last_at_ms:
            longest_unseen = next(iter(self._last_at_ms))
            if at_ms - self._last_at_ms[longest_unseen] < self._interval_ms:
                break
            del self._last_at_ms[longest_unseen]
        if self._last_at_ms.pop(piece, None) is None:
            return False
        self._last_at_ms[piece] = at_ms
        return True

    def add(self, piece: Piece, at_ms: int) -> None:
        """Take note of a code that came into sight."""
        self._last_at_ms[piece] = at_ms
        if len(self._last_at_ms) > self._remembered_max:
            del self._last_at_ms[next(iter(self._last_at_ms))]
