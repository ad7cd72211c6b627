"""X.509 certificates that the `cryptography` library refuses and countries use all the same, read with asn1crypto.

The law: only what carries no meaning here may be wrong (a negative serial, letters a PrintableString may not hold, an
extension nobody asks for); the key comes out in its one usual form. Only certificates that stand in a trust list are
read so: what a code brings is read strictly, and so is its signature. Loaded only for lists that need it.
"""

from dataclasses import dataclass, field
from typing import Any

from asn1crypto import core, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from agent.adapters.keys import certificates
from agent.adapters.keys.verification import build_key
from agent.core.trust_list import Certificate, CertificateRefused, VerificationKey

_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
_COUNTRY = "2.5.4.6"
_BASIC_CONSTRAINTS, _KEY_USAGE, _KEY_USAGES = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_DOCUMENT_TYPES = "2.23.136.1.1.6.2"  # ICAO Doc 9303-12; not read here, so it allows nothing
_UNDERSTOOD = {"basic_constraints", "key_usage", "extended_key_usage", "key_identifier", "authority_key_identifier"}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class LenientCertificate:
    """Implements agent.core.trust_list.Certificate."""

    spki: bytes
    not_before_s: int
    not_after_s: int
    country: str | None
    usages: frozenset[str]
    is_authority: bool
    document_types: frozenset[str]
    _subject: bytes = field(repr=False)
    _may_sign_certificates: bool = field(repr=False)

    def key(self, alg: str) -> VerificationKey:
        """Return its key for an algorithm. Raises ValueError, AlgorithmUnavailable."""
        return build_key(alg, self.spki)

    def vouch(self, der: bytes) -> Certificate:
        """Return the certificate of these bytes, signed by this authority's key. Raises CertificateRefused."""
        if not self.is_authority or not self._may_sign_certificates:
            raise CertificateRefused("its issuer's certificate is not an authority's")
        signer = certificates.read_certificate(der)
        _require_signed(der, self._subject, self.spki)
        return signer


def read_certificate(der: bytes) -> LenientCertificate:
    """Read one certificate of at most certificates.CERTIFICATE_BYTES_MAX bytes. Raises CertificateRefused."""
    if len(der) > certificates.CERTIFICATE_BYTES_MAX:
        raise CertificateRefused(f"a certificate of more than {certificates.CERTIFICATE_BYTES_MAX} bytes")
    try:
        body = x509.Certificate.load(der, strict=True)["tbs_certificate"]
        extensions = _extensions(body)
        basic = extensions.get(_BASIC_CONSTRAINTS)
        purposes = extensions.get(_KEY_USAGES)
        return LenientCertificate(
            spki=_usual_spki(body["subject_public_key_info"]),
            not_before_s=int(body["validity"]["not_before"].native.timestamp()),
            not_after_s=int(body["validity"]["not_after"].native.timestamp()),
            country=_country(body["subject"]),
            usages=frozenset(str(purpose.dotted) for purpose in purposes) if purposes is not None else frozenset(),
            is_authority=basic is not None and bool(basic["ca"].native),
            document_types=frozenset({"unreadable"}) if _DOCUMENT_TYPES in extensions else frozenset(),
            _subject=bytes(body["subject"].dump()),
            _may_sign_certificates=_may(extensions, "key_cert_sign"),
        )
    except (*_UNREADABLE, UnsupportedAlgorithm) as error:
        raise CertificateRefused("not a certificate that can be read") from error


def _require_signed(der: bytes, issuer: bytes, spki: bytes) -> None:
    """Refuse a signer's certificate that does not name this issuer (a DER Name), or was not signed by its key.

    One that is not for signatures, or has a critical extension unknown here (RFC 5280 §4.2), is refused as well.
    """
    try:
        certificate = x509.Certificate.load(der, strict=True)
        body, alg = certificate["tbs_certificate"], certificate["signature_algorithm"]
        if body["issuer"].dump() != issuer or body["signature"].dump() != alg.dump():
            raise CertificateRefused("not signed by this authority")
        if not _may(_extensions(body), "digital_signature") or not certificate.critical_extensions <= _UNDERSTOOD:
            raise CertificateRefused("not a certificate for signatures, or with a critical extension that is not known")
        _check(load_der_public_key(spki), alg, certificate["signature_value"].native, body.dump())
    except CertificateRefused:
        raise
    except (*_UNREADABLE, InvalidSignature, UnsupportedAlgorithm) as error:
        raise CertificateRefused("not signed by this authority") from error


def _may(extensions: dict[str, Any], what: str) -> bool:
    """Say whether the key usage, where there is one, allows it (RFC 5280 §4.2.1.3)."""
    return _KEY_USAGE not in extensions or what in extensions[_KEY_USAGE].native


def _check(key: object, alg: Any, signature: bytes, message: bytes) -> None:
    """Check a certificate's signature. Raises InvalidSignature, KeyError for hashes too weak, ValueError."""
    digest, kind = _HASHES[alg.hash_algo], alg.signature_algo
    if isinstance(key, EllipticCurvePublicKey) and kind == "ecdsa":
        key.verify(signature, message, ECDSA(digest))
    elif isinstance(key, RSAPublicKey) and kind in ("rsassa_pkcs1v15", "rsassa_pss"):
        padding: AsymmetricPadding = PKCS1v15()
        if kind == "rsassa_pss":
            mask = alg["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native
            padding = PSS(MGF1(_HASHES[mask]), alg["parameters"]["salt_length"].native)
        key.verify(signature, message, padding, digest)
    else:
        raise ValueError("the key and the signature are of two kinds")


def _extensions(body: Any) -> dict[str, Any]:
    """Return the extensions that are asked for; the others may hold anything. Raises ValueError for one twice."""
    found = dict[str, Any]()
    if isinstance(body["extensions"], core.Void):
        return found
    for extension in body["extensions"]:
        name = extension["extn_id"].dotted
        if name in found:
            raise ValueError("an extension twice")
        if name in (_BASIC_CONSTRAINTS, _KEY_USAGE, _KEY_USAGES):
            found[name] = extension["extn_value"].parsed
        else:
            found[name] = None
    return found


def _country(subject: Any) -> str | None:
    for part in subject.chosen:
        for pair in part:
            if pair["type"].dotted == _COUNTRY:
                return str(bytes(pair["value"].chosen.contents), "ascii", "replace")
    return None


def _usual_spki(info: Any) -> bytes:
    """Return the key as a DER SubjectPublicKeyInfo that every reader takes, its curve by its name.

    Raises ValueError, UnsupportedAlgorithm.
    """
    return load_der_public_key(info.dump()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
