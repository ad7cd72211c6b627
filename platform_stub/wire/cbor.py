"""Deterministic CBOR (RFC 8949 §4.2.1), as the wire wants it: no tags, no second way to write the same thing.

The law: `decode` raises CborInvalid on anything but the one right encoding. What the value means is left to the caller.
The only tag of the wire is 18, one byte that cose.py takes off itself; no field of the wire is a float.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import cbor2

DEPTH_MAX = 8


class CborInvalid(Exception):
    """Not deterministic CBOR."""


class _NoTags(dict[int, Callable[..., Any]]):
    """Refuses every tag before its content is interpreted: a bigfloat of ten bytes can ask for gigabytes."""

    def __missing__(self, tag: int) -> Callable[..., Any]:
        return _refuse


def _refuse(*_: object) -> NoReturn:
    raise CborInvalid("a tag where none belongs")


_NO_TAGS = _NoTags()


def _rank(key: int) -> tuple[bool, int]:
    """Order integer keys by the bytes of their encoding: 0, 1, 2, and then -1, -2 (cbor2's own order is by length)."""
    return key < 0, abs(key)


def _is_sorted(value: dict[Any, Any]) -> bool:
    keys = list(value)
    if not all(type(key) is int for key in keys):
        raise CborInvalid("a map with other keys than integers")
    if keys and keys[0] >= 0 and keys[-1] >= 0:
        return keys == sorted(keys)  # the common case, and quick
    return keys == sorted(keys, key=_rank)


def encode(value: object) -> bytes:
    """Return the deterministic encoding. Maps have integer keys; only the outermost value may be one with content."""
    if type(value) is dict:
        value = {key: value[key] for key in sorted(value, key=_rank)}
    return cbor2.dumps(value)


def decode(data: bytes) -> Any:
    """Return the value. Raises CborInvalid, also for trailing bytes, indefinite lengths and duplicate keys."""
    try:
        value = cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,
            max_depth=DEPTH_MAX,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORDecodeError, TypeError) as error:  # TypeError: a map as the key of a map
        raise CborInvalid("not CBOR") from error
    try:
        # Plain encoding keeps a map's order and costs half of the sorting one. No message nests a map with content.
        if cbor2.dumps(value) != data or (type(value) is dict and not _is_sorted(value)):
            raise CborInvalid("not the deterministic encoding")
    except (cbor2.CBOREncodeError, TypeError) as error:
        raise CborInvalid("not a value of the wire") from error
    return value
