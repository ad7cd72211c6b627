r"""Hospital cards 就诊卡: numbers of a site's own, told by patterns in its configuration. Tried last; no proof.

The law: a pattern cannot take time. It is a small part of regular expressions in which a text fits in one way or none:
characters, \d, classes like [A-Z0-9], each perhaps repeated {n} times, one of them {n,m} times or "?".

Verification:

1. Unverifiable. The platform could settle whose card it is.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.core.codes import insurance, payments
from agent.core.codes.family import Family
from agent.core.codes.unsigned import unverifiable
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Code, Trace, Verdict

NAME = "hospital-card"
PATTERNS_MAX = 16
PATTERN_CHARACTERS_MAX = 128
CARD_CHARACTERS_MIN, CARD_CHARACTERS_MAX = 4, 64
_DIGITS = frozenset("0123456789")
_PLAIN = re.compile(r"[A-Za-z0-9 !\"#%&',/:;<=>@_`~-]")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])", re.ASCII)
_CLASS = re.compile(r"\[((?:[A-Za-z0-9 _./:-]|\\d)+)\]")
_CLASS_PART = re.compile(r"\\d|(.)(?:-(.))?")
_CLASS_RANGE_OF_MANY = re.compile(r"\\d-.|.-\\d")  # other readers of expressions take the hyphen for a range's
_REPEAT = re.compile(r"\?|\{(\d{1,2})(?:,(\d{1,2}))?\}", re.ASCII)


class PatternInvalid(ValueError):
    """A pattern cannot be used; the message says what in it, and what can be written instead."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One place of a pattern: which characters, how often."""

    characters: frozenset[str]
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern, read. At most one of its parts varies in length, so each length is spelt out in one way."""

    source: str
    parts: tuple[_Part, ...]

    @property
    def least(self) -> int:
        """How many characters the shortest text has."""
        return sum(part.least for part in self.parts)

    @property
    def most(self) -> int:
        """How many characters the longest text has."""
        return sum(part.most for part in self.parts)

    def places(self, length: int) -> list[frozenset[str]]:
        """Return for each place of a text of this length which characters fit. Raises ValueError for another length."""
        if not self.least <= length <= self.most:
            raise ValueError("no text of this pattern is so long")
        more = length - self.least
        return [p.characters for p in self.parts for _ in range(p.least + (more if p.most > p.least else 0))]

    def meets(self, other: "Pattern") -> bool:
        """Say whether some text fits both."""
        lengths = range(max(self.least, other.least), min(self.most, other.most) + 1)
        return any(all(a & b for a, b in zip(self.places(n), other.places(n), strict=True)) for n in lengths)

    def expression(self, length: int) -> str:
        """Return it for `re`, for texts of one length, so that there is nothing to try twice."""
        more = length - self.least
        return "".join(
            f"[{''.join(map(re.escape, sorted(part.characters)))}]{{{part.least + more * (part.most > part.least)}}}"
            for part in self.parts
        )


class CardPatterns:
    """A site's patterns, ready to be tried; none of them: nothing is a hospital card."""

    def __init__(self, patterns: Iterable[Pattern] = ()) -> None:
        self.patterns = tuple(patterns)
        self._by_length = {
            length: re.compile("|".join(p.expression(length) for p in self.patterns if p.least <= length <= p.most))
            for length in {length for p in self.patterns for length in range(p.least, p.most + 1)}
        }

    def recognise(self, text: str) -> Code | None:
        """Recognise a text that one of the patterns fits as a whole."""
        fits = self._by_length.get(len(text))
        return Code(NAME, text) if fits is not None and fits.fullmatch(text) else None


NO_CARDS = CardPatterns()


def read_patterns(sources: Iterable[str]) -> CardPatterns:
    """Return the patterns of a configuration. Raises PatternInvalid."""
    sources = tuple(sources)
    if len(sources) > PATTERNS_MAX:
        raise PatternInvalid(f"{len(sources)} patterns; at most {PATTERNS_MAX} are taken")
    return CardPatterns(read_pattern(source) for source in sources)


