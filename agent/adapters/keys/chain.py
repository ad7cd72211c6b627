"""What an authority's X.509 certificate may vouch for (RFC 5280 §4.2, §6.1): one step, from authority to signer.

The law: what is critical and not understood refuses, in either of them; an authority signs certificates and a signer
signs data, and neither does the other's work; weak keys vouch for nothing. Dates are for whoever asks. Answers are
remembered, good and bad, at most ANSWERS_MAX: a signer's certificate comes with every code it signs.
"""

from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtensionOID

from agent.adapters.keys import rsa

ANSWERS_MAX = 64
"""Each holds two certificates of at most 8 kB, mostly 1 kB; the authority's is shared."""

DOCUMENT_TYPES = x509.ObjectIdentifier("2.23.136.1.1.6.2")
"""ICAO Doc 9303-12: which documents a signer may sign."""

UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType, CryptographyDeprecationWarning,
)  # fmt: skip
"""All that the library raises over a certificate's bytes, at once or when asked about parts; its warning where it is
made an error."""

UNREADABLE_TYPES = frozenset({"unreadable"})
_DER_SHORT_MAX = 129  # lengths of one byte alone: types have two letters, and few are in a list
_PRINTABLE_STRING = 0x13
_CURVE_BITS_MIN = 256
_RSA_BITS_MAX = 8_192  # an authority's, asked once for a signer; rsa.py's own limit is for keys asked with each code

_UNDERSTOOD = frozenset(
    {
        ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME, ExtensionOID.CRL_DISTRIBUTION_POINTS, DOCUMENT_TYPES,
    }
)  # fmt: skip


@lru_cache(maxsize=ANSWERS_MAX)
def refusal(authority: x509.Certificate, signer: x509.Certificate) -> str | None:
    """Return why this authority does not vouch for this signer, or None where it does."""
    try:
        if not _may(authority, "key_cert_sign"):
            return "its issuer's certificate is not for signing certificates"
        if not may_sign(signer):
            return "not a certificate for signatures"
        if any(e.critical and e.oid not in _UNDERSTOOD for e in (*authority.extensions, *signer.extensions)):
            return "it or its issuer's certificate has a critical extension that is not known here"
        if not _is_strong(authority.public_key()):
            return "its issuer's key is too weak, or of a kind that is not known here"
        # The library does not mind a count of unused bits before the signature, which is none in whole bytes.
        if not signer.public_bytes(Encoding.DER).endswith(b"\0" + signer.signature):
            return "its signature is not whole bytes"
        signer.verify_directly_issued_by(authority)
    except (*UNREADABLE, InvalidSignature):
        return "not signed by this authority"
    return None


def document_types(certificate: x509.Certificate) -> frozenset[str]:
    """Return the document types a signer is for; empty where it does not say, UNREADABLE_TYPES where nobody can tell.

    DocumentTypeList ::= SEQUENCE { version INTEGER, docTypeList SET OF PrintableString } (ICAO Doc 9303-12).
    """
    try:
        extension = certificate.extensions.get_extension_for_oid(DOCUMENT_TYPES)
    except x509.ExtensionNotFound:
        return frozenset()
    der = extension.value.public_bytes()
    head = b"\x30" + bytes((max(len(der) - 2, 0) % 128,)) + b"\x02\x01\x00\x31" + bytes((max(len(der) - 7, 0) % 128,))
    if len(der) > _DER_SHORT_MAX or not der.startswith(head):
        return UNREADABLE_TYPES
    at, found = 7, set[str]()
    while at < len(der):
        end = at + 2 + der[at + 1] if at + 1 < len(der) else len(der) + 1
        if der[at] != _PRINTABLE_STRING or end > len(der):
            return UNREADABLE_TYPES
        found.add(der[at + 2 : end].decode("ascii", "replace"))
        at = end
    return frozenset(found)


def may_sign(certificate: x509.Certificate) -> bool:
    """Say whether the key usage, where there is one, allows signatures over data."""
    return _may(certificate, "digital_signature") or _may(certificate, "content_commitment")


def _is_strong(key: object) -> bool:
    if isinstance(key, RSAPublicKey):
        return rsa.trouble(key, _RSA_BITS_MAX) is None
    return isinstance(key, EllipticCurvePublicKey) and key.key_size >= _CURVE_BITS_MIN


def _may(certificate: x509.Certificate, what: str) -> bool:
    """Say whether the key usage (RFC 5280 §4.2.1.3), where there is one, allows it."""
    try:
        return bool(getattr(certificate.extensions.get_extension_for_class(x509.KeyUsage).value, what))
    except x509.ExtensionNotFound:
        return True
