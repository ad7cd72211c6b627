"""CBOR as other people's issuers write it (RFC 8949 §3): heads of any length, keys in any order, indefinite lengths.

The law: one value and nothing behind it, no key twice in a map, at most DEPTH_MAX deep. Of all tags only those of dates
are taken (0, 1: RFC 8949 §3.4; 100, 1004: RFC 8943), and they change nothing: the date stays the text or number it is.
What is signed is never encoded again from what was read here. cbor.py is for formats of our own.
"""

import io
from typing import NoReturn

import cbor2

DEPTH_MAX = 16
_DATES = (0, 1, 100, 1004)
_KEYS = frozenset({int, str})


class ForeignCborInvalid(ValueError):
    """The bytes are not such CBOR; the message says why, without the content."""


class _DatesAlone(dict[int, object]):
    """A decoder for every tag there is: dates are kept as they are written, anything else is refused."""

    def __missing__(self, tag: int) -> object:
        return _refuse_tag


def _refuse_tag(value: object, immutable: bool) -> NoReturn:
    raise ForeignCborInvalid("a tag that is not a date's")


def _keep(value: object, immutable: bool) -> object:
    return value


_TAGS = _DatesAlone(dict.fromkeys(_DATES, _keep))


def decode(data: bytes) -> object:
    """Return the value. Raises ForeignCborInvalid.

    Types must be compared exactly by whoever reads it: in Python True == 1 == 1.0, as map keys, too.
    """
    stream = io.BytesIO(data)
    try:
        value: object = cbor2.load(
            stream,
            semantic_decoders=_TAGS,  # type: ignore[arg-type]
            max_depth=DEPTH_MAX,
            allow_duplicate_keys=False,
        )
    except cbor2.CBORDecodeError as error:
        raise ForeignCborInvalid("not CBOR, or with a key twice, foreign tags or deep nesting") from error
    if stream.tell() != len(data):
        raise ForeignCborInvalid("bytes behind it")
    return value


def decode_map(data: bytes) -> dict[int | str, object]:
    """Return a map whose keys are whole numbers and texts (RFC 8392 §1.1, claim keys). Raises ForeignCborInvalid."""
    value = decode(data)
    if not is_map(value):
        raise ForeignCborInvalid("not a map with numbers or texts for keys")
    return value  # type: ignore[return-value]


def is_map(value: object) -> bool:
    """Say whether it is a map whose own keys are whole numbers and texts."""
    return isinstance(value, dict) and _KEYS.issuperset(map(type, value))
