"""X.509 certificates that the `cryptography` library refuses and countries use all the same, read with asn1crypto.

The law: only what carries no meaning here may be wrong (a negative serial, letters a PrintableString may not hold, an
extension nobody asks for); the key comes out in its one usual form, and signatures are checked as strictly as ever.
Real signers of public trust lists have such certificates. Loaded only for those that need it.
"""

from dataclasses import dataclass, field
from typing import Any

from asn1crypto import core, keys, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from agent.adapters.keys.verification import build_key
from agent.core.trust_list import CertificateRefused, VerificationKey

CERTIFICATE_BYTES_MAX = 8_192
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
_COUNTRY, _BASIC_CONSTRAINTS, _KEY_USAGES = "2.5.4.6", "2.5.29.19", "2.5.29.37"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# SEC 2, §2.4.2: some authorities write the whole curve where its name would do.
_P256 = (
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)


@dataclass(frozen=True, slots=True)
class LenientCertificate:
    """Implements agent.core.trust_list.Certificate."""

    spki: bytes
    not_before_s: int
    not_after_s: int
    country: str | None
    usages: frozenset[str]
    is_authority: bool
    _subject: bytes = field(repr=False)

    def key(self, alg: str) -> VerificationKey:
        """Return its key for an algorithm. Raises ValueError, AlgorithmUnavailable."""
        return build_key(alg, self.spki)

    def vouch(self, der: bytes) -> "LenientCertificate":
        """Return the certificate of these bytes, signed by this authority's key. Raises CertificateRefused."""
        if not self.is_authority:
            raise CertificateRefused("its issuer's certificate is not an authority's")
        require_signed(der, self._subject, self.spki)
        return read_certificate(der)


def read_certificate(der: bytes) -> LenientCertificate:
    """Read one certificate of at most CERTIFICATE_BYTES_MAX bytes. Raises CertificateRefused."""
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise CertificateRefused(f"a certificate of more than {CERTIFICATE_BYTES_MAX} bytes")
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
            _subject=bytes(body["subject"].dump()),
        )
    except _UNREADABLE as error:
        raise CertificateRefused("not a certificate that can be read") from error


def require_signed(der: bytes, issuer: bytes, spki: bytes) -> None:
    """Refuse a certificate that does not name this issuer (a DER Name), or was not signed by its key.

    Raises CertificateRefused.
    """
    try:
        certificate = x509.Certificate.load(der, strict=True)
        body, alg = certificate["tbs_certificate"], certificate["signature_algorithm"]
        if body["issuer"].dump() != issuer or body["signature"].dump() != alg.dump():
            raise CertificateRefused("not signed by this authority")
        _check(load_der_public_key(spki), alg, certificate["signature_value"].native, body.dump())
    except (*_UNREADABLE, InvalidSignature, UnsupportedAlgorithm) as error:
        raise CertificateRefused("not signed by this authority") from error


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
    """Return the two extensions that are asked for; the others may hold anything. Raises ValueError for one twice."""
    found = dict[str, Any]()
    if isinstance(body["extensions"], core.Void):
        return found
    for extension in body["extensions"]:
        name = extension["extn_id"].dotted
        if name in found:
            raise ValueError("an extension twice")
        if name in (_BASIC_CONSTRAINTS, _KEY_USAGES):
            found[name] = extension["extn_value"].parsed
    return found


def _country(subject: Any) -> str | None:
    for part in subject.chosen:
        for pair in part:
            if pair["type"].dotted == _COUNTRY:
                return str(bytes(pair["value"].chosen.contents), "ascii", "replace")
    return None


def _usual_spki(info: keys.PublicKeyInfo) -> bytes:
    """Return the key as a DER SubjectPublicKeyInfo that every reader takes. Raises ValueError for other curves."""
    try:
        key = load_der_public_key(info.dump())
    except (ValueError, UnsupportedAlgorithm):
        key = _named_curve(info) if info.algorithm == "ec" else _rsa(info)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _named_curve(info: Any) -> EllipticCurvePublicKey:
    parameters = info["algorithm"]["parameters"]
    if parameters.name != "specified":
        raise ValueError("a curve that is not supported")
    curve = parameters.chosen
    base = bytes(curve["base"].native)
    written = (
        curve["field_id"]["parameters"].native,
        int.from_bytes(curve["curve"]["b"].native, "big"),
        int.from_bytes(base[1:33], "big"),
        curve["order"].native,
    )
    a = int.from_bytes(curve["curve"]["a"].native, "big")
    if written != _P256 or a != _P256[0] - 3:
        raise ValueError("a curve that is not supported")
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), bytes(info["public_key"].native))


def _rsa(info: Any) -> RSAPublicKey:
    numbers = info["public_key"].parsed
    return RSAPublicNumbers(numbers["public_exponent"].native, numbers["modulus"].native).public_key()
