"""The WHO's trust list of the Global Digital Health Certification Network: DID documents (DID Core, `did.json`).

The law: the certificate in x5c counts, for most of the published coordinates are malformed; as numbers they must still
agree with it. The participant is the ISO 3166 alpha-3 code in the method's DID; signers (DSC) of the chosen domains
are taken, authorities are not.
"""

import re
from typing import Any
from urllib.parse import unquote

from agent.core.formats.jwk import COORDINATE_BYTES
from agent.core.public_lists.dcc import SIGNER, take_signer
from agent.core.public_lists.intake import EntryRefused, Intake, kid_of, object_of, objects_of
from agent.core.public_lists.jwk import base64url_of, first_certificate, is_of, p256_spki, require_public

ANY = "-"  # stands for every domain, participant or use
# did:web:HOST[:v2]:trustlist[:DOMAIN][:PARTICIPANT][:USE]#KID; the first version has the participant alone.
_METHOD = re.compile(r"did:web:[A-Za-z0-9.%-]+(?::[A-Za-z0-9._-]+)*?:trustlist((?::[A-Za-z0-9._-]+){0,3})(?:#(.*))?")


def read(data: bytes, intake: Intake) -> None:
    """Read a DID document. Raises ListUnreadable."""
    document = object_of(data, "the document")
    for index, method in enumerate(objects_of(document.get("verificationMethod"), "verificationMethod")):
        place = f"verificationMethod[{index}]"
        issuer: str | None = None
        kid: bytes | None = None
        try:
            if isinstance(method, str):
                raise EntryRefused("by-reference", "names another document: import the embedded list instead")
            if not isinstance(method, dict) or not isinstance(method.get("publicKeyJwk"), dict):
                raise EntryRefused("not-an-entry", "no publicKeyJwk")
            domain, issuer, use, fragment = _named(method)
            jwk = method["publicKeyJwk"]
            kid = kid_of(jwk.get("kid", fragment))
            require_public(jwk)
            if use not in (SIGNER, ANY):
                raise EntryRefused("not-a-signer", f"its use is {use[:32]}")
            if domain is not None and domain not in intake.choices.domains:
                raise EntryRefused("other-domain", f"of domain {domain[:32]}; take it with --domain")
            _take(intake, place, issuer or intake.choices.issuer, kid, jwk)
        except EntryRefused as error:
            intake.refuse(place, error, issuer, kid)


def _named(method: dict[str, Any]) -> tuple[str | None, str | None, str, str | None]:
    """Return (domain, participant, use, key id) of a verification method. Raises EntryRefused."""
    found = _METHOD.fullmatch(method["id"]) if isinstance(method.get("id"), str) else None
    if found is None:
        raise EntryRefused("not-an-entry", "its id is not a DID of a trust list")
    parts = [part for part in found[1].split(":") if part]
    fragment = unquote(found[2]) if found[2] else None
    if len(parts) == 1:  # the first version
        return None, parts[0].upper(), ANY, fragment
    domain, participant, use = (*parts, ANY, ANY, ANY)[:3]
    domain, participant, use = (
        given if written == ANY and isinstance(given, str) else written
        for written, given in (
            (domain, method.get("domain")),
            (participant, method.get("participant")),
            (use, method.get("keyusage")),
        )
    )
    return domain, None if participant == ANY else participant.upper(), use, fragment


def _take(intake: Intake, place: str, issuer: str | None, kid: bytes, jwk: dict[str, Any]) -> None:
    if "x5c" not in jwk:
        if issuer is None:
            raise EntryRefused("issuer-missing", "the method names no participant")
        intake.take_key("hcert", issuer, kid, p256_spki(jwk), {})
        return
    der = first_certificate(jwk)
    certificate = intake.certificate(der)
    if not is_of(jwk, certificate.spki):
        raise EntryRefused("key-differs", "x and y are not the key of the certificate in x5c")
    take_signer(intake, place, issuer, kid, der)
    coordinates = [base64url_of(jwk[name]) for name in ("x", "y") if name in jwk]
    if any(value is None or len(value) != COORDINATE_BYTES for value in coordinates):
        name = issuer or certificate.country or ""
        intake.remark(place, "coordinates-malformed", "the key is the certificate's", name, kid)
