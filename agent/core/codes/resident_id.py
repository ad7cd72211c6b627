"""The resident's id number 身份证号 (GB 11643): region, birth date, serial, check character. It proves nothing.

Also the numbers of residents from Hong Kong, Macao and Taiwan, and of permanent residents from abroad (9, then the
province). Read before WeChat Pay, whose codes have 18 digits too; the two never claim the same text. Kept like a bearer
secret, for it is personal, and one payment code in tens of thousands looks like it.

Verification, in this order:

1. The check character (ISO 7064, MOD 11-2): decode.check-digits. Digits alone that do not pass are not of this family;
   an X at the end is, for nothing else ends so.
2. The birth date is neither in the future nor more than 150 years ago, whatever the time in the interval is:
   decode.birth-date.
3. Unverifiable. The platform could settle whose it is.
"""

import re
from datetime import date

from agent.core.codes.family import Family, Refused
from agent.core.codes.gs1_symbol import says_gs1
from agent.core.codes.unsigned import unverifiable
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Code, Trace, Verdict

NAME = "resident-id"
CHARACTERS = 18
AGE_DAYS_MAX = 150 * 366
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"  # GB/T 2260, first two digits
_SHAPE = re.compile(
    rf"(?:{_PROVINCE}[0-9]{{4}}|9{_PROVINCE}[0-9]{{3}})"
    r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
    r"[0-9]{3}[0-9Xx]"
)


def is_resident_id(text: str) -> bool:
    """Say whether a text has the shape of a resident's id: digits alone only if the check character is right."""
    if len(text) != CHARACTERS or _birth_day(text) is None:
        return False
    return not text.isdigit() or _is_check_right(text)


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise 18 characters with a province and a date of the calendar in their places."""
    return Code(NAME, text.upper()) if is_resident_id(text) and not says_gs1(scan) else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    birth_day = _birth_day(code.text)
    # 1
    if birth_day is None or not _is_check_right(code.text):
        raise Refused("decode.check-digits", detail="the check character does not fit the digits")
    # 2: a day is as early as it begins anywhere and as late as it ends anywhere
    if now.is_certainly_before((birth_day - 1) * _DAY_MS):
        raise Refused("decode.birth-date", detail="the birth date lies in the future")
    if now.is_certainly_after((birth_day + AGE_DAYS_MAX) * _DAY_MS):
        raise Refused("decode.birth-date", detail="nobody is as old as the birth date says")
    # 3
    return unverifiable(NAME, code.text, trace, saw="region, birth date and check character fit", needs_online=True)


def _birth_day(text: str) -> int | None:
    """Return the birth date in days since 1970, where there is one in its place."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).toordinal() - _EPOCH
    except ValueError:
        return None


def _is_check_right(text: str) -> bool:
    """ISO 7064, pure system MOD 11-2; X is 10."""
    rest = 0
    for digit in text[:-1]:
        rest = (rest + int(digit)) * 2 % 11
    last = 10 if text[-1] in "Xx" else int(text[-1])
    return (rest + last) % 11 == 1


FAMILY = Family(NAME, recognise, verify, is_bearer=True)
