"""What stands behind `shc:/`: the digits of a compact JWS, whole or in parts `n/N/`, and the gathering of parts.

Two digits are one character, its ordinal less 45 (SMART Health Cards Framework, "Encoding QRs"). The law: parts come in
any order; a set is whole once each of its N parts is there, and nothing says that they belong together but the
signature over the whole. Time is an argument; who is told what is missing is the checkpoint's business.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.core.codes.family import Refused
from agent.core.scan import Scan

PREFIX = "shc:/"
PARTS_MAX = 16
PARTS_WAIT_MS_MAX = 60_000  # from the last part; people turn a page or swipe between two codes
SETS_MAX = 64  # at one time, one for each scanner
WHOLE_CHARACTERS_MAX = 8_192  # a JWS; the longest known has 3,285

_NUMBER = re.compile(r"[1-9][0-9]?")
_BAD = 0
_CHARACTERS = bytes(
    45 + 10 * (pair >> 4) + (pair & 15) if pair & 15 <= 9 and pair >> 4 <= 9 and 10 * (pair >> 4) + (pair & 15) <= 77
    else _BAD
    for pair in range(256)
)  # fmt: skip


class Part(NamedTuple):
    """One code of a card: its number of `total`, and the characters it holds."""

    number: int
    total: int
    characters: bytes


def characters_of(digits: str) -> bytes:
    """Return what digits say, two by two. Raises Refused."""
    try:  # read as the two halves of a byte: far faster than one by one
        found = bytes.fromhex(digits).translate(_CHARACTERS)
    except ValueError as error:
        raise Refused("decode.digits", detail="an odd number of digits, or other characters") from error
    if 2 * len(found) != len(digits) or _BAD in found:  # fromhex passes over spaces
        raise Refused("decode.digits", detail="a pair of digits above 77, or other characters")
    return found


def read_part(text: str) -> Part:
    """Return what one code says; one that is whole is part 1 of 1. Raises Refused."""
    if not text.startswith(PREFIX):
        raise Refused("decode.parts", detail=f"it does not begin with {PREFIX}")
    number, total, digits = 1, 1, text[len(PREFIX) :]
    if "/" in digits:
        fields = digits.split("/", 3)
        if len(fields) != 3 or not (_NUMBER.fullmatch(fields[0]) and _NUMBER.fullmatch(fields[1])):
            raise Refused("decode.parts", detail="not shc:/n/N/ and digits")
        number, total, digits = int(fields[0]), int(fields[1]), fields[2]
        if not number <= total <= PARTS_MAX:
            raise Refused("decode.parts", detail=f"a part that is not one of at most {PARTS_MAX}")
    return Part(number, total, characters_of(digits))


def parts_of(text: str) -> int:
    """Return how many codes a card has that this one is of: 1 where it is no part."""
    part = _part_of_several(text)
    return 1 if part is None else part.total


def join(parts: Sequence[Part]) -> bytes:
    """Return the characters of a whole set. Raises Refused where one is missing, or two do not fit together."""
    total, found = parts[0].total, dict[int, bytes]()
    for part in parts:
        if part.total != total or found.setdefault(part.number, part.characters) != part.characters:
            raise Refused("decode.parts", detail="parts of different cards")
    if len(found) != total:
        raise Refused("decode.parts-missing", detail=f"{len(found)} of {total} parts")
    return b"".join(found[number] for number in range(1, total + 1))


@dataclass(slots=True)
class _Set:
    """The parts of one card, as far as one scanner read them. texts: by number, as scanned."""

    total: int
    step: str
    scan: Scan
    texts: dict[int, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a part.

    texts: all parts once none is missing, else empty. missing: numbers. given_up: the last scan of each set that ended
    without being whole, with its step: to be judged as it is, and refused.
    """

    total: int
    texts: tuple[str, ...] = field(default=(), repr=False)
    missing: tuple[int, ...] = ()
    given_up: tuple[tuple[Scan, str], ...] = ()


class Parts:
    """Gathers the parts that scanners read, one card at a time for each of them.

    A part that cannot be of the card begun (another count, the same number with other content) begins anew. Other codes
    in between change nothing: a camera may see a whole sheet of them.
    """

    def __init__(self) -> None:
        self._sets = dict[str, _Set]()  # by scanner, the one with the oldest last part first

    def take(self, scan: Scan, step: str, text: str) -> Taken | None:
        """Take what a scanner read for a step; None where it is no part of several, and nothing to wait for."""
        part = _part_of_several(text)
        if part is None:
            return None
        given_up = self.overdue(scan.at.raw_ms)
        begun = self._sets.pop(scan.scanner, None)
        if begun is not None and (begun.total != part.total or begun.texts.get(part.number, text) != text):
            given_up.append((begun.scan, begun.step))
            begun = None
        if begun is None:
            begun = _Set(part.total, step, scan)
        begun.scan, begun.step = scan, step
        begun.texts[part.number] = text
        missing = tuple(number for number in range(1, part.total + 1) if number not in begun.texts)
        if not missing:
            return Taken(part.total, tuple(begun.texts.values()), given_up=tuple(given_up))
        if len(self._sets) >= SETS_MAX:
            oldest = self._sets.pop(next(iter(self._sets)))
            given_up.append((oldest.scan, oldest.step))
        self._sets[scan.scanner] = begun
        return Taken(part.total, missing=missing, given_up=tuple(given_up))

    def overdue(self, raw_ms: int) -> list[tuple[Scan, str]]:
        """Give up the sets whose missing parts did not come in time; return the last scan of each with its step."""
        gone = [name for name, begun in self._sets.items() if raw_ms - begun.scan.at.raw_ms > PARTS_WAIT_MS_MAX]
        ended = [self._sets.pop(name) for name in gone]
        return [(begun.scan, begun.step) for begun in ended]


def _part_of_several(text: str) -> Part | None:
    try:
        part = read_part(text)
    except Refused:
        return None  # it is refused at once, for what it is
    return part if part.total > 1 else None
