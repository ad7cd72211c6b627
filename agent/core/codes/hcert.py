"""HCERT, the EU's Digital COVID Certificate and the WHO's GDHCN: "HC1:" + base45 of a compressed, signed CWT.

Read as issuers write it (eHealth Network, Electronic Health Certificate Specification; RFC 8392; RFC 9052). The law:
the trust list's key decides the algorithm and who the issuer is; only what the signature covers is believed; nothing is
ever fetched, and a key that comes with the code is no key. Verification, in this order:

1. Text: "HC1:", other versions are refused; base45 (RFC 9285) of what a QR code holds; one whole zlib stream (RFC 1950)
   that makes at most INFLATED_BYTES_MAX bytes. Uncompressed ones are refused: the specification has none.
2. Envelope: COSE_Sign1, tagged or not; alg ES256 or PS256, protected; kid protected, else unprotected
   (tolerant_cose.py).
3. Claims: exp (4) and iat (6), whole or broken seconds up to the year 9999, exp not before iat; nbf (5), if there,
   such seconds, too; iss (1), if there, a text; a container (-260) that says something (dcc.py), of any schema.
4. Keys: every key of the trust list with this kid, this algorithm and, where iss names a country, of that country.
5. Signature over header and payload as received, with each of those keys (key ids are short and may name several).
6. What that key may do: usage for each kind that is stated, by the trust list and by its certificate; valid now, and
   when the code was issued.
7. Time: not certainly after exp, not certainly before iat or nbf.
8. Revocation of the key and of the certificate, by any of the EU's three hashes.
"""

import hashlib
import re

import msgspec

from agent.core.codes import dcc
from agent.core.codes.countries import country_named, two_letters
from agent.core.codes.family import Fact, Family, Refused
from agent.core.codes.validity import (
    SECONDS_MAX,
    is_begun_certain,
    is_expiry_certain,
    is_key_life_certain,
    is_time_vague,
    require_begun,
    require_in_time,
    require_key_valid,
    require_unrevoked,
    seconds_of,
)
from agent.core.formats import base45, inflate, tolerant_cbor, tolerant_cose
from agent.core.formats.cose import CoseInvalid, HeaderInvalid
from agent.core.revocation import RevocationList
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Certificate, Trust, TrustedKey
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

NAME = "hcert"
PREFIX = "HC1:"
TEXT_CHARACTERS_MAX = base45.CHARACTERS_MAX
INFLATED_BYTES_MAX = 8_192
"""Real codes have 350 to 900 bytes, at most 1.5 times what is compressed; a QR code's text holds 2,861 compressed."""

_ISS, _EXP, _NBF, _IAT, _HCERT = 1, 4, 5, 6, -260  # RFC 8392 §4; -260: hcert
_PREFIX_CHARACTERS = len(PREFIX)
_VERSION = re.compile(r"HC[0-9]{1,4}:")
_ISSUER_CHARACTERS_MAX = 80
_SIGNED_HASH_BYTES = 16
_SHA256 = hashlib.sha256()  # a copy costs less than a new one
_VERIFIED = Outcome.VERIFIED  # Python 3.11 is slow to look it up

_ARCS = ("1.3.6.1.4.1.1847.2021.1", "1.3.6.1.4.1.0.1847.2021.1")  # as specified now and before; both are in use
USAGES = {f"{arc}.{number}": kind for arc in _ARCS for number, kind in ((1, "t"), (2, "v"), (3, "r"))}
"""Extended key usages of signers (Decision (EU) 2021/1073 as amended) -> test, vaccination, recovery."""
ANY_USAGE = "2.5.29.37.0"
"""anyExtendedKeyUsage: the others named beside it are a hint, no limit (RFC 5280 §4.2.1.12)."""
TRAVEL_DOCUMENTS = "2.23.136.1.1."
"""ICAO's usages: a key that has these and none of the above is for no health certificate."""


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What a code says of itself, unproven: iss as written, whole seconds, the container as decoded and as read."""

    issuer: str | None
    expires_at_s: int
    issued_at_s: int
    content: object
    container: dcc.Container
    not_before_s: int | None


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise by the prefix, as it is: any version of it, lower case is another code."""
    if text.startswith(PREFIX) or (text.startswith("HC") and _VERSION.match(text)):
        return Code(NAME, text)
    return None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1, 2
    envelope = _envelope(code.text)
    if trace:
        trace("header", f"alg {envelope.alg}, kid {envelope.key_id.hex()}")
    # 3
    said = _said(envelope)
    if trace:
        issuer = "not given" if said.issuer is None else ascii(said.issuer)
        trace("decode", f"issuer {issuer}, iat {said.issued_at_s}, exp {said.expires_at_s}")
    # 4
    candidates = _candidates(envelope, said, trust)
    if trace:
        trace("key", ", ".join(f"{key.alg} of {key.issuer}" for key in candidates))
    # 5, 6
    trusted, claims = _signer(envelope, candidates, said, now)
    if trace:
        trace("signature", f"valid, by {trusted.issuer}")
    # 7
    require_in_time(claims, now)
    unchecked: tuple[str, ...] = ()
    if said.not_before_s is not None:
        require_begun(said.not_before_s, claims, now)
    if is_time_vague(now) and not _is_life_certain(said, claims, trusted, now):
        unchecked = ("time",)
    if trace:
        trace("time", "too vague to vouch for the expiry" if unchecked else "within the code's and the key's life")
    # 8
    revoked = trust.revoked if trust else None
    if revoked is None:
        unchecked += ("revocation",)
    else:
        require_unrevoked(revoked, claims, trusted)
        _require_certificate_unrevoked(revoked, claims, envelope, said)
    if trace:
        trace("revocation", "no list at hand" if revoked is None else "neither the key nor the certificate is revoked")
    return Verdict(NAME, _VERIFIED, "ok", claims, unchecked)


