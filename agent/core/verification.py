"""From a code to a verdict. Pure: the trust list and the time are arguments.

The law: every code gets a verdict, none an exception; without a trust list nothing is verified; a refused verdict
carries neither card nor token nor replay id, for nothing may be done with them.
"""

from msgspec.structs import replace

from agent.core.codes.family import Fact, Refused
from agent.core.codes.near_secrets import is_shaped_like_secret, may_be_secret
from agent.core.codes.recognition import FAMILIES, UNKNOWN, UNREADABLE
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

UNKNOWN_TEXT_BYTES_MAX = 1_024  # record.cddl, sealed-fields 3
_FAMILIES = {family.name: family for family in FAMILIES}


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None = None) -> Verdict:
    """Verify a recognised code against what is trusted, at a time known as an interval.

    The reason of a refusal names its stage: scan. family. decode. key. signature. time. revoked.
    """
    family = _FAMILIES.get(code.family)
    if family is None:
        return _refuse_unrecognised(code)
    try:
        return family.verify(code, trust, now, trace)
    except Refused as refused:
        if trace:
            stage = "header" if refused.reason == "decode.header" else _STAGES[refused.reason.partition(".")[0]]
            trace(stage, refused.detail or "refused")
        claims = replace(refused.claims, card=None, token=None, replay_id=None)
        return Verdict(code.family, Outcome.REFUSED, refused.reason, claims)


def describe(family: str, claims: Claims) -> tuple[Fact, ...]:
    """Return what a family's claims say beyond the common ones."""
    found = _FAMILIES.get(family)
    return found.describe(claims) if found is not None else ()


def is_bearer(family: str, text: bytes = b"") -> bool:
    """Say whether whoever has a text of this family can use it, or this one by its looks: it is shown to nobody."""
    found = _FAMILIES.get(family)
    if found is None:
        return may_be_secret(text)
    return found.is_bearer or is_shaped_like_secret(text)


def _refuse_unrecognised(code: Code) -> Verdict:
    if code.family == UNREADABLE:
        return Verdict(UNREADABLE, Outcome.REFUSED, f"scan.{code.text}")
    text = code.text.encode("utf-8", "surrogateescape")[:UNKNOWN_TEXT_BYTES_MAX]
    return Verdict(UNKNOWN, Outcome.REFUSED, "family.unknown", Claims(text=text or None))


_STAGES = {
    "family": "recognise", "decode": "decode", "key": "key", "signature": "signature", "time": "time",
    "revoked": "revocation",
}  # fmt: skip
"""The stage of `scanward explain` in which a reason arises, by the reason's first word."""
