"""The national code as text: 64 hexadecimal digits [: type [: token [: issuer]]]. Unsigned: it proves nothing.

The law: never "verified" offline. Digits are read in either case (Caps Lock on keyboard scanners), kept in upper case.
The shapes that exist, and no others (a look-alike is refused, not guessed at):

    card                        static          card:0:token            dynamic; token: 32 hexadecimal digits
    card:1                      static          card:0:token:issuer     dynamic, with the issuing institution
    card:1::issuer              static, with the issuing institution

Verification, in this order:

1. Shape: decode.type, decode.token, decode.issuer name the field that is not as above.
2. Revocation of the card, where a list is at hand.
3. Unverifiable. The platform could settle it; the replay id of a dynamic code is made from (card, token).
"""

import re

from agent.core.codes.family import Family, Refused
from agent.core.codes.gs1_symbol import says_gs1
from agent.core.codes.replay import replay_id
from agent.core.codes.unsigned import REASON, trace_unsigned
from agent.core.codes.validity import require_unrevoked
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, CodeType, Outcome, Trace, Verdict

NAME = "national"

_CARD_DIGITS = 64
_CARD = re.compile(r"[0-9A-Fa-f]{64}(?=:|\Z)")
_TOKEN = re.compile(r"[0-9A-Fa-f]{32}")
_ISSUER = re.compile(r"[!-9;-~]{1,32}")  # printable ASCII but the colon, as long as a record may hold
_TYPES = {"": CodeType.STATIC, "0": CodeType.DYNAMIC, "1": CodeType.STATIC}


def is_card(text: str) -> bool:
    """Say whether a text has the shape of a card's number alone."""
    return _CARD.fullmatch(text) is not None


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise 64 hexadecimal digits with nothing or a colon behind them, unless the symbol is GS1's."""
    if not _CARD.match(text) or says_gs1(scan):
        return None
    type_ = _TYPES.get(text[_CARD_DIGITS + 1 :].partition(":")[0])
    return Code(NAME, text[:_CARD_DIGITS].upper() + text[_CARD_DIGITS:], type_)


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1
    claims = _claims(code.text)
    is_dynamic = claims.type is CodeType.DYNAMIC
    trace_unsigned(trace, f"{'dynamic' if is_dynamic else 'static'}, issuer {claims.issuer or 'not given'}")
    # 2
    revoked = trust.revoked if trust else None
    if revoked is not None:
        require_unrevoked(revoked, claims)
    if trace:
        trace("revocation", "no list at hand" if revoked is None else "the card is not revoked")
    # 3
    unchecked = ("revocation",) if revoked is None else ()
    return Verdict(NAME, Outcome.UNVERIFIABLE, REASON, claims, unchecked, needs_online=True)


def _claims(text: str) -> Claims:
    card, *rest = text.split(":", 3)
    type_text, token_text, issuer = [*rest, None, None, None][:3]
    card_id = bytes.fromhex(card)
    if type_text is not None and type_text not in ("0", "1"):
        raise Refused("decode.type", detail="the type is neither 0 nor 1")
    if issuer is not None and not _ISSUER.fullmatch(issuer):
        raise Refused("decode.issuer", detail="the issuer is not 1 to 32 printable ASCII characters")
    if type_text == "0":
        if token_text is None or not _TOKEN.fullmatch(token_text):
            raise Refused("decode.token", detail="a dynamic code without a token of 32 hexadecimal digits")
        token = bytes.fromhex(token_text)
        once = replay_id(card_id, token)
        return Claims(CodeType.DYNAMIC, issuer, replay_id=once, card=card_id, token=token, text=_to_seal(text, issuer))
    if token_text or (token_text == "" and issuer is None):
        raise Refused("decode.token", detail="a static code with a token, or with a colon that leads nowhere")
    return Claims(CodeType.STATIC, issuer, card=card_id, text=_to_seal(text, issuer))


def _to_seal(text: str, issuer: str | None) -> bytes | None:
    """The whole text, sealed, where it says more than card and token: what it calls its issuer nobody has proven."""
    return None if issuer is None else text.encode("ascii")


FAMILY = Family(NAME, recognise, verify)
