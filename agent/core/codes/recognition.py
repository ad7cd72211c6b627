"""Which family a scan belongs to. The law: exactly one, decided by shape alone, and never an exception.

A new family is a file beside this one and one line in FAMILIES.
"""

from agent.core.codes.aadhaar import FAMILY as AADHAAR
from agent.core.codes.covid_code import FAMILY as COVID_CODE
from agent.core.codes.drug_trace import FAMILY as DRUG_TRACE
from agent.core.codes.e_prescription import FAMILY as E_PRESCRIPTION
from agent.core.codes.ehc1 import FAMILY as EHC1
from agent.core.codes.family import Family
from agent.core.codes.gs1 import FAMILY as GS1
from agent.core.codes.hcert import FAMILY as HCERT
from agent.core.codes.hospital_card import FAMILY as HOSPITAL_CARD
from agent.core.codes.hospital_card import NO_CARDS, CardPatterns
from agent.core.codes.insurance import FAMILY as INSURANCE
from agent.core.codes.national import FAMILY as NATIONAL
from agent.core.codes.payments import FAMILIES as PAYMENTS
from agent.core.codes.resident_id import FAMILY as RESIDENT_ID
from agent.core.codes.shc import FAMILY as SHC
from agent.core.codes.udi_ma import FAMILY as UDI_MA
from agent.core.codes.vds_nc import FAMILY as VDS_NC
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.core.verdict import Code

UNKNOWN = "unknown"
UNREADABLE = "unreadable"

FAMILIES: tuple[Family, ...] = (
    EHC1,  # a prefix of its own
    HCERT,  # likewise
    SHC,  # a prefix of its own; the head of a JWS; the name in a file of cards
    UDI_MA,  # a prefix of its own
    VDS_NC,  # JSON with members of its own
    E_PRESCRIPTION,  # likewise
    COVID_CODE,  # addresses of its own
    NATIONAL,  # 64 hexadecimal digits: before GS1, for one in a million begins like a product's number
    GS1,  # by its carrier, brackets, separators, or a leading 01 or 00 with check digits; never digits alone
    AADHAAR,  # hundreds of digits; none below has any such text
    INSURANCE,  # 28 digits
    RESIDENT_ID,  # 18 characters with a check character and a date: before payments
    *PAYMENTS,  # 16 to 24 digits by their first two
    DRUG_TRACE,  # 20 digits, of which the first is 8
    HOSPITAL_CARD,  # what the site says; nothing above can be captured by it
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
    if text is not None and scan.eci is None and scan.charset == "none":  # then it was read as UTF-8
        return Code(UNKNOWN, text)
    return Code(UNKNOWN, scan.data.decode("utf-8", "surrogateescape"))
