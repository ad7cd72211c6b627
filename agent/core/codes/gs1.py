"""GS1: products, packages and shipments, in every carrier. Unsigned: it proves nothing, and its text is hostile input.

A code is of this family where the carrier says so (AIM ids ]C1, ]e0, ]d2, ]Q3, ]J1; ]E0, ]E4 and ]I1 for a bare GTIN),
by the scan's id or in front of the text; else where the text shows it: AIs in brackets, separators (FNC1, sent as GS,
0x1D), "01" with 14 digits or "00" with 18 in front, or a Digital Link. Digits alone are no GTIN unless the carrier says
so. Verification, in this order (GS1 General Specifications):

1. Text: at most 1,024 characters, the carrier's prefix aside.
2. Elements: known AIs only; each value of its length and characters; check digits; dates that there are; predefined
   lengths without a separator, all others ended by one. None twice with another value.
3. Together: a key (what the code is about), and no two that exclude each other.
4. Time: an expiry (17, 7003) that is certainly over, wherever on Earth the package is, refuses.
5. Unverifiable. The item is the key and what makes it one of its kind; all else is sealed, as it was read.
"""

import re
from datetime import UTC, datetime

from agent.core.codes.expiry import Expiry, full_year, require_not_expired
from agent.core.codes.family import Fact, Family, Refused
from agent.core.codes.gs1_digital_link import TEXT_CHARACTERS_MAX, elements_of, is_digital_link
from agent.core.codes.gs1_identifiers import (
    PERSONAL,
    begins_with_element,
    day_of,
    identifier_at,
    length_of,
    require_value,
)
from agent.core.codes.gs1_symbol import GS1_AIMS
from agent.core.codes.near_secrets import is_shaped_like_secret
from agent.core.codes.unsigned import REASON, trace_unsigned, with_text
from agent.core.formats.check_digit import is_checked
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

NAME = "gs1"
SEPARATOR = "\x1d"
_BARE_DIGITS = {"]E0": frozenset({12, 13}), "]E4": frozenset({8}), "]I1": frozenset({14})}
_BARE_PREFIX = re.compile(r"01[0-9]{14}(?:\Z|1[0-35-7]|2[0-5]|3[0-79]|4[0-2]|7[0-2]|8[0-2]|9[0-9])|00[0-9]{18}\Z")
_BRACKETED = re.compile(r"\(([0-9]{2,4})\)([^()]*)")

Elements = tuple[tuple[str, str], ...]

_SINGLE: tuple[tuple[str, str | None], ...] = (
    ("01", "21"), ("01", "235"), ("8006", "21"), ("03", "21"), ("8010", "8011"), ("00", None), ("8004", None),
)  # fmt: skip
"""Keys, with the AI that makes each one of its kind."""
_GROWN = {"253": 13, "255": 13, "8003": 14}  # keys that are single where a serial number stands behind so many digits
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("01", ("17", "10")), ("8006", ("17", "10")), ("03", ("17", "10")), ("02", ("37", "10")), ("8003", ()), ("253", ()),
    ("255", ()), ("8010", ()), ("402", ()), ("401", ()), ("8013", ()), ("414", ("254",)), ("417", ()), ("415", ()),
)  # fmt: skip
_PEOPLE = frozenset({"8017", "8018"})
_EXCLUDED = (("01", "02"), ("01", "255"), ("01", "37"), ("01", "03"), ("01", "8006"), ("21", "235"), ("8017", "8018"))

