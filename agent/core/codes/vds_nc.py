"""ICAO VDS-NC, the seal of vaccinations and tests: JSON with its signature and its signer's certificate.

The format is ICAO's technical report VDS-NC (2021): {"data": {"hdr", "msg"}, "sig": {"alg", "cer", "sigvl"}}. The law:
the certificate in the code proves nothing by itself; the trust list's authority of the issuing country must have signed
it, or the trust list must have that very key. Verification, in this order:

1. Text: at most TEXT_CHARACTERS_MAX characters; strict JSON (json_text.py), no name twice, nothing behind it.
2. Shape: exactly the members above, for what is not in "data" is not signed; hdr.t, hdr.v = 1, hdr.is of one to three
   letters; msg says who and what. Other members within "data" are signed and ignored.
3. Algorithm: ES256. ES384 and ES512, which the report allows, are refused aloud.
4. Certificate and signature: strict base64url, padded or not; r || s of 64 bytes.
5. Key: entries of hdr.is in the trust list. A signer's key that is pinned must be the certificate's; else one of the
   issuer's authorities, at most AUTHORITIES_MAX, must have signed the certificate.
6. Signature over the canonical form (RFC 8785) of "data".
7. What the signer may do: it is no authority itself, it is of its authority's country, its extended key usage is
   2.23.136.1.1.14.2, and its document types, where it names some, have the kind of this code.
8. Authority and signer are valid now; a seal does not say when it was made, nor when it ends: `expiry` is unchecked.
9. Revocation of the authority's or pinned key, and of the signer's: the first 8 bytes of SHA-256 over its key.
"""

import hashlib
import re
from dataclasses import replace
from typing import Any, NamedTuple

from agent.core.codes.family import VALUE_CHARACTERS_MAX, Fact, Family, Refused
from agent.core.codes.validity import is_key_life_certain, require_key_valid, require_unrevoked
from agent.core.formats import base64url, canonical_json, json_text
from agent.core.legible import legible
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import (
    AlgorithmUnavailable,
    Certificate,
    CertificateRefused,
    Trust,
    TrustedKey,
    VerificationKey,
)
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

NAME = "vds-nc"
TEXT_CHARACTERS_MAX = 4_296
"""What the largest QR code holds of letters and digits (ISO/IEC 18004); of bytes it holds fewer."""
AUTHORITIES_MAX = 16
"""Each may cost a signature check; a country has a few, from one change of keys to the next."""
PURPOSE = "2.23.136.1.1.14.2"
"""Extended key usage of a signer of these seals."""
_ALGORITHMS_TO_COME = frozenset({"ES384", "ES512"})
DOCUMENT_TYPES = {"icao.vacc": "NV", "icao.test": "NT"}
"""What a seal says it is -> the document type of those who may sign it (ICAO Doc 9303-12)."""
_VERSION = 1
_SIGNATURE_BYTES = 64
_KEY_ID_BYTES = 8
_NAME_CHARACTERS_MAX = 64
_DOSES_MAX = 8
_HEAD = re.compile(
    r'[ \t\r\n]{0,64}\{[ \t\r\n]{0,64}"(?:(data)|sig)"[ \t\r\n]{0,64}:[ \t\r\n]{0,64}\{[ \t\r\n]{0,64}'
    r'(?(1)|"(?:alg|cer|sigvl)")'
)
_HEADER_NAME = '"hdr"'
_HEADER_CHARACTERS = 2_048
"""Within which it is named; looking through 8 kB would take a third of a signature check."""
_ISSUER = re.compile(r"[A-Z]{1,3}")
_VERIFIED = Outcome.VERIFIED  # Python 3.11 is slow to look it up


class Seal(NamedTuple):
    """A code's parts, by shape alone."""

    issuer: str
    kind: str
    message: dict[str, Any]
    data: dict[str, Any]
    certificate: bytes
    signature: bytes

    def __repr__(self) -> str:
        return f"Seal(issuer={self.issuer!r}, kind={self.kind!r})"


