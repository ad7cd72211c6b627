"""Deterministic CBOR (RFC 8949 §4.2.1), without tags: the only CBOR this agent believes.

The law: one value, one encoding. What decodes is encoded again and must give the same bytes, so non-minimal numbers and
trailing bytes cannot pass. Tags are never interpreted: cbor2 would build dates, regular expressions, big numbers and
shared references from them. Floats, and map keys other than integers, have no place in our formats; text keys stand in
the arguments of commands alone, whose reader asks for them.
"""

from collections.abc import Iterable
from typing import Any, NoReturn

import cbor2

DEPTH_MAX = 8
_LEAVES = frozenset({int, bytes, str, bool, type(None)})
_KEYS = frozenset({int})
_NEGATIVE = 2**64  # ranks negative keys above all others


class CborInvalid(ValueError):
    """The bytes are not deterministic CBOR of the agreed kind; the message says why, without the content."""


class _NoTags(dict[int, object]):
    """A decoder for every tag there is: it refuses."""

    def __missing__(self, tag: int) -> object:
        return _refuse_tag


def _refuse_tag(value: object, immutable: bool) -> NoReturn:
    raise CborInvalid("a tag")


_NO_TAGS = _NoTags()


def decode_deterministic(data: bytes, *, has_text_keys: bool = False) -> object:
    """Return the value: int, bytes, str, bool, None, list or dict with int keys. Raises CborInvalid.

    has_text_keys: maps whose keys are all text are taken, too.
    """
    try:
        value: object = cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,  # type: ignore[arg-type]
            max_depth=DEPTH_MAX,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except cbor2.CBORDecodeError as error:
        raise CborInvalid("not CBOR, or with tags, indefinite lengths, duplicate keys or deep nesting") from error
    if not _is_plain(value, has_text_keys):
        raise CborInvalid("a kind of value that is not agreed, or map keys out of order")
    if cbor2.dumps(value) != data:
        raise CborInvalid("not the shortest encoding, or bytes behind it")
    return value


def _is_plain(value: object, has_text_keys: bool) -> bool:
    """Say whether there are only agreed types, and map keys in bytewise order of their encodings (§4.2.1).

    Types are compared exactly: in Python True == 1, so the map key `true` would pass as 1.
    """
    items: Iterable[object]
    if isinstance(value, dict):
        if not _is_in_order(value, has_text_keys):
            return False
        items = value.values()
    elif isinstance(value, list):
        items = value
    else:
        return type(value) in _LEAVES
    return _LEAVES.issuperset(map(type, items)) or all(_is_plain(item, has_text_keys) for item in items)


def _is_in_order(value: dict[Any, object], has_text_keys: bool) -> bool:
    if _KEYS.issuperset(map(type, value)):
        ranks = [key if key >= 0 else _NEGATIVE - key for key in value]  # 0, 1, 2 … before -1, -2, -3 …
        return ranks == sorted(ranks)
    if not has_text_keys or any(type(key) is not str for key in value):
        return False
    encodings = [cbor2.dumps(key) for key in value]
    return encodings == sorted(encodings)


def byte_string(data: bytes) -> bytes:
    """Return the encoding of a byte string of at most 65,535 bytes (§3.1, major type 2)."""
    size = len(data)
    if size < 24:
        return b"%c%b" % (0x40 + size, data)
    if size < 256:
        return b"\x58%c%b" % (size, data)
    return b"\x59" + size.to_bytes(2, "big") + data


def read_byte_string(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the byte string encoded at `at`, and where it ends. Raises CborInvalid.

    As decode_deterministic would, for what is known to be a byte string of at most 65,535 bytes.
    """
    try:
        head = data[at]
        if head == 0x58:
            size, size_min, start = data[at + 1], 24, at + 2
        elif head == 0x59:
            size, size_min, start = data[at + 1] << 8 | data[at + 2], 256, at + 3
        else:
            size, size_min, start = head - 0x40, 0, at + 1
            if not 0 <= size < 24:
                raise CborInvalid("not a byte string")
    except IndexError as error:
        raise CborInvalid("cut short") from error
    end = start + size
    if size < size_min or end > len(data):
        raise CborInvalid("a byte string of another length than it says")
    return data[start:end], end
