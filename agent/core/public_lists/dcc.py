"""Lists of EU DCC signers, as the gateway and national backends give them away.

Shapes, told apart by themselves: the gateway's and Germany's `certificates` with kid and rawData (Germany's first line
is a signature), Sweden's `dsc_trust_list` (a JWS whose payload may be unencoded, RFC 7797), France's
`certificatesDCC`, the United Kingdom's kid and publicKey.
"""

import hashlib
from typing import Any

from agent.core.public_lists.intake import (
    EntryRefused,
    Intake,
    ListUnreadable,
    base64_of,
    json_of,
    kid_of,
    objects_of,
    require_issuer,
    short_hash,
)
from agent.core.public_lists.jwk import base64url_of, first_certificate, require_public

SIGNER = "DSC"


def read(data: bytes, intake: Intake) -> None:
    """Read a list. Raises ListUnreadable."""
    value = _value(data.strip(), intake)
    if isinstance(value, dict) and isinstance(value.get("dsc_trust_list"), dict):
        _read_by_country(value["dsc_trust_list"], intake)
    elif isinstance(value, dict) and isinstance(value.get("certificatesDCC"), dict):
        _read_by_kid(value["certificatesDCC"], intake)
    elif isinstance(value, dict) and "certificates" not in value:
        raise ListUnreadable("no list of DCC signers: none of certificates, dsc_trust_list, certificatesDCC is in it")
    else:
        entries, name = (value["certificates"], "certificates") if isinstance(value, dict) else (value, "")
        for index, entry in enumerate(objects_of(entries, name or "the file")):
            _read_entry(entry, f"{name}[{index}]", intake)


def _value(data: bytes, intake: Intake) -> Any:
    """Return the JSON of the list, whatever it is wrapped in. Raises ListUnreadable."""
    if data.startswith(b"eyJ"):
        return _signed_payload(data, intake)
    if not data.startswith((b"{", b"[")):
        signature, _, data = data.partition(b"\n")
        try:
            signed = base64_of(signature.strip().decode("ascii", "replace"), "the signature on the first line")
        except EntryRefused as error:
            raise ListUnreadable("neither JSON nor a signature on the first line") from error
        intake.require_signed(signed, data)
    return json_of(data)


def _signed_payload(data: bytes, intake: Intake) -> Any:
    """Return the payload of a JWS in its compact form, encoded (RFC 7515 §3.1) or not (RFC 7797 §5.2)."""
    signed, _, signature = data.rpartition(b".")
    head, _, payload = signed.partition(b".")
    header = base64url_of(head.decode("ascii", "replace"))
    proof = base64url_of(signature.decode("ascii", "replace"))
    if header is None or proof is None:
        raise ListUnreadable("not a JWS in its compact form")
    intake.require_signed(proof, signed)
    if json_of(header).get("b64") is not False:
        payload = base64url_of(payload.decode("ascii", "replace")) or b""
    return json_of(payload)


def _read_entry(entry: Any, place: str, intake: Intake) -> None:
    """Read an entry of the gateway's shape, or of the United Kingdom's."""
    issuer, kid = None, None
    try:
        if not isinstance(entry, dict):
            raise EntryRefused("not-an-entry", "not an object")
        issuer = entry.get("country") or intake.choices.issuer
        kid = kid_of(entry.get("kid"))
        if entry.get("certificateType", SIGNER) != SIGNER:
            raise EntryRefused("not-a-signer", f"certificateType {str(entry['certificateType'])[:32]}")
        if "publicKey" in entry and "rawData" not in entry:
            intake.take_key("hcert", require_issuer(issuer), kid, base64_of(entry["publicKey"], "publicKey"), {})
            return
        der = base64_of(entry.get("rawData"), "rawData")
        thumbprint = entry.get("thumbprint")
        if isinstance(thumbprint, str) and thumbprint.lower() != hashlib.sha256(der).hexdigest():
            raise EntryRefused("thumbprint-differs", "thumbprint is not the SHA-256 of rawData")
        take_signer(intake, place, issuer, kid, der)
    except EntryRefused as error:
        intake.refuse(place, error, issuer, kid)


def take_signer(intake: Intake, place: str, issuer: object, kid: bytes, der: bytes) -> None:
    """Take a signer by its certificate, under the list's key id. Raises EntryRefused.

    Codes carry what their signer wrote into them, which is what the list says; the id proves nothing.
    """
    certificate = intake.certificate(der)
    name = require_issuer(issuer or certificate.country)
    intake.take_certificate("hcert", name, kid, certificate)
    if kid != short_hash(der):
        intake.remark(place, "kid-differs", "taken under the list's key id; it is not the certificate's", name, kid)


def _read_by_country(countries: dict[str, Any], intake: Intake) -> None:
    """Read Sweden's shape: a JWK set with x5c for each country."""
    for country, part in countries.items():
        place = f"dsc_trust_list.{country[:32]}.keys"
        jwks = objects_of(part.get("keys") if isinstance(part, dict) else None, place)
        for index, jwk in enumerate(jwks):
            kid = None
            try:
                if not isinstance(jwk, dict):
                    raise EntryRefused("not-an-entry", "not an object")
                kid = kid_of(jwk.get("kid"))
                require_public(jwk)
                take_signer(intake, f"{place}[{index}]", country, kid, first_certificate(jwk))
            except EntryRefused as error:
                intake.refuse(f"{place}[{index}]", error, country, kid)


def _read_by_kid(certificates: dict[str, Any], intake: Intake) -> None:
    """Read France's shape: base64 of the base64 of a certificate, or of a bare key, by key id."""
    for index, (name, text) in enumerate(objects_of(list(certificates.items()), "certificatesDCC")):
        place, kid = f"certificatesDCC[{index}]", None
        try:
            kid = kid_of(name)
            der = base64_of("".join(base64_of(text, "value").decode("ascii", "replace").split()), "value")
            try:
                take_signer(intake, place, None, kid, der)
            except EntryRefused as error:
                if error.reason != "not-a-certificate":
                    raise
                intake.take_key("hcert", require_issuer(intake.choices.issuer), kid, der, {})
        except EntryRefused as error:
            intake.refuse(place, error, None, kid)
