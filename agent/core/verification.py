"""From a code to a verdict. Pure: the trust list and the time are arguments.

The law: every code gets a verdict, none an exception; without a trust list nothing is verified; a refused verdict
carries neither card nor token nor replay id, for nothing may be done with them.
"""

from msgspec.structs import replace

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
    check = _VERIFY.get(code.family)
    if check is None:
        return _refuse_unrecognised(code)
    try:
        return check(code, trust, now, trace)
    except Refused as refused:
        if trace:
            stage = "header" if refused.reason == "decode.header" else _STAGES[refused.reason.partition(".")[0]]
            trace(stage, refused.detail or "refused")
        claims = replace(refused.claims, card=None, token=None, replay_id=None)
        return Verdict(code.family, Outcome.REFUSED, refused.reason, claims)


def _refuse_unrecognised(code: Code) -> Verdict:
    if code.family == UNREADABLE:
        return Verdict(UNREADABLE, Outcome.REFUSED, f"scan.{code.text}")
    text = code.text.encode("utf-8", "surrogateescape")[:UNKNOWN_TEXT_BYTES_MAX]
    return Verdict(UNKNOWN, Outcome.REFUSED, "family.unknown", Claims(text=text or None))


_STAGES = {"decode": "decode", "key": "key", "signature": "signature", "time": "time", "revoked": "revocation"}
"""The stage of `scanward explain` in which a reason arises, by the reason's first word."""
