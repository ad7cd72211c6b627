"""JSON in its one canonical form (RFC 8785), for values without floats: what a signature over JSON is made of.

The law: a value that two programs could write in two ways is refused, not guessed at: floats, whole numbers beyond
2^53 (RFC 7493 §2.2), text with halves of characters.
"""

import json

DEPTH_MAX = 16
_WHOLE_MAX = 2**53 - 1


class NotCanonical(ValueError):
    """The value has no form here that everybody writes alike; the message says why, without the content."""


def encode(value: object) -> bytes:
    """Return the canonical bytes of a value as json_text decodes it. Raises NotCanonical."""
    try:
        return json.dumps(_ordered(value, 0), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("half a character") from error


def _ordered(value: object, depth: int) -> object:
    """Return the same with names in the order of their UTF-16 code units (RFC 8785 §3.2.3)."""
    if depth > DEPTH_MAX:
        raise NotCanonical(f"nested more than {DEPTH_MAX} deep")
    if isinstance(value, dict):
        names = sorted(value, key=_utf_16)
        return {name: _ordered(value[name], depth + 1) for name in names}
    if isinstance(value, list):
        return [_ordered(item, depth + 1) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and not -_WHOLE_MAX <= value <= _WHOLE_MAX):
        raise NotCanonical("a number that is not whole, or beyond 2^53")
    return value


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be")
