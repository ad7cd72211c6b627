"""The application identifiers of GS1: which there are, what follows each, and whether a separator ends it.

From the GS1 General Specifications, section 3 (and 7.8 for the lengths that need no separator), as of early 2026. The
law: an identifier that is not here is refused, and a value is taken whole or not at all; nothing is trimmed or padded.

Formats are written as parts: a set of characters and how many. n digits, x the 82 characters of GS1 (ISO/IEC 646
without the rest), y the 39, z base64url. A word behind them names a check. What is not checked, because the list is not
ours to keep: country, currency, media and package numbers, and the inside of coupons (8110, 8112).
"""

import calendar
import functools
import re
from collections.abc import Callable

from agent.core.codes.family import Refused
from agent.core.formats.check_digit import is_checked

_SETS = {"n": "[0-9]", "x": '[!"%-?A-Z_a-z]', "y": "[#/0-9A-Z-]", "z": "[0-9A-Za-z_=-]"}
_CSET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_CSET_32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
BAD_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)

_MEASURES = " ".join(f"{first}0-{first}5" for first in (*range(310, 317), *range(320, 338), *range(340, 358), *range(360, 370)))  # noqa: E501  # fmt: skip

_FORMATS: tuple[tuple[str, str], ...] = (
    ("00", "n18 check-18"),
    ("01 02 03", "n14 check-14"),
    ("10 21 22", "x1-20"),
    ("11 12 13 15 16 17", "n6 month"),
    ("20", "n2"),
    ("235", "x1-28"),
    ("240 241 250 251", "x1-30"),
    ("242", "n1-6"),
    ("243 254", "x1-20"),
    ("253", "n13 x0-17 check-13"),
    ("255", "n13 n0-12 check-13"),
    ("30 37", "n1-8"),
    (_MEASURES, "n6"),
    ("3900-3909 3920-3929", "n1-15"),
    ("3910-3919 3930-3939", "n3 n1-15"),
    ("3940-3943", "n4"),
    ("3950-3955", "n6"),
    ("400 403", "x1-30"),
    ("401", "x5-30 prefix"),
    ("402", "n17 check-17"),
    ("410-417", "n13 check-13"),
    ("420", "x1-20"),
    ("421", "n3 x1-9"),
    ("422 424 426", "n3"),
    ("423 425", "n3-15 threes"),
    ("427", "x1-3"),
    ("4300 4301 4310 4311 4320", "x1-35 percent"),
    ("4302-4306 4312-4316", "x1-70 percent"),
    ("4307 4317", "x2 letters"),
    ("4308 4319", "x1-30"),
    ("4309", "n20 place"),
    ("4318", "x1-20"),
    ("4321-4323", "n1 yes-no"),
    ("4324 4325", "n10 month-minute"),
    ("4326", "n6 day"),
    ("4330-4333", "n6 x0-1 minus"),
    ("7001", "n13"),
    ("7002", "x1-30"),
    ("7003", "n10 day-minute"),
    ("7004", "n1-4"),
    ("7005", "x1-12"),
    ("7006", "n6 day"),
    ("7007", "n6-12 days"),
    ("7008", "x1-3"),
    ("7009", "x1-10"),
    ("7010", "x1-2"),
    ("7011", "n6-10 day-or-minute"),
    ("7020-7022", "x1-20"),
    ("7023", "x5-30 prefix"),
    ("7030-7039", "n3 x1-27"),
    ("7040", "n1 x3 importer"),
    ("7041", "x1-4"),
    ("710-717", "x1-20"),
    ("7230-7239", "x3-30"),
    ("7240", "x1-20"),
    ("7241", "n2"),
    ("7242", "x1-25"),
    ("7250", "n8 birthday"),
    ("7251", "n12 birthday"),
    ("7252", "n1 sex"),
    ("7253 7254 7259", "x1-40 percent"),
    ("7255", "x1-10"),
    ("7256", "x1-90 percent"),
    ("7257", "x1-70 percent"),
    ("7258", "x3 of-births"),
    ("8001", "n14 roll"),
    ("8002", "x1-20"),
    ("8003", "n14 x0-16 returnable"),
    ("8004", "x5-30 prefix"),
    ("8005", "n6"),
    ("8006 8026", "n18 piece"),
    ("8007", "x5-34 iban"),
    ("8008", "n8-12 produced"),
    ("8009", "x1-50"),
    ("8010", "y5-30 prefix"),
    ("8011", "n1-12 no-zero"),
    ("8012", "x1-20"),
    ("8013", "x7-25 model"),
    ("8014", "x7-25 model"),
    ("8017 8018", "n18 check-18"),
    ("8019", "n1-10"),
    ("8020", "x1-25"),
    ("8030", "z1-90"),
    ("8040 8041", "n15"),
    ("8042", "n32"),
    ("8043", "n18-20"),
    ("8110 8112 8200", "x1-70"),
    ("8111", "n4"),
    ("90", "x1-30"),
    ("91-99", "x1-90"),
)