_NAMES = {
    "00": "sscc", "01": "gtin", "02": "gtin_contained", "10": "batch", "11": "produced", "15": "best_before",
    "17": "expiry", "21": "serial", "414": "gln", "7003": "expiry_time", "8030": "signature_unchecked",
}  # fmt: skip
_DATES = frozenset({"11", "12", "13", "15", "16", "17"})


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise by the carrier, else by brackets, separators, a leading 01 or 00, or a Digital Link."""
    aim = scan.aim
    if text[:1] == "]" and (text[:3] in GS1_AIMS or text[:3] in _BARE_DIGITS):
        aim, text = text[:3], text[3:]
    if aim in GS1_AIMS:
        return Code(NAME, text)
    if aim in _BARE_DIGITS and len(text) in _BARE_DIGITS[aim] and text.isascii() and text.isdigit():
        return Code(NAME, "01" + text.zfill(14))
    if not text or len(text) > TEXT_CHARACTERS_MAX:
        return None
    first = text[0]
    if first == "(":
        found = _BRACKETED.match(text) is not None
    elif first == "h" or first == "H":
        found = is_digital_link(text)
    elif first == SEPARATOR:
        found = begins_with_element(text[1:128], SEPARATOR)
    else:
        found = first in "0123456789" and (_has_bare_key(text) or _has_separator(text))
    return Code(NAME, text) if found else None


def _has_bare_key(text: str) -> bool:
    """Say whether 01 or 00 lead; where nothing follows, the digits could be a card's, and must pass the check digit."""
    if _BARE_PREFIX.match(text) is None:
        return False
    return (text[1] == "1" and len(text) > 16) or is_checked(text[2:])


def _has_separator(text: str) -> bool:
    return SEPARATOR in text and begins_with_element(text[:128], SEPARATOR)


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    text = code.text
    try:
        elements, claims, expiry = _read(text, now)
    except Refused as refused:
        raise with_text(refused, text) from refused
    saw = f"AIs {', '.join(ai for ai, _ in elements)}{'; one of its kind' if claims.is_single else ''}"
    trace_unsigned(trace, saw)
    # 4
    unchecked = require_not_expired(expiry, claims, now)
    # 5
    ais = {ai for ai, _ in elements}
    if "8030" in ais:
        unchecked += ("signature",)
    if _may_lack_separators(text, elements):
        unchecked += ("separators",)
    return Verdict(NAME, Outcome.UNVERIFIABLE, REASON, claims, unchecked)


def _read(text: str, now: Interval) -> tuple[Elements, Claims, Expiry | None]:
    # 1
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"{len(text)} characters, at most {TEXT_CHARACTERS_MAX}")
    # 2
    elements = parse(text)
    # 3
    return elements, *_claims(elements, text, now)


