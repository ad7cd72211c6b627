"""EHC1, the signed health code: "EHC1:" + base45 (RFC 9285) of a COSE_Sign1 (RFC 9052) over CWT claims (RFC 8392).

The format is docs/protocol/ehc1.cddl. The law: the key decides the algorithm; only keys of the code's own issuer count.
Verification, in this order:

1. Text: at most 1,024 characters, never trimmed; base45, strictly.
2. Envelope: deterministic CBOR, tag 18, the protected header exactly alg and kid, the unprotected empty (cose.py).
3. Claims: deterministic CBOR; each claim of exactly its type; a dynamic code has cti and lives at most 120 s. Other
   claims with integer keys may be there: they are signed and ignored.
4. Key: the trust list's key of this issuer and key id; the header's algorithm is the key's.
5. Signature over the Sig_structure with the external_aad "scanward-ehc-1" (RFC 9052 §4.4).
6. What the key may do: usage for this type of code; valid now, and when the code was issued.
7. Time: not certainly expired, not certainly from the future; a code without exp ends with its key.
8. Revocation of the key and of the card.
"""

import re

from agent.core.codes.family import Family, Refused
from agent.core.codes.replay import replay_id
from agent.core.codes.validity import (
    SECONDS_MAX,
    is_key_life_certain,
    is_time_vague,
    key_of,
    require_in_time,
    require_key_valid,
    require_unrevoked,
)
from agent.core.formats import base45, cbor, cose
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustedKey, VerificationKey
from agent.core.verdict import Claims, Code, CodeType, Outcome, Trace, Verdict

NAME = "ehc"
PREFIX = "EHC1:"
TEXT_CHARACTERS_MAX = 1_024
DYNAMIC_LIFE_S_MAX = 120
AAD = b"scanward-ehc-1"

_ISS, _EXP, _IAT, _CTI = 1, 4, 6, 7  # RFC 8392 §4
_CARD, _TYPE = -65537, -65538  # ehc1.cddl
_ISSUER = re.compile(r"[!-~]{1,32}")
_CARD_BYTES, _CTI_BYTES = 32, 8
_DYNAMIC, _STATIC, _VERIFIED = (
    CodeType.DYNAMIC,
    CodeType.STATIC,
    Outcome.VERIFIED,
)  # Python 3.11 is slow to look them up
_TYPES = {0: _DYNAMIC, 1: _STATIC}

_Fields = tuple[str, int | None, int, bytes | None, bytes, CodeType]  # iss, exp, iat, cti, card id, type

_PLAIN = re.compile(
    rb"([\xa4-\xa6])"  # a map of four to six entries
    rb"\x01([\x61-\x77])([!-~]{1,23})"  # iss, a string of up to 23 bytes
    rb"(?:\x04\x1a([^\x00].{3}))?"  # exp, four bytes: what would fit in fewer is not deterministic
    rb"\x06\x1a([^\x00].{3})"  # iat
    rb"(?:\x07\x48(.{8}))?"  # cti
    rb"\x3a\x00\x01\x00\x00\x58\x20(.{32})"  # card id
    rb"\x3a\x00\x01\x00\x01([\x00\x01])",  # type
    re.DOTALL,
)


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise by the prefix, as it is: lower case is another code."""
    return Code(NAME, text) if text.startswith(PREFIX) else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1, 2
    envelope = _envelope(code.text)
    if trace:
        trace("header", f"alg {envelope.alg} ({cose.ALGORITHMS[envelope.alg]}), kid {envelope.key_id.hex()}")
    # 3
    issuer, claims = _claims(envelope)
    usage = "dynamic" if claims.type is _DYNAMIC else "static"
    if trace:
        trace("decode", f"{usage}, issuer {issuer}, iat {claims.issued_at_s}, exp {claims.expires_at_s}")
    # 4
    trusted, key = _key(envelope, issuer, claims, trust)
    if trace:
        trace("key", f"{trusted.alg} of {trusted.issuer}, for {', '.join(sorted(trusted.usage)) or 'nothing'}")
    # 5
    if not key.verify(envelope.signature, envelope.to_be_signed(AAD)):
        raise Refused("signature.invalid", claims, detail="invalid")
    if trace:
        trace("signature", "valid")
    # 6
    if usage not in trusted.usage:
        raise Refused("key.usage", claims, detail="the key is not for codes of this type")
    require_key_valid(trusted, claims, now)
    # 7
    require_in_time(claims, now)
    is_vague = is_time_vague(now) and (claims.expires_at_s is not None or not is_key_life_certain(trusted, now))
    unchecked: tuple[str, ...] = ("time",) if is_vague else ()
    if trace:
        trace(
            "time",
            "known too badly to vouch for the expiry or the key's end"
            if unchecked
            else "within the code's and the key's life",
        )
    # 8
    revoked = trust.revoked if trust else None
    if revoked is None:
        unchecked += ("revocation",)
    else:
        require_unrevoked(revoked, claims, trusted)
    if trace:
        trace("revocation", "no list at hand" if revoked is None else "neither the key nor the card is revoked")
    return Verdict(NAME, Outcome.VERIFIED, "ok", claims, unchecked)


def _envelope(text: str) -> cose.Sign1:
    """Steps 1 and 2."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"{len(text)} characters, at most {TEXT_CHARACTERS_MAX}")
    try:
        return cose.decode_sign1(base45.decode(text[len(PREFIX) :]))
    except base45.Base45Invalid as error:
        raise Refused("decode.base45", detail=str(error)) from error
    except cose.HeaderInvalid as error:
        raise Refused("decode.header", detail=str(error)) from error
    except cose.CoseInvalid as error:
        raise Refused("decode.cose", detail=str(error)) from error


