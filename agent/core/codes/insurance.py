"""The insurance e-voucher 医保电子凭证: 28 digits that begin with 424. A bearer secret that says nothing itself.

Verification:

1. Unverifiable. Only the insurer can tell whom it names: the platform is asked where the policy wants it so. The text
   is kept sealed and shown to nobody.
"""

from agent.core.codes.family import Family
from agent.core.codes.gs1_symbol import says_gs1
from agent.core.codes.unsigned import unverifiable
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Code, Trace, Verdict

NAME = "insurance"
DIGITS = 28
PREFIX = "424"


def is_voucher(text: str) -> bool:
    """Say whether a text has the shape of a voucher."""
    return len(text) == DIGITS and text.startswith(PREFIX) and text.isascii() and text.isdigit()


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise 28 digits from 424 on, unless the symbol is GS1's (424 begins an application identifier, too)."""
    return Code(NAME, text) if is_voucher(text) and not says_gs1(scan) else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring."""
    # 1
    return unverifiable(NAME, code.text, trace, saw=f"{DIGITS} digits of an insurance voucher", needs_online=True)


FAMILY = Family(NAME, recognise, verify, is_bearer=True)
