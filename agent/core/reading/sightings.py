"""Which codes seen in pictures are certain. Time is an argument.

The law: a kind of code that a blurred picture can misread passes only when two looks agree and none disagrees.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.core.reading.piece import Piece
from agent.core.reading.symbologies import Symbology

RAW = "raw"
WINDOW_MS = 2_000  # how long a sighting counts; also how long what is in sight is not said again when it is faulty
KEPT_MAX = 32  # different codes in sight; a picture full of codes is no code held up by a hand

CERTAIN_AT_ONCE = frozenset(
    {Symbology.QR, Symbology.MICRO_QR, Symbology.DATA_MATRIX, Symbology.AZTEC, Symbology.MAXICODE}
)
"""Kinds whose error correction also detects. PDF417's does not always: blurred pictures of it were read wrongly."""


class Box(NamedTuple):
    """Where a code is, in pixels of the whole picture."""

    left: int
    top: int
    right: int
    bottom: int

    def overlaps(self, other: "Box") -> bool:
        """Say whether two codes are at the same place."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class Sighting(NamedTuple):
    """One code as one look at one picture gave it. look: how the picture was treated, RAW if not at all."""

    piece: Piece
    symbology: Symbology
    box: Box
    look: str


@dataclass(slots=True)
class _Seen:
    """What is known of one code: when it was last in sight, where, in how many pictures, by which looks."""

    at_ms: int
    box: Box
    pictures: int = 0
    looks: set[str] = field(default_factory=set)


class Sightings:
    """Remembers what one camera saw lately. Times are milliseconds of a clock that does not step."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Symbology, Piece], _Seen] = {}

    def certain(self, sightings: Iterable[Sighting], at_ms: int) -> list[Piece]:
        """Take what one picture gave; return what is certain in it, each once. A faulty piece is said once in sight."""
        self._forget(at_ms)
        certain: list[Piece] = []
        for key, (box, looks) in _together(sightings).items():
            seen = self._seen.get(key)
            is_new = seen is None
            if seen is None:
                if len(self._seen) >= KEPT_MAX:
                    continue
                seen = self._seen[key] = _Seen(at_ms, box)
            seen.at_ms, seen.box, seen.pictures = at_ms, box, seen.pictures + 1
            seen.looks |= looks
            if key[1].fault is not None and not is_new:
                continue
            if key[0] in CERTAIN_AT_ONCE or (self._is_agreed(seen) and not self._is_contested(key, seen)):
                certain.append(key[1])
        return certain

    def _forget(self, at_ms: int) -> None:
        for key in [key for key, seen in self._seen.items() if at_ms - seen.at_ms >= WINDOW_MS]:
            del self._seen[key]

    def _is_agreed(self, seen: _Seen) -> bool:
        # The same treatment of the same blur misreads the same way however often: it is one witness.
        return seen.pictures >= 2 and (RAW in seen.looks or len(seen.looks) >= 2)

    def _is_contested(self, key: tuple[Symbology, Piece], seen: _Seen) -> bool:
        return any(
            other is not seen and symbology not in CERTAIN_AT_ONCE and other.box.overlaps(seen.box)
            for (symbology, _), other in self._seen.items()
        )


def agreed(sightings: Iterable[Sighting]) -> list[Piece]:
    """Return what is certain in many looks at one still picture, which has no second frame: the looks must agree."""
    seen = _together(sightings)
    certain = []
    for (symbology, piece), (box, looks) in seen.items():
        is_contested = any(
            other != (symbology, piece) and other[0] not in CERTAIN_AT_ONCE and place.overlaps(box)
            for other, (place, _) in seen.items()
        )
        if symbology in CERTAIN_AT_ONCE or (not is_contested and (RAW in looks or len(looks) >= 2)):
            certain.append(piece)
    return certain


def _together(sightings: Iterable[Sighting]) -> dict[tuple[Symbology, Piece], tuple[Box, set[str]]]:
    """Put together what the looks at one picture saw, by code."""
    together: dict[tuple[Symbology, Piece], tuple[Box, set[str]]] = {}
    for sighting in sightings:
        _, looks = together.setdefault((sighting.symbology, sighting.piece), (sighting.box, set()))
        looks.add(sighting.look)
    return together
