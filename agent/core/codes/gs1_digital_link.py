"""GS1 Digital Link: the same elements as a web address (GS1 Digital Link Standard: URI Syntax 1.x, uncompressed).

The law: the address is data; nothing of it is ever asked for, whatever its host. Read strictly: ASCII; the key and what
narrows it stand in the path, in the standard's order; the rest in the query; each percent-encoding is undone once.
Names in the query that are not all digits are not GS1's and are passed over. Short names in the path (gtin, lot, ser:
dropped from the standard) make no Digital Link, nor do compressed ones.
"""

import re

from agent.core.codes.family import Refused
from agent.core.codes.gs1_identifiers import BAD_PERCENT, FORMATS, require_value

TEXT_CHARACTERS_MAX = 1_024

_QUALIFIERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "00": (),
    "01": (("22", "10", "21"), ("235",)),
    "253": (),
    "255": (),
    "401": (),
    "402": (),
    "414": (("254",), ("7040",)),
    "415": (("8020",),),
    "417": (("7040",),),
    "8003": (),
    "8004": (("7040",),),
    "8006": (("22", "10", "21"),),
    "8010": (("8011",),),
    "8013": (),
    "8017": (("8019",),),
    "8018": (("8019",),),
}
"""Each key, and what may follow it in the path: in this order, any of them left out, never of two groups."""

_PATH_ONLY = frozenset({"03", "21", "22", "235", "254", "7040", "7041", "8011", "8014", "8019", "8020", "8200"})
_SHORT = frozenset({"401", "8004", "8010", "8013"})  # keys of any length behind four digits
_GTIN_DIGITS = frozenset({8, 12, 13, 14})
_SEGMENTS_MAX = 8  # a key and three that follow it
_ADDRESS = re.compile(r"https?://[0-9A-Za-z.-]{1,253}(?::[0-9]{1,5})?/([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE)
_PERCENT = re.compile("%([0-9A-Fa-f]{2})")


def is_digital_link(text: str) -> bool:
    """Say whether this is a web address with a GS1 key and the digits of one in its path."""
    if text[:4].lower() != "http" or len(text) > TEXT_CHARACTERS_MAX:
        return False
    _, path = _read(text)
    if path is None:
        return False
    digits = path[1][:4] if path[0] in _SHORT else path[1][:8]
    return digits.isascii() and digits.isdigit() and len(digits) in (4, 8)


def elements_of(text: str) -> list[tuple[str, str]]:
    """Return the elements, the key's first. Raises Refused: decode.gs1-link, and what a value is refused for."""
    query, path = _read(text)
    if path is None:
        raise Refused("decode.gs1-link", detail="no GS1 key in the path")
    key, value, *rest = path
    value = _decoded(value)
    if key == "01" and len(value) in _GTIN_DIGITS:
        value = value.zfill(14)
    elements = [(key, value), *zip(rest[::2], map(_decoded, rest[1::2]), strict=True)]
    _require_order(key, rest[::2])
    for pair in re.split("[&;]", query):
        name, _, data = pair.partition("=")
        if not name.isascii() or not name.isdigit():
            continue
        if name not in FORMATS or name in _QUALIFIERS or name in _PATH_ONLY:
            raise Refused("decode.gs1-link", detail="a number in the query that is no attribute's AI")
        if "+" in data:  # some read it as a space, others as itself
            raise Refused("decode.gs1-link", detail=f"AI {name}: a plus that is not percent-encoded")
        elements.append((name, _decoded(data)))
    for ai, data in elements:
        require_value(ai, data)
    return elements


def _read(text: str) -> tuple[str, list[str] | None]:
    """Return the query, and the path's segments from the key on: the last with pairs behind it."""
    found = _ADDRESS.fullmatch(text) if text.isascii() else None
    if found is None:
        return "", None
    segments = found[1].removesuffix("/").rsplit("/", _SEGMENTS_MAX)
    for at in range(len(segments) - 2, -1, -2):
        if segments[at] in _QUALIFIERS:
            return found[2] or "", segments[at:]
    return "", None


def _require_order(key: str, names: list[str]) -> None:
    for group in _QUALIFIERS[key] or ((),):
        places = [group.index(name) for name in names if name in group]
        if len(places) == len(names) and places == sorted(set(places)):
            return
    raise Refused(
        "decode.gs1-link", detail=f"AI {key}: followed in the path by what does not belong there, or out of order"
    )


def _decoded(segment: str) -> str:
    if BAD_PERCENT.search(segment):
        raise Refused("decode.gs1-link", detail="a percent sign without two hexadecimal digits")
    return _PERCENT.sub(lambda found: chr(int(found[1], 16)), segment)
