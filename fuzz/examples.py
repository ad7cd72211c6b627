"""A text of real size for each family, all invented: what benchmarks measure and what mutation begins with.

A family without one fails a test.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.core.scan import Scan
from fuzz.ehc import family as ehc
from fuzz.judging import scan_of
from fuzz.signed import SignedFamily

_CARD = hashlib.sha256(b"an invented card of the fuzzer").hexdigest()

SIGNED: Mapping[str, SignedFamily] = {signed.name: signed for signed in (ehc(),)}


@dataclass(frozen=True, slots=True)
class Example:
    """A text, and the AIM id its scanner tells where the family goes by it."""

    text: str
    aim: str | None = None

    @property
    def scan(self) -> Scan:
        """Return it as a scanner gives it."""
        return scan_of(self.text.encode(), self.aim)


UNSIGNED: Mapping[str, tuple[Example, ...]] = {
    "national": tuple(Example(_CARD + tail) for tail in (f":0:{'5e' * 16}", ":1", ":1::4420", "")),
}

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    **{name: tuple(map(Example, family.texts)) for name, family in SIGNED.items()},
    **UNSIGNED,
}
_START_CHARACTERS = 12
_FILLS = (
    "0", "9", "A", "a", ":", "/", " ", "(", "[", "{", '{"a":', ".", "\x1d", "]d2", "%", "0:", "01", "药", "\x00", "\n",
)  # fmt: skip
_ENDS = ("", "!", "\n", "x", "药")


def adversarial(size: int) -> Iterator[str]:
    """Yield texts of about so many bytes that look like a family for as long as they can, and end otherwise."""
    texts = [example.text for examples in EXAMPLES.values() for example in examples]
    for start in ("", *dict.fromkeys(text[:_START_CHARACTERS] for text in texts)):
        for fill in _FILLS:
            body = (start + fill * size).encode()
            for end in _ENDS:
                yield body[: size - len(end.encode())].decode("utf-8", "ignore") + end
    for text in texts:
        yield (text * (size // len(text) + 1))[:size]