class Signer(NamedTuple):
    """Whose key it is. entry: of the trust list, with the dates by which the signer is judged."""

    entry: TrustedKey
    key: VerificationKey
    key_id: bytes
    dates: TrustedKey
    certificate: Certificate | None


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise JSON that begins with "data", with "hdr" in it, or with "sig" and one of the three names in it."""
    found = _HEAD.match(text)
    if found is None or (found[1] and _HEADER_NAME not in text[:_HEADER_CHARACTERS]):
        return None
    return Code(NAME, text)


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1 to 4
    seal = _seal(_decode(code.text))
    signed = _signed(seal)
    claims = Claims(issuer=seal.issuer, text=_name(seal.kind, seal.message), content=(seal.kind, seal.message))
    if trace:
        trace("decode", f"{seal.kind} of {seal.issuer}, certificate of {len(seal.certificate)} bytes")
    # 5
    signer = _signer(seal, claims, trust)
    claims = Claims(issuer=seal.issuer, key_id=signer.key_id, text=claims.text, content=claims.content)
    if trace:
        trace("key", f"ES256, kid {signer.key_id.hex()}, by entry {signer.entry.key_id.hex()} of {seal.issuer}")
    # 6
    if not signer.key.verify(seal.signature, signed):
        raise Refused("signature.invalid", claims, detail="invalid")
    if trace:
        trace("signature", "valid")
    # 7
    _require_purpose(seal, signer, claims)
    # 8
    require_key_valid(signer.entry, claims, now)
    require_key_valid(signer.dates, claims, now)
    if trace:
        trace("time", "within the life of signer and authority; the format has no expiry")
    # 9
    revoked = trust.revoked if trust else None
    is_certain = is_key_life_certain(signer.entry, now) and is_key_life_certain(signer.dates, now)
    unchecked: tuple[str, ...] = ("expiry",) if is_certain else ("time", "expiry")
    if revoked is None:
        unchecked += ("revocation",)
    else:
        require_unrevoked(revoked, claims, signer.entry)
        require_unrevoked(revoked, claims, signer.dates)
    if trace:
        trace("revocation", "no list at hand" if revoked is None else "neither the signer nor its authority is revoked")
    return Verdict(NAME, _VERIFIED, "ok", claims, unchecked)


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Return whose seal it is and what was given or found."""
    if not isinstance(claims.content, tuple):
        return ()
    kind, message = claims.content
    facts = [Fact("kind", kind)]
    person = _part(message, "pid")
    for name, member in (("name", "n"), ("date of birth", "dob"), ("sex", "sex"), ("document number", "i")):
        facts += _fact(name, person, member, is_personal=True)
    if kind == "icao.test":
        facts += _fact("certificate", message, "utci", is_personal=True)
        facts += _fact("taken at", _part(message, "dat"), "sc", is_personal=True)
        for name, member in (("test", "tc"), ("result", "r"), ("method", "m")):
            facts += _fact(name, _part(message, "tr"), member, is_personal=True)
        return tuple(facts)
    facts += _fact("certificate", message, "uvci", is_personal=True)
    doses = [(event, dose) for event in _parts(message, "ve") for dose in _parts(event, "vd")]
    facts.append(Fact("doses", str(len(doses))))
    for event, dose in doses[:_DOSES_MAX]:
        for name, part, member in (("vaccine", event, "nam"), ("given on", dose, "dvc"), ("dose", dose, "seq")):
            facts += _fact(name, part, member, is_personal=True)
    return tuple(facts)


def _decode(text: str) -> dict[str, Any]:
    """Step 1."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"{len(text)} characters, at most {TEXT_CHARACTERS_MAX}")
    try:
        return json_text.decode_object(text.encode())
    except UnicodeEncodeError as error:
        raise Refused("decode.json", detail="half a character") from error
    except json_text.JsonInvalid as error:
        raise Refused("decode.json", detail=str(error)) from error


def _seal(text: dict[str, Any]) -> Seal:
    """Steps 2 to 4."""
    data, sig = _members(text, "data", "sig")
    header, message = _members(data, "hdr", "msg", is_signed=True)
    alg, certificate, signature = _members(sig, "alg", "cer", "sigvl")
    if not isinstance(header, dict) or not isinstance(message, dict):
        raise Refused("decode.claims", detail="hdr or msg is not an object")
    kind, version, issuer = header.get("t"), header.get("v"), header.get("is")
    if type(version) is not int or version != _VERSION:
        raise Refused("decode.version", detail=f"hdr.v is not {_VERSION}")
    if type(kind) is not str or kind not in DOCUMENT_TYPES:
        raise Refused("decode.type", detail="hdr.t is neither a vaccination nor a test")
    if type(issuer) is not str or not _ISSUER.fullmatch(issuer):
        raise Refused("decode.issuer", detail="hdr.is is not one to three capital letters")
    if type(alg) is str and alg in _ALGORITHMS_TO_COME:
        raise Refused(f"key.{alg.lower()}-unavailable", Claims(issuer=issuer), detail="only ES256 is verified here")
    if alg != "ES256":
        raise Refused("decode.header", Claims(issuer=issuer), detail="sig.alg is not ES256")
    found = Seal(issuer, kind, message, data, _base64url(certificate), _base64url(signature))
    if len(found.signature) != _SIGNATURE_BYTES:
        raise Refused("decode.signature", Claims(issuer=issuer), detail=f"not {_SIGNATURE_BYTES} bytes")
    return found


def _members(value: object, *names: str, is_signed: bool = False) -> tuple[Any, ...]:
    """Return an object's members of these names: all there, and no others where nobody signed them."""
    if not isinstance(value, dict) or not value.keys() >= set(names):
        raise Refused("decode.claims", detail=f"not an object with {', '.join(names)}")
    if not is_signed and len(value) != len(names):
        raise Refused("decode.claims", detail="a member that nobody signed")
    return tuple(value[name] for name in names)


