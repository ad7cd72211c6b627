"""Which family a scan belongs to. The law: exactly one, decided by shape alone, and never an exception.

A new family is a file beside this one and one line in FAMILIES.
"""

from agent.core.codes.covid_code import FAMILY as COVID_CODE
from agent.core.codes.e_prescription import FAMILY as E_PRESCRIPTION
from agent.core.codes.ehc1 import FAMILY as EHC1
from agent.core.codes.family import Family
from agent.core.codes.hospital_card import FAMILY as HOSPITAL_CARD
from agent.core.codes.hospital_card import NO_CARDS, CardPatterns
from agent.core.codes.insurance import FAMILY as INSURANCE
from agent.core.codes.national import FAMILY as NATIONAL
from agent.core.codes.payments import FAMILIES as PAYMENTS
from agent.core.codes.resident_id import FAMILY as RESIDENT_ID
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.core.verdict import Code

UNKNOWN = "unknown"
UNREADABLE = "unreadable"

FAMILIES: tuple[Family, ...] = (
    EHC1,  # a prefix of its own
    E_PRESCRIPTION,  # JSON that begins with "urls"
    COVID_CODE,  # web addresses of services that are no more
    NATIONAL,  # 64 hexadecimal digits
    INSURANCE,  # 28 digits
    RESIDENT_ID,  # 18 characters with a date and a check character: before the payment codes of 18 digits
    *PAYMENTS,  # 16 to 24 digits
    HOSPITAL_CARD,  # the site's patterns: below, behind all others
)
"""In the order they are tried: what has a prefix of its own first, then the longer shape before the shorter."""


def recognise(scan: Scan, cards: CardPatterns = NO_CARDS) -> Code:
    """Return the one family's code, or "unknown"; "unreadable" for a scan with a fault. cards: the site's patterns.

    The text of an unknown code carries undecodable bytes as surrogates (PEP 383), so that they can be had back; that of
    an unreadable one is the fault.
    """
    if scan.fault is not None:
        return Code(UNREADABLE, scan.fault.value)
    if len(scan.data) > SCAN_BYTES_MAX:
        return Code(UNREADABLE, ScanFault.OVER_LONG.value)
    text = scan.text
    if text is not None:
        for family in FAMILIES:
            code = family.recognise(text, scan)
            if code is not None:
                return code
        if (card := cards.recognise(text)) is not None:
            return card
    return Code(UNKNOWN, scan.data.decode("utf-8", "surrogateescape"))