def _is_life_certain(said: _Said, claims: Claims, trusted: TrustedKey, now: Interval) -> bool:
    """Step 7: whether code and key are certain not to have ended, and a code with nbf to have begun."""
    if said.not_before_s is not None and not is_begun_certain(said.not_before_s, now):
        return False
    return is_expiry_certain(claims, now) and is_key_life_certain(trusted, now)


def _envelope(text: str) -> tolerant_cose.ForeignSign1:
    """Steps 1 and 2."""
    if not text.startswith(PREFIX):
        raise Refused("decode.version", detail="another version than HC1")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"{len(text)} characters, at most {TEXT_CHARACTERS_MAX}")
    try:
        token = inflate.inflate(base45.decode(text[_PREFIX_CHARACTERS:]), inflate.ZLIB, INFLATED_BYTES_MAX)
        return tolerant_cose.decode_sign1(token)
    except base45.Base45Invalid as error:
        raise Refused("decode.base45", detail=str(error)) from error
    except inflate.InflateOverLong as error:
        raise Refused("decode.over-long", detail=str(error)) from error
    except inflate.InflateInvalid as error:
        raise Refused("decode.inflate", detail=str(error)) from error
    except HeaderInvalid as error:
        raise Refused("decode.header", detail=str(error)) from error
    except CoseInvalid as error:
        raise Refused("decode.cose", detail=str(error)) from error


def _said(envelope: tolerant_cose.ForeignSign1) -> _Said:
    """Step 3."""
    try:
        fields = tolerant_cbor.decode_map(envelope.payload)
    except tolerant_cbor.ForeignCborInvalid as error:
        raise Refused("decode.cbor", detail=str(error)) from error
    issuer = fields.get(_ISS)
    if issuer is not None and (not isinstance(issuer, str) or len(issuer) > _ISSUER_CHARACTERS_MAX):
        raise Refused("decode.claims", detail=f"iss (1) is not a text of at most {_ISSUER_CHARACTERS_MAX} characters")
    exp, iat = fields.get(_EXP), fields.get(_IAT)
    if type(exp) is int and type(iat) is int and 0 <= iat <= exp <= SECONDS_MAX:  # nearly always
        expires_at_s, issued_at_s = exp, iat
    else:
        expires_at_s, issued_at_s = int(seconds_of(exp, "exp (4)")), int(seconds_of(iat, "iat (6)"))
        if expires_at_s < issued_at_s:
            raise Refused("decode.lifetime", detail="exp (4) is before iat (6)")
    content = fields.get(_HCERT)
    container = dcc.read_container(content)
    if not container.kinds:
        raise Refused("decode.claims", detail="hcert (-260) holds nothing that can be read")
    not_before_s = int(seconds_of(fields[_NBF], "nbf (5)")) if _NBF in fields else None
    return _Said(issuer, expires_at_s, issued_at_s, content, container, not_before_s)


def _candidates(envelope: tolerant_cose.ForeignSign1, said: _Said, trust: Trust | None) -> tuple[TrustedKey, ...]:
    """Step 4. At most KEYS_OF_ONE_ID_MAX."""
    if trust is None:
        raise Refused("key.no-trust-list", _unproven(envelope, said), detail="no trust list")
    named = trust.trust_list.find_all(NAME, envelope.key_id)
    if len(named) == 1 and named[0].issuer == said.issuer and named[0].alg == envelope.alg:  # nearly always
        return named
    ours = [key for key in named if _is_of_issuer(key, said.issuer)]
    fitting = tuple(key for key in ours if key.alg == envelope.alg)
    if fitting:
        return fitting
    if not named:
        reason, detail = "key.unknown", "the trust list has no key with this id"
    elif not ours:
        reason, detail = "key.other-issuer", "iss (1) names a country whose key this is not"
    else:
        reason, detail = "key.algorithm-mismatch", f"the key is for {ours[0].alg}"
    raise Refused(reason, _unproven(envelope, said), detail=detail)