def _base64url(text: object) -> bytes:
    """Return the bytes of base64url (RFC 4648 §5), padded or not, written in the one way there is."""
    if not isinstance(text, str):
        raise Refused("decode.base64", detail="not text")
    bare = text.rstrip("=")
    if text not in (bare, bare + "=" * (-len(bare) % 4)):
        raise Refused("decode.base64", detail="padded in a form of its own")
    try:
        return base64url.decode(bare.encode("ascii"))
    except ValueError as error:
        raise Refused("decode.base64", detail="not base64url, or in a form of its own") from error


def _signed(seal: Seal) -> bytes:
    try:
        return canonical_json.encode(seal.data)
    except canonical_json.NotCanonical as error:
        raise Refused("decode.json", Claims(issuer=seal.issuer), detail=str(error)) from error


def _name(seal_kind: str, message: dict[str, Any]) -> bytes:
    """Return the certificate's id."""
    member = "uvci" if seal_kind == "icao.vacc" else "utci"
    name = message.get(member)
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_CHARACTERS_MAX:
        raise Refused("decode.claims", detail=f"no {member} of 1 to {_NAME_CHARACTERS_MAX} characters")
    return name.encode()


def _signer(seal: Seal, claims: Claims, trust: Trust | None) -> Signer:
    """Step 5. A key that comes with the code counts only where the trust list answers for it."""
    if trust is None:
        raise Refused("key.no-trust-list", claims, detail="no trust list")
    entries = trust.trust_list.of_issuer(NAME, seal.issuer)
    if not entries:
        raise Refused("key.unknown-issuer", claims, detail="the trust list has no key of this issuer")
    for entry in entries:
        # The whole key as in the certificate; what else is in there, nobody needs to believe.
        if entry.key is not None and entry.alg == "ES256" and entry.spki in seal.certificate:
            key_id = _key_id(entry.spki)
            return Signer(entry, entry.key, key_id, replace(entry, key_id=key_id), entry.certificate)
        if entry.key is None and entry.certificate is None and entry.spki in seal.certificate:
            # Two entries of it that leave nothing: no authority makes more of it than one of them alone would.
            raise Refused("key.usage", claims, detail="what the trust list's entries of this key leave is nothing")
    why = "none of the issuer's keys, and no authority of its own"
    certified = ((entry, entry.certificate) for entry in entries)
    authorities = [(entry, found) for entry, found in certified if found is not None and found.is_authority]
    for entry, authority in authorities[:AUTHORITIES_MAX]:
        try:
            return _chained(entry, authority.vouch(seal.certificate), claims)
        except CertificateRefused as error:
            why = str(error)
    raise Refused("key.unknown", claims, detail=why)


def _chained(entry: TrustedKey, certificate: Certificate, claims: Claims) -> Signer:
    """Return the signer that an authority vouches for."""
    try:
        key = certificate.key("ES256")
    except (ValueError, AlgorithmUnavailable) as error:
        raise Refused("key.algorithm-mismatch", claims, detail="the signer's key is not for ES256") from error
    key_id = _key_id(certificate.spki)
    dates = replace(
        entry, key_id=key_id, not_before_s=certificate.not_before_s, not_after_s=certificate.not_after_s
    )  # fmt: skip
    return Signer(entry, key, key_id, dates, certificate)


def _key_id(spki: bytes) -> bytes:
    return hashlib.sha256(spki).digest()[:_KEY_ID_BYTES]


def _require_purpose(seal: Seal, signer: Signer, claims: Claims) -> None:
    """Step 7. What is pinned as a bare key is for what its entry says."""
    if signer.entry.usage and seal.kind not in signer.entry.usage:
        raise Refused("key.usage", claims, detail="the trust list has this key for other kinds")
    certificate, authority = signer.certificate, signer.entry.certificate
    if certificate is None:
        return
    if certificate.is_authority:
        raise Refused("key.usage", claims, detail="the signer's certificate is an authority's")
    is_pinned = authority is certificate
    if authority is None or not (is_pinned or _is_of_one_country(certificate, authority)):
        raise Refused("key.country", claims, detail="the signer's country is not its authority's")
    if PURPOSE not in certificate.usages:
        raise Refused("key.usage", claims, detail=f"its extended key usage is not {PURPOSE}")
    if certificate.document_types and DOCUMENT_TYPES[seal.kind] not in certificate.document_types:
        raise Refused("key.usage", claims, detail="the signer is for other kinds of document")


def _is_of_one_country(signer: Certificate, authority: Certificate) -> bool:
    """Say whether both name one country. Doc 9303-12 has every certificate name one: without it, nothing is alike."""
    return authority.country is not None and (signer.country or "").upper() == authority.country.upper()


def _part(value: object, member: str) -> object:
    return value.get(member) if isinstance(value, dict) else None


def _parts(value: object, member: str) -> list[object]:
    found = _part(value, member)
    return found if isinstance(found, list) else []


def _fact(name: str, value: object, member: str, *, is_personal: bool) -> list[Fact]:
    found = _part(value, member)
    if isinstance(found, str | int) and found != "":
        return [Fact(name, legible(str(found)[:VALUE_CHARACTERS_MAX]), is_personal=is_personal)]
    return []


FAMILY = Family(NAME, recognise, verify, describe)