PREDEFINED = frozenset({*(f"{n:02}" for n in (*range(5), *range(11, 21), *range(31, 37))), "41"})
"""First two digits of identifiers whose length is fixed for ever, so that no separator follows (section 7.8)."""

PERSONAL = frozenset(
    {*(str(ai) for ai in (*range(90, 100), *range(4300, 4321), *range(7250, 7260), *range(8017, 8021))), "8007"}
)
"""About people: names, addresses, dates of birth, accounts, numbers of staff and patients; and whatever a company, or
a hospital on its wristbands, means by 90 to 99."""


def day_of(year: int, month: int, day: int) -> tuple[int, int, int] | None:
    """Return the date, day 0 as the month's last (GS1 General Specifications, 3.4.2); None where there is none."""
    if not (1 <= month <= 12 and 1 <= year <= 9999):
        return None
    last = calendar.monthrange(year, month)[1]
    return (year, month, day or last) if 0 <= day <= last else None


def _is_day(text: str, *, zero: bool = False) -> bool:
    day = int(text[4:])
    return day_of(2000 + int(text[:2]), int(text[2:4]), day) is not None and (zero or day > 0)


def _is_minute(text: str) -> bool:
    return int(text[:2]) < 24 and int(text[2:] or 0) < 60


def _is_birthday(text: str) -> bool:
    day = int(text[6:8])
    return day > 0 and day_of(int(text[:4]), int(text[4:6]), day) is not None and _is_minute(text[8:] or "00")


def _is_produced(text: str) -> bool:
    clock = text[6:]
    return _is_day(text[:6]) and len(clock) % 2 == 0 and _is_minute(clock[:4]) and int(clock[4:] or 0) < 60


def _is_iban(text: str) -> bool:
    """ISO 13616: letters as 10 to 35, the first four characters behind the rest, 1 modulo 97."""
    if not re.fullmatch("[A-Z]{2}[0-9]{2}[0-9A-Z]+", text):
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def _is_model(text: str) -> bool:
    """The pair of check characters of a GMN (7.9.5): primes from the right as weights, modulo 1021."""
    body, pair = text[:-2], text[-2:]
    total = sum(_CSET_82.index(c) * prime for c, prime in zip(reversed(body), _PRIMES, strict=False)) % 1021
    return _has_prefix(text) and pair == _CSET_32[total >> 5] + _CSET_32[total & 31]


def _has_prefix(text: str) -> bool:
    """A company prefix has four digits at least."""
    return text[:4].isdigit()


