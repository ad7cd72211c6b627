"""X.509 certificates (RFC 5280) of signers and authorities, read with the `cryptography` library.

The law: reading believes nothing; `vouch` believes one signature, by the key of an authority that is trusted already.
Dates and usages are for whoever asks. Loaded only where a trust list brings certificates: it costs 2.5 MB.
"""

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from agent.adapters.keys.verification import build_key
from agent.core.trust_list import CertificateRefused, VerificationKey

CERTIFICATE_BYTES_MAX = 8_192
_UNREADABLE = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)  # no kind of ValueError


@dataclass(frozen=True, slots=True)
class X509Certificate:
    """Implements agent.core.trust_list.Certificate."""

    spki: bytes
    not_before_s: int
    not_after_s: int
    country: str | None
    usages: frozenset[str]
    is_authority: bool
    parsed: x509.Certificate = field(repr=False)

    def key(self, alg: str) -> VerificationKey:
        """Return its key for an algorithm. Raises ValueError, AlgorithmUnavailable."""
        return build_key(alg, self.spki)

    def vouch(self, der: bytes) -> "X509Certificate":
        """Return the certificate of these bytes, signed by this authority's key. Raises CertificateRefused."""
        if not self.is_authority:
            raise CertificateRefused("its issuer's certificate is not an authority's")
        signer = read_certificate(der)
        try:
            signer.parsed.verify_directly_issued_by(self.parsed)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise CertificateRefused("not signed by this authority") from error
        return signer


def read_certificate(der: bytes) -> X509Certificate:
    """Read one certificate of at most CERTIFICATE_BYTES_MAX bytes. Raises CertificateRefused."""
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise CertificateRefused(f"a certificate of more than {CERTIFICATE_BYTES_MAX} bytes")
    try:
        certificate = x509.load_der_x509_certificate(der)
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        not_before_s = int(certificate.not_valid_before_utc.timestamp())
        not_after_s = int(certificate.not_valid_after_utc.timestamp())
        names = certificate.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
        country = str(names[0].value) if names else None
        usages = _usages(certificate)
        is_authority = _is_authority(certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm, *_UNREADABLE) as error:
        raise CertificateRefused("not a certificate that can be read") from error
    return X509Certificate(spki, not_before_s, not_after_s, country, usages, is_authority, certificate)


def _usages(certificate: x509.Certificate) -> frozenset[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(oid.dotted_string for oid in extension.value)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
