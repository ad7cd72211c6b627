"""SMART Health Cards: `shc:/` and digits, of one code or of several, a compact JWS, or a file that holds one.

The standard is the SMART Health Cards Framework (spec.smarthealth.cards, 1.4). The law: a key is found by the code's
issuer and key id in the trust list, and never fetched nor taken from the code.
Verification, in this order:

1. Text: the digits, strictly; every part of a card in several codes; exactly one card in a file. Never trimmed.
2. JWS: three segments of strict base64url (jws.py); the header has alg ES256, zip DEF and kid, 32 bytes. What else it
   has is ignored (RFC 7515 §4), but for what must be understood and is not: crit, b64.
3. Payload: raw DEFLATE, whole, at most 32 kB or 14 times what is compressed, whichever is more; at most 2,000 objects
   and arrays; JSON without a name twice; iss, nbf, exp, vc and rid as they must be.
4. Key: the trust list's key of this issuer and key id; its algorithm is ES256.
5. Signature: r || s over header and payload as written. DER is none.
6. The key's validity: now, and when the card was issued.
7. Time: not certainly expired, not certainly from the future.
8. Revocation of the key, and of the card by the issuer's list of rids for this key.

What the FHIR resources say is not judged: they are described, no more.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.core.codes import parts
from agent.core.codes.family import FACTS_MAX, VALUE_CHARACTERS_MAX, Fact, Family, Refused
from agent.core.codes.validity import (
    is_expiry_certain,
    is_key_life_certain,
    key_of,
    require_in_time,
    require_key_valid,
    require_unrevoked,
    seconds_of,
)
from agent.core.formats import jws
from agent.core.formats.inflate import RAW, InflateInvalid, InflateOverLong, inflate
from agent.core.formats.json_text import JsonInvalid, decode_object
from agent.core.legible import legible
from agent.core.rid_lists import RID, RID_CHARACTERS_MAX
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustedKey, VerificationKey
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

NAME = "shc"
ALG = "ES256"
TYPE = "https://smarthealth.cards#health-card"
INFLATED_BYTES_MAX = 32_768
INFLATED_TIMES_MAX = 14
"""Whichever is more. Cards have 1 to 3 kB, three times what is compressed; the longest known 30 kB, 13 times."""

BRACKETS_MAX = 2_000
"""Objects and arrays, as their opening brackets. The longest known card has 779; a small one takes 66 bytes for each of
its characters, and nothing is signed yet when it is read."""

TEXT_CHARACTERS_MAX = 65_536  # PARTS_MAX codes, each with all the digits that a QR code holds

_RECOGNISED = "shc:"  # without the slash it is no card, but nothing else either: refused for what it is
_JWS_HEADS = ("eyJ", "eyA", "ewk", "ewo", "ew0")  # '{' in base64url, and '"' or white space, as JSON allows it there
_FILE_NAME = '"verifiableCredential"'
_FILE_HEAD_CHARACTERS = 1_024  # in which a file names its cards; looking through 8 kB takes too long
_KEY_ID_BYTES = 32
_ISSUER = re.compile(r"https://[!-~]{1,246}[!-.0-~]")  # a trust list's issuer has at most 255 characters
_DOTS = 2
_PREFIX_CHARACTERS = len(parts.PREFIX)


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise by the prefix, by the head and the dots of a JWS, or by the name that a file has its cards under."""
    if text.startswith(_RECOGNISED):
        return Code(NAME, text)
    if text.startswith(_JWS_HEADS):
        return Code(NAME, text) if text.count(".") == _DOTS else None
    return Code(NAME, text) if text[:1] == "{" and _FILE_NAME in text[:_FILE_HEAD_CHARACTERS] else None


def join(texts: Sequence[str]) -> Code:
    """Return the code that several codes are together, each a part of one card, in any order."""
    return Code(NAME, "\n".join(texts))


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1, 2
    signed, key_id = _jws(_characters(code.text))
    if trace:
        trace("header", f"alg {ALG}, kid {key_id.hex()}")
    # 3
    issuer, issued_at_s, rid, claims = _claims(signed, key_id)
    if trace:
        trace("decode", f"issuer {issuer}, nbf {claims.issued_at_s}, exp {claims.expires_at_s}")
    # 4
    trusted, key = _key(issuer, key_id, claims, trust)
    if trace:
        trace("key", f"{trusted.alg} of {trusted.issuer}")
    # 5
    if not key.verify(signed.signature, signed.signed):
        raise Refused("signature.invalid", claims, detail="invalid")
    if trace:
        trace("signature", "valid")
    # 6
    require_key_valid(trusted, claims, now)
    # 7
    require_in_time(claims, now)
    is_certain = is_expiry_certain(claims, now) and is_key_life_certain(trusted, now)
    unchecked: tuple[str, ...] = () if is_certain else ("time",)
    if trace:
        trace(
            "time",
            "known too badly to vouch for exp or the key's end"
            if unchecked
            else "within the card's and the key's life",
        )
    # 8
    is_checked = _require_unrevoked(trust, trusted, rid, issued_at_s, claims)
    if not is_checked:
        unchecked += ("revocation",)
    if trace:
        trace("revocation", "neither the key nor the card is revoked" if is_checked else "not every list is at hand")
    return Verdict(NAME, Outcome.VERIFIED, "ok", claims, unchecked)