def _unproven(envelope: tolerant_cose.ForeignSign1, said: _Said) -> Claims:
    """Return what a refused code's record may use: what it says of itself, and nothing of its content."""
    return Claims(None, said.issuer, envelope.key_id, said.issued_at_s, said.expires_at_s)


def _is_of_issuer(key: TrustedKey, issuer: str | None) -> bool:
    """Say whether a code that calls its issuer this may be signed with the key.

    iss is a country by the specification, in two letters; some authorities write their own name ("CNAM", "CH BAG"),
    which claims no country. The verdict names the issuer as the trust list does, whatever iss says.
    """
    if issuer is None or issuer == key.issuer:
        return True
    country = country_named(issuer.upper())
    if country is None or country == country_named(key.issuer.upper()):
        return True
    certificate = key.certificate
    return certificate is not None and country == country_named((certificate.country or "").upper())


def _signer(
    envelope: tolerant_cose.ForeignSign1, candidates: tuple[TrustedKey, ...], said: _Said, now: Interval
) -> tuple[TrustedKey, Claims]:
    """Steps 5 and 6: the first key that signed it and may; else the first reason why one that signed it may not."""
    reason: Refused | None = None
    for trusted in candidates:
        if trusted.key is None or not trusted.key.verify(envelope.signature, envelope.signed):
            continue
        claims = _claims(trusted.issuer, envelope, said)
        try:
            _require_usage(trusted, said.container.kinds, claims)
            require_key_valid(trusted, claims, now)
        except Refused as refused:
            reason = reason or refused
            continue
        return trusted, claims
    if reason is None and all(trusted.not_after_s < trusted.not_before_s for trusted in candidates):
        reason = Refused("key.usage", _unproven(envelope, said), detail="the trust list's entries leave it nothing")
    if reason is None and all(trusted.key is None for trusted in candidates):
        name = f"key.{envelope.alg.lower()}-unavailable"
        reason = Refused(name, _unproven(envelope, said), detail="this machine lacks the algorithm")
    raise reason or Refused("signature.invalid", _unproven(envelope, said), detail="invalid")


def _claims(issuer: str, envelope: tolerant_cose.ForeignSign1, said: _Said) -> Claims:
    """Return all that a signed code says. issuer: as the trust list has it."""
    text = "\n".join(said.container.ids).encode() or None
    key_id, issued_at_s, expires_at_s = envelope.key_id, said.issued_at_s, said.expires_at_s
    return Claims(None, issuer, key_id, issued_at_s, expires_at_s, text=text, content=said.content)


def _require_usage(trusted: TrustedKey, kinds: frozenset[str], claims: Claims) -> None:
    """Check that the key may state all that is stated. Without a limit it may."""
    if trusted.usage and not kinds <= trusted.usage:
        raise Refused("key.usage", claims, detail="the trust list has the key for other kinds of certificate")
    if trusted.certificate is not None and not trusted.certificate.may_sign:
        raise Refused("key.usage", claims, detail="the certificate's key is not for signatures over data")
    if trusted.certificate is not None and not _is_for(trusted.certificate, kinds):
        raise Refused("key.usage", claims, detail="the signer's certificate is for other kinds of certificate")


def _is_for(certificate: Certificate, kinds: frozenset[str]) -> bool:
    """Say whether a certificate's extended key usages allow these kinds: with none of ours, they do."""
    if not certificate.usages or ANY_USAGE in certificate.usages:
        return True
    found = {USAGES[usage] for usage in certificate.usages if usage in USAGES}
    if found:
        return kinds <= found
    return not any(usage.startswith(TRAVEL_DOCUMENTS) for usage in certificate.usages)


def _require_certificate_unrevoked(
    revoked: RevocationList, claims: Claims, envelope: tolerant_cose.ForeignSign1, said: _Said
) -> None:
    """Step 8: the EU's hashes SIGNATURE, UCI and COUNTRYCODEUCI.

    Some issuers hash the country of the entry (co), others that of iss: each of them counts.
    Of an ECDSA signature only r is hashed: (r, N - s) is as valid as (r, s), and anybody can make one from the other.
    """
    signature = envelope.signature
    named_countries = (said.issuer, claims.issuer, two_letters(claims.issuer or ""), *dcc.countries_of(said.content))
    countries = {code for code in named_countries if code}
    named = [signature[: len(signature) // 2] if envelope.alg == "ES256" else signature]
    for name in said.container.ids:
        named.append(name.encode())
        named += [(country + name).encode() for country in countries]
    for thing in named:
        digest = _SHA256.copy()
        digest.update(thing)
        if revoked.has_dcc(digest.digest()[:_SIGNED_HASH_BYTES]):
            raise Refused("revoked.certificate", claims, detail="the certificate is revoked")


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Return what the container says, for people: kind, country, dates; name, birth and certificate id are personal."""
    return dcc.describe_container(claims.content)


FAMILY = Family(NAME, recognise, verify, describe)