def read_pattern(source: str) -> Pattern:
    """Return a pattern. Raises PatternInvalid."""
    if len(source) > PATTERN_CHARACTERS_MAX:
        raise PatternInvalid(f"a pattern of {len(source)} characters; at most {PATTERN_CHARACTERS_MAX} are read")
    pattern = Pattern(source, tuple(_parts(source)))
    if sum(part.least != part.most for part in pattern.parts) > 1:
        raise PatternInvalid(f"{source!r}: only one part may vary in length; write a pattern for each case")
    if pattern.least < CARD_CHARACTERS_MIN or pattern.most > CARD_CHARACTERS_MAX:
        raise PatternInvalid(
            f"{source!r}: fits texts of {pattern.least} to {pattern.most} characters; a card's number has "
            f"{CARD_CHARACTERS_MIN} to {CARD_CHARACTERS_MAX}"
        )
    return pattern


def overlapped(patterns: CardPatterns) -> Iterator[tuple[str, str]]:
    """Yield each pattern that some text of another family fits too, with that family: it takes such texts first."""
    for pattern in patterns.patterns:
        for family, sources in FIXED_SHAPES.items():
            if any(pattern.meets(read_pattern(source)) for source in sources):
                yield pattern.source, family


def _parts(source: str) -> Iterator[_Part]:
    at = 0
    while at < len(source):
        characters, at = _characters(source, at)
        least = most = 1
        if (repeat := _REPEAT.match(source, at)) is not None:
            at = repeat.end()
            least = int(repeat[1] or 0)
            most = int(repeat[2] or repeat[1] or 1)
            if most < least or most == 0:
                raise PatternInvalid(f"{source!r}: {repeat[0]} repeats nothing: write {{n}} or {{n,m}} with n up to m")
        yield _Part(characters, least, most)


def _characters(source: str, at: int) -> tuple[frozenset[str], int]:
    if source.startswith("\\d", at):
        return _DIGITS, at + 2
    if (plain := _PLAIN.match(source, at)) is not None:
        return frozenset(plain[0]), plain.end()
    if (escaped := _ESCAPED.match(source, at)) is not None and escaped[1].isascii() and escaped[1].isprintable():
        return frozenset(escaped[1]), escaped.end()
    if (class_ := _CLASS.match(source, at)) is not None:
        return _members(source, class_[1]), class_.end()
    raise PatternInvalid(
        f"{source!r}: {source[at : at + 8]!r} is not taken: a pattern is of characters, \\d and classes like [A-Z0-9], "
        "each perhaps with {n}, one with {n,m} or ?; the whole code must fit, so leave out ^ and $"
    )


def _members(source: str, inside: str) -> frozenset[str]:
    found = set[str]()
    if (many := _CLASS_RANGE_OF_MANY.search(inside)) is not None:
        raise PatternInvalid(
            f"{source!r}: {many[0]} is no range: write a hyphen that is meant first or last in its class"
        )
    for part in _CLASS_PART.finditer(inside):
        if part[0] == "\\d":
            found |= _DIGITS
            continue
        first, last = part[1], part[2] or part[1]
        if part[2] is not None and not any(
            f"{first}{last}".isalnum() and low <= first <= last <= high for low, high in ("09", "AZ", "az")
        ):
            raise PatternInvalid(f"{source!r}: {part[0]} is no range: write 0-9, A-Z, a-z or a part of one of them")
        found |= {chr(code) for code in range(ord(first), ord(last) + 1)}
    return frozenset(found)


def _digits(prefix: str, least: int, most: int) -> str:
    return rf"{prefix}\d{{{least - len(prefix)},{most - len(prefix)}}}"


FIXED_SHAPES: dict[str, tuple[str, ...]] = {
    "national": ("[0-9A-Fa-f]{64}",),
    "insurance": (_digits(insurance.PREFIX, insurance.DIGITS, insurance.DIGITS),),
    "resident-id": (r"[1-9]\d{16}[\dXx]",),
    **{
        name: tuple(_digits(prefix, shape.digits_min, shape.digits_max) for prefix in sorted(shape.prefixes))
        for name, shape in payments.SHAPES.items()
    },
    "drug-trace": (r"8\d{19}",),
    "gs1": (r"01\d{14,46}", r"00\d{18}"),  # up to the 48 characters of a GS1-128
}
"""What families of digits look like, in the same words: it can be decided which of them a card could be taken for."""


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise nothing: what a card looks like is the site's to say (recognition.py tries its patterns last)."""
    return None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring."""
    # 1
    return unverifiable(NAME, code.text, trace, saw="fits a pattern of this site", needs_online=True)


FAMILY = Family(NAME, recognise, verify)