_CHECKS: dict[str, tuple[Callable[[str], bool], str]] = {
    "check-13": (lambda v: is_checked(v[:13]), "decode.gs1-check-digit"),
    "check-14": (is_checked, "decode.gs1-check-digit"),
    "check-17": (is_checked, "decode.gs1-check-digit"),
    "check-18": (is_checked, "decode.gs1-check-digit"),
    "returnable": (lambda v: v[0] == "0" and is_checked(v[1:14]), "decode.gs1-check-digit"),
    "piece": (lambda v: is_checked(v[:14]) and 0 < int(v[14:16]) <= int(v[16:]), "decode.gs1-check-digit"),
    "iban": (_is_iban, "decode.gs1-check-digit"),
    "model": (_is_model, "decode.gs1-check-digit"),
    "month": (lambda v: _is_day(v, zero=True), "decode.gs1-date"),
    "month-minute": (lambda v: _is_day(v[:6], zero=True) and (v[6:] == "9999" or _is_minute(v[6:])), "decode.gs1-date"),
    "day": (_is_day, "decode.gs1-date"),
    "days": (lambda v: len(v) in (6, 12) and _is_day(v[:6]) and _is_day(v[-6:]), "decode.gs1-date"),
    "day-minute": (lambda v: _is_day(v[:6]) and _is_minute(v[6:]), "decode.gs1-date"),
    "day-or-minute": (lambda v: len(v) in (6, 10) and _is_day(v[:6]) and _is_minute(v[6:] or "0"), "decode.gs1-date"),
    "birthday": (_is_birthday, "decode.gs1-date"),
    "produced": (_is_produced, "decode.gs1-date"),
    "prefix": (_has_prefix, "decode.gs1-value"),
    "threes": (lambda v: len(v) % 3 == 0, "decode.gs1-value"),
    "percent": (lambda v: BAD_PERCENT.search(v) is None, "decode.gs1-value"),
    "letters": (lambda v: re.fullmatch("[A-Z]{2}", v) is not None, "decode.gs1-value"),
    "place": (lambda v: int(v[:10]) <= 1_800_000_000 and int(v[10:]) <= 3_600_000_000, "decode.gs1-value"),
    "yes-no": (lambda v: v in "01", "decode.gs1-value"),
    "minus": (lambda v: v[6:] in ("", "-"), "decode.gs1-value"),
    "importer": (lambda v: re.fullmatch("[0-9A-Za-z_-]", v[3]) is not None, "decode.gs1-value"),
    "sex": (lambda v: v in "0129", "decode.gs1-value"),
    "of-births": (lambda v: re.fullmatch("[1-9]/[1-9]", v) is not None and v[0] <= v[2], "decode.gs1-value"),
    "roll": (lambda v: int(v[:4]) * int(v[4:9]) * int(v[9:12]) > 0 and v[12] in "019", "decode.gs1-value"),
    "no-zero": (lambda v: v == "0" or v[0] != "0", "decode.gs1-value"),
}  # fmt: skip


def _expanded() -> dict[str, str]:
    found = dict[str, str]()
    for names, form in _FORMATS:
        for name in names.split():
            first, _, last = name.partition("-")
            found.update({str(ai).zfill(len(first)): form for ai in range(int(first), int(last or first) + 1)})
    return found


FORMATS = _expanded()
"""Every identifier and its format."""

_LENGTHS = {ai[:2]: len(ai) for ai in FORMATS}  # the first two digits say how long an identifier is


@functools.cache
def _shape(form: str) -> tuple[re.Pattern[str], int, str | None]:
    """Return the pattern of a whole value, its length at most, and the name of its check."""
    parts = form.split()
    check = parts.pop() if parts[-1] in _CHECKS else None
    pattern, longest = "", 0
    for part in parts:
        low, _, high = part[1:].partition("-")
        pattern += f"{_SETS[part[0]]}{{{low},{high or low}}}"
        longest += int(high or low)
    return re.compile(pattern), longest, check


def identifier_at(text: str, at: int) -> str:
    """Return the application identifier that begins there. Raises Refused: decode.gs1-unknown-ai."""
    ai = text[at : at + _LENGTHS.get(text[at : at + 2], 2)]
    if ai not in FORMATS:
        shown = f"AI {ai}" if ai.isascii() and ai.isdigit() else "no digits where an AI must be"
        raise Refused("decode.gs1-unknown-ai", detail=f"{shown}: not an application identifier")
    return ai


def length_of(ai: str) -> int | None:
    """Return how long the value is where no separator ends it (predefined), else None."""
    return _shape(FORMATS[ai])[1] if ai[:2] in PREDEFINED else None


def begins_with_element(text: str, separator: str) -> bool:
    """Say whether a text begins with an element, by its shape: check digits and dates are not looked at."""
    ai = text[: _LENGTHS.get(text[:2], 0)]
    if ai not in FORMATS:
        return False
    pattern, longest, _ = _shape(FORMATS[ai])
    value = text[len(ai) : len(ai) + longest + 1].partition(separator)[0]
    return pattern.fullmatch(value[:longest] if ai[:2] in PREDEFINED else value) is not None


def require_value(ai: str, value: str) -> None:
    """Check that the value is one of this identifier. Raises Refused; the detail names the AI, never the value."""
    pattern, longest, check = _shape(FORMATS[ai])
    if len(value) > longest:
        detail = (
            f"AI {ai}: {len(value)} characters, at most {longest}: a separator (FNC1) is missing, or too much is there"
        )
        raise Refused("decode.gs1-separator", detail=detail)
    if not pattern.fullmatch(value):
        raise Refused("decode.gs1-value", detail=f"AI {ai}: too short, or of other characters than it may have")
    if check is not None:
        is_right, reason = _CHECKS[check]
        if not is_right(value):
            raise Refused(reason, detail=f"AI {ai}: its {check.replace('-', ' ')} is wrong")
