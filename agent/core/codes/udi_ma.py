"""China's medical device identifiers of the issuing agency MA (ISO/IEC 15459): "MA." and fields with dots between.

    MA.156.M0.100204.1335176X.S0001.M261101.L26A.D26B.E281031.V281031.C3
       country, industry (M0: devices), registrant (6), product (packaging, item, check character), then any of
       S serial, M (or P) produced, L batch, D sterilisation batch, V good to, E ends on, Y insurance code, C check

Unsigned: it proves nothing. The agency's manual gives the product code 8 characters; longer ones are in use, up to
20. How the check characters are made is not public: they are not checked, and the verdict says so. Verification:

1. Fields: at most 254 characters, ASCII letters and digits between the dots, each unit once, dates that there are.
2. Time: a date it is good to (V), or else ends on (E), that is certainly over refuses.
3. Unverifiable. The item is the device identifier with the serial number, or with the batch where there is none.
"""

import re

from agent.core.codes.expiry import Expiry, full_year, require_not_expired
from agent.core.codes.family import Fact, Family, Refused
from agent.core.codes.gs1_identifiers import day_of
from agent.core.codes.unsigned import REASON, trace_unsigned, with_text
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

NAME = "udi-ma"
TEXT_CHARACTERS_MAX = 254

_COUNTRY = re.compile(r"MA\.[0-9]{3}\.")
_DEVICE = re.compile(r"MA\.[0-9]{3}\.M0\.[0-9A-Za-z]{6}\.[0-9A-Za-z]{8,20}(?=\.|\Z)")
_VALUE = re.compile(r"[0-9A-Za-z]{1,40}")
_UNITS = {
    "S": "serial", "M": "produced", "P": "produced", "L": "batch", "D": "sterilisation_batch", "V": "good_to",
    "E": "ends_on", "Y": "insurance_code", "C": "check_unchecked",
}  # fmt: skip
_DATES = frozenset("MPVE")
_ITEM_VALUE_MAX = 24  # with the longest device identifier, 64 characters: what a request takes


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise by the prefix and a country's three digits."""
    return Code(NAME, text) if _COUNTRY.match(text) else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1
    try:
        claims, expiry = _claims(code.text, now)
    except Refused as refused:
        raise with_text(refused, code.text) from refused
    saw = f"a device of country {code.text[3:6]}{'; one of its kind' if claims.is_single else ''}"
    trace_unsigned(trace, saw)
    # 2
    unchecked = require_not_expired(expiry, claims, now)
    # 3
    return Verdict(NAME, Outcome.UNVERIFIABLE, REASON, claims, (*unchecked, "check-character"))


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Return the device identifier and each unit."""
    return tuple(Fact(name, value) for name, value in claims.content) if isinstance(claims.content, tuple) else ()


def _claims(text: str, now: Interval) -> tuple[Claims, Expiry | None]:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"{len(text)} characters, at most {TEXT_CHARACTERS_MAX}")
    device = _DEVICE.match(text)
    if device is None:
        raise Refused(
            "decode.ma-device", detail="not MA, country, M0, registrant of 6 and product of 8 to 20 characters"
        )
    said = dict[str, str]()
    for unit in text[device.end() + 1 :].split(".") if device.end() < len(text) else ():
        letter, value = unit[:1], unit[1:]
        if letter not in _UNITS or not _VALUE.fullmatch(value):
            raise Refused("decode.ma-unit", detail="a unit that there is not, or not 1 to 40 ASCII letters and digits")
        if letter in said or {"M", "P"} <= {letter, *said}:
            raise Refused("decode.ma-repeated", detail=f"unit {letter} twice")
        said[letter] = value
    dates = {letter: _date(letter, said[letter], now) for letter in _DATES & said.keys()}
    serial, batch = said.get("S"), said.get("L")
    own = f".S{serial}" if serial else f".L{batch}" if batch else ""
    if len(own) > _ITEM_VALUE_MAX + 2:
        raise Refused("decode.ma-unit", detail=f"a serial or batch number of more than {_ITEM_VALUE_MAX} characters")
    expiry = Expiry.at_end_of(*dates["V"]) if "V" in dates else Expiry.on(*dates["E"]) if "E" in dates else None
    shown = {_UNITS[u]: "{:04}-{:02}-{:02}".format(*dates[u]) if u in dates else value for u, value in said.items()}
    claims = Claims(
        expires_at_s=expiry.certain_s if expiry else None,
        text=text.encode("ascii"),
        item=device[0] + own,
        is_single=serial is not None,
        content=(("device", device[0]), *shown.items()),
    )
    return claims, expiry


def _date(letter: str, digits: str, now: Interval) -> tuple[int, int, int]:
    """Read 6 digits or 8: the year with two or four digits, month, day."""
    if not (digits.isascii() and digits.isdigit() and len(digits) in (6, 8)):
        raise Refused("decode.ma-date", detail=f"unit {letter}: not 6 or 8 digits")
    year = int(digits[:4]) if len(digits) == 8 else full_year(int(digits[:2]), now)
    date = day_of(year, int(digits[-4:-2]), int(digits[-2:]))
    if date is None or digits[-2:] == "00":
        raise Refused("decode.ma-date", detail=f"unit {letter}: a day that there is not")
    return date


FAMILY = Family(NAME, recognise, verify, describe)