def _claims(envelope: cose.Sign1) -> tuple[str, Claims]:
    """Step 3: the issuer, and all that the code says."""
    fields = _read_plain(envelope.payload) or _read_any(envelope.payload)
    issuer, expires_at_s, issued_at_s, cti, card, type_ = fields
    if expires_at_s is not None and expires_at_s <= issued_at_s:
        raise Refused("decode.lifetime", detail="exp (4) is not after iat (6)")
    if type_ is _STATIC:
        if cti is not None:
            raise Refused("decode.claims", detail="a static code with cti (7)")
        return issuer, Claims(type_, issuer, envelope.key_id, issued_at_s, expires_at_s, None, card)
    if cti is None or expires_at_s is None:
        raise Refused("decode.claims", detail="a dynamic code without cti (7) or without exp (4)")
    if expires_at_s - issued_at_s > DYNAMIC_LIFE_S_MAX:
        raise Refused("decode.lifetime", detail=f"a dynamic code that lives more than {DYNAMIC_LIFE_S_MAX} s")
    replay = replay_id(issuer.encode("ascii"), cti)
    return issuer, Claims(type_, issuer, envelope.key_id, issued_at_s, expires_at_s, replay, card)


def _read_any(payload: bytes) -> _Fields:
    """Read claims of any shape that is allowed. `type(x) is`, not isinstance: a bool is an int to Python."""
    try:
        fields = cbor.decode_deterministic(payload)
    except cbor.CborInvalid as error:
        raise Refused("decode.cbor", detail=str(error)) from error
    if not isinstance(fields, dict):
        raise Refused("decode.claims", detail="not a map")
    issuer, card, number, cti = fields.get(_ISS), fields.get(_CARD), fields.get(_TYPE), fields.get(_CTI)
    if type(issuer) is not str or not _ISSUER.fullmatch(issuer):
        raise Refused("decode.claims", detail="iss (1) is not 1 to 32 printable ASCII characters")
    if type(number) is not int or number not in _TYPES:
        raise Refused("decode.claims", detail="the type (-65538) is neither 0 nor 1")
    if type(card) is not bytes or len(card) != _CARD_BYTES:
        raise Refused("decode.claims", detail="the card id (-65537) is not 32 bytes")
    if _CTI in fields and (type(cti) is not bytes or len(cti) != _CTI_BYTES):
        raise Refused("decode.claims", detail="cti (7) is not 8 bytes")
    for name in (_IAT, _EXP) if _EXP in fields else (_IAT,):
        instant = fields.get(name)
        if type(instant) is not int or not 0 <= instant <= SECONDS_MAX:
            raise Refused("decode.claims", detail=f"{name} is not whole seconds up to the year 9999")
    return issuer, fields.get(_EXP), fields[_IAT], cti, card, _TYPES[number]


def _read_plain(payload: bytes) -> _Fields | None:
    """Read claims that are just those of ehc1.cddl, as nearly every code's are; None for all others.

    A shorter way to what _read_any says of them (a test holds the two together): it saves a tenth of the whole check.
    """
    found = _PLAIN.fullmatch(payload)
    if found is None:
        return None
    entries, issuer_head, issuer, exp, iat, cti, card, type_ = found.groups()
    if entries[0] != 0xA4 + (exp is not None) + (cti is not None) or issuer_head[0] != 0x60 + len(issuer):
        return None
    expires_at_s = None if exp is None else int.from_bytes(exp, "big")
    return issuer.decode("ascii"), expires_at_s, int.from_bytes(iat, "big"), cti, card, _TYPES[type_[0]]


def _key(envelope: cose.Sign1, issuer: str, claims: Claims, trust: Trust | None) -> tuple[TrustedKey, VerificationKey]:
    """Step 4. Nothing is ever fetched."""
    trusted = key_of(NAME, issuer, envelope.key_id, cose.ALGORITHMS[envelope.alg], claims, trust)
    if trusted.key is None:
        raise Refused(f"key.{trusted.alg.lower()}-unavailable", claims, detail="this machine lacks the algorithm")
    return trusted, trusted.key


FAMILY = Family(NAME, recognise, verify)