def _characters(text: str) -> bytes:
    """Step 1: the characters of the one JWS."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"more than {TEXT_CHARACTERS_MAX} characters")
    if text.startswith(parts.PREFIX) and "/" not in (digits := text[_PREFIX_CHARACTERS:]):
        characters = parts.characters_of(digits)  # one code; two would have a prefix between them
    elif text.startswith(_RECOGNISED):
        characters = _joined(text)
    elif text.startswith("{"):
        characters = _of_file(text)
    else:
        characters = _ascii(text)
    if len(characters) > parts.WHOLE_CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"a JWS of more than {parts.WHOLE_CHARACTERS_MAX} characters")
    return characters


def _joined(text: str) -> bytes:
    lines = text.split("\n", parts.PARTS_MAX)
    if len(lines) > parts.PARTS_MAX:
        raise Refused("decode.parts", detail=f"more than {parts.PARTS_MAX} codes")
    return parts.join([parts.read_part(line) for line in lines])


def _of_file(text: str) -> bytes:
    try:
        found = decode_object(text.encode("utf-8", "surrogatepass")).get("verifiableCredential")
    except JsonInvalid as error:
        raise Refused("decode.json", detail=f"the file: {error}") from error
    if not isinstance(found, list) or not all(type(card) is str for card in found):
        raise Refused("decode.file", detail="verifiableCredential is not a list of texts")
    if len(found) != 1:
        # One scan, one verdict: to judge the first would say nothing of the others, whosever they are.
        raise Refused("decode.file", detail=f"a file with {len(found)} cards: show one at a time")
    return _ascii(found[0])


def _ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as error:
        raise Refused("decode.jws", detail="a character that a JWS lacks") from error


def _jws(characters: bytes) -> tuple[jws.Jws, bytes]:
    """Step 2: the JWS and its key id."""
    try:
        found = jws.decode(characters)
    except jws.HeaderInvalid as error:
        raise Refused("decode.header", detail=str(error)) from error
    except jws.JwsInvalid as error:
        raise Refused("decode.jws", detail=str(error)) from error
    alg, key_id, zip_ = found.header
    if alg != ALG or zip_ != "DEF":
        raise Refused("decode.header", detail="the header does not have alg ES256 and zip DEF")
    if key_id is None or len(key_id) != _KEY_ID_BYTES:
        raise Refused("decode.header", detail=f"the kid is not {_KEY_ID_BYTES} bytes in base64url")
    return found, key_id


def _claims(signed: jws.Jws, key_id: bytes) -> tuple[str, float, str | None, Claims]:
    """Step 3: issuer, nbf as written, rid, and all that the card says."""
    try:
        payload = _payload(signed.payload)
    except InflateOverLong as error:
        raise Refused("decode.over-long", detail=str(error)) from error
    except InflateInvalid as error:
        raise Refused("decode.deflate", detail=str(error)) from error
    except JsonInvalid as error:
        raise Refused("decode.json", detail=str(error)) from error
    issuer, vc = payload.get("iss"), payload.get("vc")
    if type(issuer) is not str or not _ISSUER.fullmatch(issuer):
        raise Refused("decode.claims", detail="iss is not an https URL without a slash at its end")
    issued_at_s = seconds_of(payload.get("nbf"), "nbf")
    expires_at_s = seconds_of(payload["exp"], "exp") if "exp" in payload else None
    if expires_at_s is not None and expires_at_s <= issued_at_s:
        raise Refused("decode.lifetime", detail="exp is not after nbf")
    rid = _rid(vc)
    # What names the card wherever it was issued: its rid, or a hash of what was signed. Sealed: a rid names a person.
    name = rid or hashlib.sha256(signed.signed).hexdigest()
    until_s = None if expires_at_s is None else int(expires_at_s)
    text = f"{issuer}#{name}".encode("ascii")
    claims = Claims(None, issuer, key_id, int(issued_at_s), until_s, text=text, content=payload)
    return issuer, issued_at_s, rid, claims


def _payload(compressed: bytes) -> dict[str, Any]:
    """Inflate and read, no more than a card may have. Raises InflateInvalid, JsonInvalid, Refused."""
    inflated = inflate(compressed, RAW, max(INFLATED_BYTES_MAX, INFLATED_TIMES_MAX * len(compressed)))
    if inflated.count(b"{") + inflated.count(b"[") > BRACKETS_MAX:
        raise Refused("decode.over-long", detail=f"more than {BRACKETS_MAX} objects and arrays")
    return decode_object(inflated)


def _rid(vc: object) -> str | None:
    """Check the credential's own fields; return its revocation id."""
    if not isinstance(vc, dict):
        raise Refused("decode.claims", detail="vc is not an object")
    types, subject = vc.get("type"), vc.get("credentialSubject")
    if not isinstance(types, list) or TYPE not in types:
        raise Refused("decode.claims", detail=f"vc.type lacks {TYPE}")
    if not isinstance(subject, dict) or type(subject.get("fhirVersion")) is not str:
        raise Refused("decode.claims", detail="vc.credentialSubject has no fhirVersion")
    bundle = subject.get("fhirBundle")
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise Refused("decode.claims", detail="vc.credentialSubject.fhirBundle is not a Bundle")
    if "rid" not in vc:
        return None
    rid = vc["rid"]
    if type(rid) is not str or not RID.fullmatch(rid):
        raise Refused("decode.claims", detail=f"vc.rid is not 1 to {RID_CHARACTERS_MAX} characters of base64url")
    return rid


