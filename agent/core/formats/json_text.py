"""Strict JSON (RFC 8259): one value, valid UTF-8 without a byte order mark, no name twice, nothing behind it.

NaN and infinities are not JSON; a number no binary64 holds is refused, whole numbers stay whole.
"""

import json
from typing import Any, NoReturn

import msgspec

_DECODER, _ENCODER = msgspec.json.Decoder(), msgspec.json.Encoder()  # made once: a fifth less time for each text


class JsonInvalid(ValueError):
    """The bytes are not such JSON; the message says why, without the content."""


def decode_object(data: bytes) -> dict[str, Any]:
    """Return the object. Raises JsonInvalid.

    msgspec keeps the last of two equal names. What it writes again byte for byte had none; all else (spaces, escapes,
    other ways to write a number) is read once more, slowly, by a parser that sees every name.
    """
    try:
        value = _DECODER.decode(data)
        is_as_written = _ENCODER.encode(value) == data
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise JsonInvalid("not JSON") from error
    except RecursionError as error:
        raise JsonInvalid("nested too deeply") from error
    if not isinstance(value, dict):
        raise JsonInvalid("not an object")
    if is_as_written:
        return value
    del value  # what was scanned may be large: never twice in memory
    _require_each_name_once(data)
    found: dict[str, Any] = _DECODER.decode(data)
    return found


def _require_each_name_once(data: bytes) -> None:
    try:
        json.loads(data, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise JsonInvalid("nested too deeply") from error
    except JsonInvalid:
        raise
    except ValueError as error:
        raise JsonInvalid("not JSON") from error


def _once(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise JsonInvalid("a name twice in one object")


def _refuse_constant(name: str) -> NoReturn:
    raise JsonInvalid("NaN or an infinity")
