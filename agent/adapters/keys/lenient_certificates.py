"""X.509 certificates that the `cryptography` library refuses and countries use all the same, read with asn1crypto.

The law: only what carries no meaning here may be wrong (a negative serial, letters a PrintableString may not hold, an
extension nobody asks for); the key comes out in its one usual form. Only certificates that stand in a trust list are
read so, and none that is read so vouches for another: what a code brings is read and checked strictly (chain.py), or
refused. Loaded only for lists that need it.
"""

from typing import Any

from asn1crypto import core, x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from agent.adapters.keys import chain
from agent.adapters.keys.certificates import CERTIFICATE_BYTES_MAX, ReadCertificate
from agent.core.trust_list import CertificateRefused

_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
_COUNTRY = "2.5.4.6"
_BASIC_CONSTRAINTS, _KEY_USAGE, _KEY_USAGES = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_DOCUMENT_TYPES = chain.DOCUMENT_TYPES.dotted_string  # not read here, so it allows nothing


def read_certificate(der: bytes) -> ReadCertificate:
    """Read one certificate of at most CERTIFICATE_BYTES_MAX bytes. Raises CertificateRefused."""
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise CertificateRefused(f"a certificate of more than {CERTIFICATE_BYTES_MAX} bytes")
    try:
        body = x509.Certificate.load(der, strict=True)["tbs_certificate"]
        extensions = _extensions(body)
        basic = extensions.get(_BASIC_CONSTRAINTS)
        purposes = extensions.get(_KEY_USAGES)
        return ReadCertificate(
            spki=_usual_spki(body["subject_public_key_info"]),
            not_before_s=int(body["validity"]["not_before"].native.timestamp()),
            not_after_s=int(body["validity"]["not_after"].native.timestamp()),
            country=_country(body["subject"]),
            usages=frozenset(str(purpose.dotted) for purpose in purposes) if purposes is not None else frozenset(),
            is_authority=basic is not None and bool(basic["ca"].native),
            may_sign=_may_sign(extensions),
            document_types=chain.UNREADABLE_TYPES if _DOCUMENT_TYPES in extensions else frozenset(),
        )
    except (*_UNREADABLE, UnsupportedAlgorithm) as error:
        raise CertificateRefused("not a certificate that can be read") from error


def _may_sign(extensions: dict[str, Any]) -> bool:
    """Say whether the key usage, where there is one, allows signatures (RFC 5280 §4.2.1.3)."""
    return _KEY_USAGE not in extensions or bool(
        {"digital_signature", "non_repudiation"} & extensions[_KEY_USAGE].native
    )


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
