"""China's drug trace code (药品追溯码): 20 digits on each package, 7 for the drug and 13 for this one of them.

Unsigned: it proves nothing. Public rules say no more than: 20 digits, the first an 8 (the issuer's platform takes no
others); no check digit is published, so none is checked, and no text with an address around the digits is documented,
so none is taken. Other issuers of trace codes use GS1. Verification:

1. Unverifiable, without a platform call that would settle it. The item is the code; a step takes it once.
"""

from agent.core.codes.family import Fact, Family
from agent.core.codes.gs1_symbol import says_gs1
from agent.core.codes.unsigned import REASON, trace_unsigned
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

NAME = "drug-trace"

_DIGITS = 20
_DRUG_DIGITS = 7


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise 20 ASCII digits that begin with 8; in a GS1 carrier they are something else (8004 and 16 digits)."""
    is_one = len(text) == _DIGITS and text[0] == "8" and text.isascii() and text.isdigit() and not says_gs1(scan)
    return Code(NAME, text) if is_one else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Return the verdict that there is no proof; the shape was all there is to check."""
    # 1
    trace_unsigned(trace, "7 digits for the drug, 13 for the package; no check digit")
    claims = Claims(item=code.text, is_single=True)
    return Verdict(NAME, Outcome.UNVERIFIABLE, REASON, claims)


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Return the drug's number and the package's."""
    item = claims.item or ""
    return (Fact("drug", item[:_DRUG_DIGITS]), Fact("serial", item[_DRUG_DIGITS:])) if item else ()


FAMILY = Family(NAME, recognise, verify, describe)
