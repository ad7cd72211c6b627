"""Which family a scan belongs to. The law: exactly one, decided by shape alone, and never an exception.

A new family is a file beside this one and one line in FAMILIES.
"""

from agent.core.codes.ehc1 import FAMILY as EHC1
from agent.core.codes.family import Family
from agent.core.codes.national import FAMILY as NATIONAL
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.core.verdict import Code

UNKNOWN = "unknown"
UNREADABLE = "unreadable"

FAMILIES: tuple[Family, ...] = (
    EHC1,  # a prefix of its own
    NATIONAL,  # 64 hexadecimal digits
)
"""In the order they are tried: what has a prefix of its own first, then the longer shape before the shorter."""


def recognise(scan: Scan) -> Code:
    """Return the one family's code, or "unknown"; "unreadable" for a scan with a fault.

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
    if text is not None and scan.eci is None and scan.charset == "none":  # then it was read as UTF-8
        return Code(UNKNOWN, text)
    return Code(UNKNOWN, scan.data.decode("utf-8", "surrogateescape"))
