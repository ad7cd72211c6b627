"""X.509 certificates (RFC 5280) of signers and authorities, read with the `cryptography` library.

The law: reading believes nothing; `vouch` believes one signature, by the key of an authority that is trusted already.
Dates and usages are for whoever asks. Loaded only where a trust list brings certificates: it costs 2.5 MB.
"""

import warnings
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from agent.adapters.keys import chain
from agent.adapters.keys.verification import build_key
from agent.core.trust_list import Certificate, CertificateRefused, VerificationKey

CERTIFICATE_BYTES_MAX = 8_192
CERTIFICATES_MAX = 64
"""Read certificates that are kept: a signer's comes with every code it signs."""
KEYS_MAX = 64


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """Implements agent.core.trust_list.Certificate, for one that vouches for no other."""

    spki: bytes
    not_before_s: int
    not_after_s: int
    country: str | None
    usages: frozenset[str]
    is_authority: bool
    may_sign: bool
    document_types: frozenset[str]

    def key(self, alg: str) -> VerificationKey:
        """Return its key for an algorithm. Raises ValueError, AlgorithmUnavailable."""
        return _key(alg, self.spki)

    def vouch(self, der: bytes) -> Certificate:
        """Refuse: a certificate that only a lenient reader takes answers for no other (docs/decisions/0226)."""
        raise CertificateRefused("its issuer's certificate is not one that the standard allows")


@dataclass(frozen=True, slots=True)
class X509Certificate(ReadCertificate):
    """One that the strict library took: an authority's vouches for signers."""

    parsed: x509.Certificate = field(repr=False)

    def vouch(self, der: bytes) -> Certificate:
        """Return the certificate of these bytes, signed by this authority's key. Raises CertificateRefused."""
        if not self.is_authority:
            raise CertificateRefused("its issuer's certificate is not an authority's")
        signer = _read_again(der)
        if (why := chain.refusal(self.parsed, signer.parsed)) is not None:
            raise CertificateRefused(why)
        return signer


def read_certificate(der: bytes) -> X509Certificate:
    """Read one certificate of at most CERTIFICATE_BYTES_MAX bytes. Raises CertificateRefused.

    What the library only warns of is refused as well.
    """
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise CertificateRefused(f"a certificate of more than {CERTIFICATE_BYTES_MAX} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            certificate = x509.load_der_x509_certificate(der)
            spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            not_before_s = int(certificate.not_valid_before_utc.timestamp())
            not_after_s = int(certificate.not_valid_after_utc.timestamp())
            names = certificate.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
            country = str(names[0].value) if names else None
            usages = _usages(certificate)
            is_authority = _is_authority(certificate)
            may_sign = chain.may_sign(certificate)
            document_types = chain.document_types(certificate)
    except chain.UNREADABLE as error:
        raise CertificateRefused("not a certificate that can be read") from error
    return X509Certificate(
        spki, not_before_s, not_after_s, country, usages, is_authority, may_sign, document_types, certificate
    )  # fmt: skip


@lru_cache(maxsize=CERTIFICATES_MAX)
def _read_again(der: bytes) -> X509Certificate:
    """Read a certificate that a code brought; hostile bytes are read by the strict library alone."""
    return read_certificate(der)


@lru_cache(maxsize=KEYS_MAX)
def _key(alg: str, spki: bytes) -> VerificationKey:
    return build_key(alg, spki)


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