def _key(issuer: str, key_id: bytes, claims: Claims, trust: Trust | None) -> tuple[TrustedKey, VerificationKey]:
    """Step 4."""
    trusted = key_of(NAME, issuer, key_id, ALG, claims, trust)
    if trusted.key is None:
        raise Refused("key.usage", claims, detail="the entry's certificate is an authority's, or not for signatures")
    return trusted, trusted.key


def _require_unrevoked(
    trust: Trust | None, trusted: TrustedKey, rid: str | None, issued_at_s: float, claims: Claims
) -> bool:
    """Step 8; say whether all there is to ask was at hand. Raises Refused."""
    revoked = trust.revoked if trust else None
    if revoked is not None:
        require_unrevoked(revoked, claims, trusted)
    listed = trust.trust_list.rid_list(NAME, trusted.issuer, trusted.key_id) if trust else None
    if listed is None:  # an issuer whose key has no crl_version publishes none: there is nothing to ask
        return revoked is not None and trusted.crl_version is None
    if listed.why_invalid is not None:
        raise Refused("revoked.list-invalid", claims, detail=f"the issuer's list for this key: {listed.why_invalid}")
    if trusted.crl_version is not None and trusted.crl_version != listed.counter:
        raise Refused("revoked.list-invalid", claims, detail="the issuer's list is not the one its key speaks of")
    if rid is not None and listed.has(rid, issued_at_s):
        raise Refused("revoked.card", claims, detail="the issuer has revoked the card")
    return revoked is not None


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Tell the card's types and resources, and for people who may know: whose it is. Never raises."""
    payload = claims.content
    vc = payload.get("vc") if isinstance(payload, dict) else None
    return tuple(_facts(vc))[:FACTS_MAX] if isinstance(vc, dict) else ()


def _facts(vc: dict[str, Any]) -> Iterator[Fact]:
    types = vc.get("type")
    kinds = [str(kind).rpartition("#")[2] for kind in types if kind != TYPE] if isinstance(types, list) else []
    if kinds:
        yield Fact("types", legible(" ".join(kinds)[:VALUE_CHARACTERS_MAX]))
    resources = list(_resources(vc.get("credentialSubject")))
    yield Fact("resources", str(len(resources)))
    for patient in [found for found in resources if found.get("resourceType") == "Patient"]:
        names = patient.get("name")
        for name in names[:1] if isinstance(names, list) else []:
            if isinstance(name, dict) and (said := _name(name)):
                yield Fact("name", legible(said[:VALUE_CHARACTERS_MAX]), is_personal=True)
        if type(born := patient.get("birthDate")) is str and born:
            yield Fact("birth_date", legible(born[:VALUE_CHARACTERS_MAX]), is_personal=True)


def _resources(subject: object) -> Iterator[dict[str, Any]]:
    bundle = subject.get("fhirBundle") if isinstance(subject, dict) else None
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


def _name(name: dict[str, Any]) -> str:
    given = name.get("given")
    words = [*(given if isinstance(given, list) else []), name.get("family")]
    return " ".join(word for word in words if type(word) is str)


FAMILY = Family(NAME, recognise, verify, describe)
