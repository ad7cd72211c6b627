"""From a code to a verdict. Pure: the trust list and the time are arguments.

The law: every code gets a verdict, none an exception; without a trust list nothing is verified; a refused verdict
carries neither card nor token nor replay id, for nothing may be done with them.
"""

from dataclasses import replace

from agent.core.codes.family import Refused
from agent.core.codes.recognition import FAMILIES, UNKNOWN, UNREADABLE
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

UNKNOWN_TEXT_BYTES_MAX = 1_024  # record.cddl, sealed-fields 3
_VERIFY = {family.name: family.verify for family in FAMILIES}


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None = None) -> Verdict:
    """Verify a recognised code against what is trusted, at a time known as an interval.

    The reason of a refusal names its stage: scan. family. decode. key. signature. time. revoked.
    """
    if code.family == UNREADABLE:
        return Verdict(code.family, Outcome.REFUSED, f"scan.{code.text}")
    if code.family == UNKNOWN:
        text = code.text.encode("utf-8", "surrogateescape")[:UNKNOWN_TEXT_BYTES_MAX]
        return Verdict(code.family, Outcome.REFUSED, "family.unknown", Claims(text=text or None))
    try:
        return _VERIFY[code.family](code, trust, now, trace)
    except Refused as refused:
        if trace:
            trace(_STAGES[refused.reason.partition(".")[0]], refused.detail or "refused")
        claims = replace(refused.claims, card=None, token=None, replay_id=None)
        return Verdict(code.family, Outcome.REFUSED, refused.reason, claims)


_STAGES = {"decode": "decode", "key": "key", "signature": "signature", "time": "time", "revoked": "revocation"}
"""The stage of `scanward explain` in which a reason arises, by the reason's first word."""
