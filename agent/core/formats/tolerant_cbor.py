"""CBOR as other people's issuers write it (RFC 8949 §3): heads of any length, keys in any order, indefinite lengths.

The law: one value and nothing behind it, no key twice in a map, at most DEPTH_MAX deep. Of all tags only those of dates
are taken (0, 1: RFC 8949 §3.4; 100, 1004: RFC 8943), and they change nothing: the date stays the text or number it is.
What is signed is never encoded again from what was read here. cbor.py is for formats of our own.
"""

from typing import NoReturn

import cbor2

DEPTH_MAX = 16
_DATES = (0, 1, 100, 1004)
_KEYS = frozenset({int, str})

# A list of two is decoded, of the bytes and this number. Where it comes back, the bytes were one value to their end:
# the number has this one encoding, which stands nowhere else, for nine bytes that do not overlap with themselves.
_PAIR, _END, _END_NUMBER = b"\x82", b"\x1b\xc5\x9d\xb3\x8e\xe1\xa6\xf7\x95", 0xC59D_B38E_E1A6_F795
_OF_END = 0xF7  # one of its bytes, which is in no UTF-8: to look for a single byte is far cheaper


class ForeignCborInvalid(ValueError):
    """The bytes are not such CBOR; the message says why, without the content."""


class _DatesAlone(dict[int, object]):
    """A decoder for every tag there is: dates are kept as they are written, anything else is refused."""

    def __missing__(self, tag: int) -> object:
        return _refuse_tag


def _refuse_tag(value: object, immutable: bool) -> NoReturn:
    raise ForeignCborInvalid("a tag that is not a date's")


def _keep(value: object, immutable: bool) -> object:
    if value == _END_NUMBER:  # the head of a tag behind the value has taken the end for a date
        raise ForeignCborInvalid("bytes behind it")
    return value


_TAGS = _DatesAlone(dict.fromkeys(_DATES, _keep))


def decode(data: bytes) -> object:
    """Return the value. Raises ForeignCborInvalid.

    Types must be compared exactly by whoever reads it: in Python True == 1 == 1.0, as map keys, too.
    """
    if _OF_END in data and _END in data:
        raise ForeignCborInvalid("nine bytes that nobody writes by chance")
    try:
        value, end = cbor2.loads(
            _PAIR + data + _END,
            semantic_decoders=_TAGS,  # type: ignore[arg-type]
            max_depth=DEPTH_MAX + 1,
            allow_duplicate_keys=False,
        )
    except cbor2.CBORDecodeError as error:
        raise ForeignCborInvalid("not CBOR, or with a key twice, foreign tags or deep nesting") from error
    if end != _END_NUMBER:
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
    if type(value) is not dict:
        return False
    for key in value:  # noqa: SIM110  # half the time of all()
        if type(key) not in _KEYS:
            return False
    return True