def parse(text: str) -> Elements:
    """Return the elements in their order, each once. text: without the AIM id. Raises Refused."""
    if text[:4].lower() == "http":
        found = elements_of(text)
    elif text[:1] == "(":
        found = _bracketed(text)
    else:
        found = _strung(text)
    elements = dict[str, str]()
    for ai, value in found:
        if elements.setdefault(ai, value) != value:
            raise Refused("decode.gs1-repeated", detail=f"AI {ai}: twice, with another value")
    return tuple(elements.items())


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Return each element: by its name where a pharmacy needs it, else by its AI."""
    elements = claims.content if isinstance(claims.content, tuple) else ()
    return tuple(Fact(_NAMES.get(ai, f"ai_{ai}"), shown, ai in PERSONAL) for ai, shown in elements[:32])


def _strung(text: str) -> list[tuple[str, str]]:
    """Read an element string (7.8): FNC1 comes as GS, and may stand in front, behind any element, and at the end."""
    found = list[tuple[str, str]]()
    at, end = (1 if text[:1] == SEPARATOR else 0), len(text)
    while at < end:
        ai = identifier_at(text, at)
        at += len(ai)
        fixed = length_of(ai)
        stop = text.find(SEPARATOR, at)
        stop = end if stop < 0 else stop
        if fixed is not None:
            stop = min(stop, at + fixed)
        require_value(ai, text[at:stop])
        found.append((ai, text[at:stop]))
        at = stop + (text[stop : stop + 1] == SEPARATOR)
    return found


def _bracketed(text: str) -> list[tuple[str, str]]:
    """Read what people read (4.14): brackets around AIs alone; a value with a bracket could be read in two ways."""
    found = _BRACKETED.findall(text)
    if sum(len(ai) + len(value) + 2 for ai, value in found) != len(text):
        raise Refused("decode.gs1-brackets", detail="brackets that are not around an AI")
    for ai, value in found:
        if identifier_at(ai, 0) != ai:
            raise Refused("decode.gs1-brackets", detail="more in brackets than an AI")
        require_value(ai, value)
    return list(found)


def _claims(elements: Elements, text: str, now: Interval) -> tuple[Claims, Expiry | None]:
    said = dict(elements)
    for one, other in _EXCLUDED:
        if one in said and other in said:
            raise Refused("decode.gs1-pair", detail=f"AI {one} and AI {other} exclude each other")
    # A reader may say GS1 of a payment code: AI 253 or 255 and 13 digits or more look like Alipay's, and prove nothing.
    is_secret = is_shaped_like_secret(text.encode("ascii"))
    item, is_single = (None, False) if is_secret else _item(said)
    if item is None and not is_secret and not _PEOPLE & said.keys():
        raise Refused("decode.gs1-no-key", detail="no AI says what the code is about (01, 00, 8004, ...)")
    expiry = _expiry(said, now)
    content = () if is_secret else tuple((ai, _shown(ai, value, now)) for ai, value in elements)
    return (
        Claims(
            expires_at_s=expiry.certain_s if expiry else None,
            text=text.encode("ascii"),  # step 2 let nothing else pass
            item=item,
            is_single=is_single,
            content=content,
        ),
        expiry,
    )


def _item(said: dict[str, str]) -> tuple[str | None, bool]:
    """Return what the code is about, the same whatever else it says and in whatever order, and whether there is one."""
    for key, serial in _SINGLE:
        if key in said and (serial is None or serial in said):
            return _written(said, (key, serial) if serial else (key,)), True
    for key, digits in _GROWN.items():
        if len(said.get(key, "")) > digits:
            return _written(said, (key,)), True
    for key, narrower in _KINDS:
        if key in said:
            return _written(said, (key, *(ai for ai in narrower if ai in said))), False
    return None, False


def _written(said: dict[str, str], ais: tuple[str, ...]) -> str:
    return "".join(f"({ai}){said[ai]}" for ai in ais)


def _expiry(said: dict[str, str], now: Interval) -> Expiry | None:
    """Return the earliest of the expiries: 17 holds to the end of its day (3.4.7), 7003 to its minute."""
    found = list[Expiry]()
    if (day := said.get("17")) is not None:
        found.append(Expiry.at_end_of(*_date(day, now)))
    if (minute := said.get("7003")) is not None:
        date = datetime(*_date(minute[:6], now), int(minute[6:8]), int(minute[8:]), tzinfo=UTC)
        found.append(Expiry.at(int(date.timestamp())))
    return min(found, key=lambda one: one.certain_s, default=None)


def _date(yymmdd: str, now: Interval) -> tuple[int, int, int]:
    date = day_of(full_year(int(yymmdd[:2]), now), int(yymmdd[2:4]), int(yymmdd[4:6]))
    if date is None:  # 29 February of a year that is a century's last and no leap year
        raise Refused("decode.gs1-date", detail="a day that its year does not have")
    return date


def _shown(ai: str, value: str, now: Interval) -> str:
    return "{:04}-{:02}-{:02}".format(*_date(value, now)) if ai in _DATES else value


def _may_lack_separators(text: str, elements: Elements) -> bool:
    """Say whether the last value may hold further elements: keyboards and some scanners swallow separators.

    Then there are none in the text, and the tail of a value that no separator ended reads as elements too.
    """
    ai, value = elements[-1]
    if SEPARATOR in text or text[:1] in "(hH" or length_of(ai) is not None:
        return False
    return any(_reads(value[at:]) for at in range(1, len(value) - 2))


def _reads(tail: str) -> bool:
    if tail[:2] not in ("10", "21", "17", "11"):
        return False
    try:
        return bool(_strung(tail))
    except Refused:
        return False


FAMILY = Family(NAME, recognise, verify, describe)
