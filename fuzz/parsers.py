"""Targets of the parsers by themselves, and of the files a terminal trusts: nothing raised but what is documented.

Where the standard library or cbor2 can do the same, they say what the answer is.
"""

import base64
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.formats import base45, cbor, cose, inflate, json_text
from agent.core.reading.charsets import ECI_CODECS, text_of
from agent.core.revocation import RevocationsInvalid, parse_revoked
from agent.core.steps import PolicyInvalid, parse_policy
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import AlgorithmUnavailable, CertificateRefused, TrustListInvalid
from fuzz import layers
from fuzz.target import Target, fail

_INFLATED_BYTES_MAX = 64 * 1024
_DEFLATED_BYTES_MAX = 300_000
_KINDS = (inflate.ZLIB, inflate.RAW, inflate.GZIP)


def targets() -> list[Target]:
    """Return them."""
    document = b'{"a":1,"b":[true,null,"\\u00e9"],"c":{"d":-1.5e3}}'
    values = [cbor2.dumps({1: "x", 4: [1, -1, b"", None, True]}), b"\x9b" + b"\xff" * 8, b"\xa1" * 99]
    envelope = layers.sign1(cbor2.dumps({1: -7, 4: bytes(8)}), b"payload", bytes(64))
    streams = [bytes((kind,)) + _deflated(kind, b"a" * 5_000 + document) for kind in range(3)]
    texts = [document, b'{"a":1,"a":2}', b'{"a": NaN}', b"[" * 900, b'{"n":' + b"9" * 5_000 + b"}"]
    bytes_ = [b"\x00\x00plain", "\x1d\x00药品".encode(), b"\x19\x03\x00A", b"\x14\x00\x93\xfa"]
    prefixes = [bytes(16), b"".join(n.to_bytes(8, "big") for n in (1, 2, 2**63))]
    return [
        Target("base45", _base45, [b"BB8", b"%69 VD92EX0", b"UJCLQE7W581", b":::", b"GGW"]),
        Target("cbor", _cbor, values),
        Target("cose", _cose, [envelope]),
        Target("inflate", _inflate, streams, prepare=_stream),
        Target("json-text", _json, texts),
        Target("charsets", _charset, bytes_),
        Target("trust-list", _trust_list, [_trust_list_file()], [b'"x5c":["', b'"spki"'], is_bounded=False),
        Target("revoked", _revoked, prefixes, is_bounded=False),
        Target("policy", _policy, [_POLICY], [b"[steps.", b"verified", b"provisional"], is_bounded=False),
        Target("certificates", _certificate, [spki_of(ES256), spki_of(_EDDSA), *CERTIFICATES], is_bounded=False),
        Target("signatures", _signature, [bytes(70), bytes((1,)) + bytes(70)]),
    ]


def spki_of(private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    """Return a private key's public half, DER SubjectPublicKeyInfo."""
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _trust_list_file() -> bytes:
    certificates = [base64.b64encode(der).decode() for der in CERTIFICATES]
    entry: dict[str, object] = {
        "issuer": "4420", "kid": "00" * 8, "alg": "ES256", "spki": base64.b64encode(spki_of(ES256)).decode(),
        "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z", "usage": ["static"],
    }  # fmt: skip
    keys = [{**entry, "family": name} for name in ("shc", "vds-nc", "aadhaar", "unheard-of")]
    keys.append({"family": "hcert", "issuer": "UT", "kid": "01" * 8, "alg": "ES256", "x5c": certificates[:1]})
    head = {"format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-11-21T08:00:00Z"}
    return json.dumps({**head, "keys": keys}).encode()


def _certificates() -> list[bytes]:
    """Return one of a signer and one of an authority, with the key of this file; nobody else has it."""
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "UT")])
    draft = (
        x509.CertificateBuilder(name, name, ES256.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    )
    usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.4.1.1847.2021.1.1")])
    signer = draft.add_extension(usage, critical=False)
    authority = draft.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return [found.sign(ES256, hashes.SHA256()).public_bytes(Encoding.DER) for found in (signer, authority)]


_POLICY = b"""
format = "scanward-policy-1"
version = 3
[steps.registration]
verified = ["ehc.any", "hcert.any"]
provisional = ["national.static"]
"""


def _is_refused(call: Callable[[], object], *documented: type[Exception]) -> bool:
    try:
        call()
    except documented:
        return True
    return False


def _base45(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        found = base45.decode(text)
    except base45.Base45Invalid:
        if len(text) <= base45.CHARACTERS_MAX and not _is_refused(
            lambda: layers.from_base45(text), ValueError, OverflowError
        ):
            fail("refused, and good by the standard")
        return
    if base45.encode(found) != text or layers.base45(found) != text:
        fail("it does not come back as it was")


def _cbor(data: bytes) -> None:
    try:
        found = cbor.decode_deterministic(data, has_text_keys=bool(len(data) & 1))
    except cbor.CborInvalid:
        return
    if cbor2.dumps(found) != data:
        fail("two encodings of one value")


def _cose(data: bytes) -> None:
    try:
        found = cose.decode_sign1(data)
    except cose.CoseInvalid:
        return
    if cose.encode_sign1(found.protected, found.payload, found.signature) != data:
        fail("it does not come back as it was")
    if found.to_be_signed(b"aad") != layers.signed_of_sign1(data, b"aad"):
        fail("other bytes are signed than by the standard")
    if cbor2.loads(found.protected) != {1: found.alg, 4: found.key_id}:
        fail("the header says something else")


def _deflated(kind: int, data: bytes, level: int = 9) -> bytes:
    stream = zlib.compressobj(level, wbits=_KINDS[kind])
    return stream.compress(data) + stream.flush()


def _stream(data: bytes) -> bytes:
    """Return streams as they come, and (from the fourth kind on) streams made of these bytes again and again."""
    which = data[0] if data else 0
    if which < len(_KINDS):
        return data
    body = (data[1:] * (1 + which * 4))[:_DEFLATED_BYTES_MAX]
    return bytes((which % 3,)) + _deflated(which % 3, body, level=6)


def _inflate(data: bytes) -> None:
    """Check one stream, the kind in front."""
    kind, body = data[0] % 3 if data else 0, data[1:]
    try:
        found = inflate.inflate(body, _KINDS[kind], _INFLATED_BYTES_MAX)
    except inflate.InflateInvalid:
        return
    stream = zlib.decompressobj(_KINDS[kind])
    if stream.decompress(body, _INFLATED_BYTES_MAX + 1) != found or len(found) > _INFLATED_BYTES_MAX:
        fail("other bytes than zlib's, or too many")
    if not stream.eof or stream.unused_data:
        fail("not one whole stream")


def _json(data: bytes) -> None:
    try:
        found = json_text.decode_object(data)
    except json_text.JsonInvalid:
        return
    twice = list[bool]()

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        twice.append(len(dict(pairs)) != len(pairs))
        return dict(pairs)

    if json.loads(data, object_pairs_hook=once) != found or any(twice):
        fail("another value than the standard library's, or a name twice")


def _charset(data: bytes) -> None:
    eci = (*ECI_CODECS, None, 899)[data[0] % (len(ECI_CODECS) + 2)] if data else None
    charset = ("none", "gb18030", "iso-8859-1", "shift_jis", "big5")[data[1] % 5 if len(data) > 1 else 0]
    text = text_of(data[2:], eci, charset)
    if text is not None:
        text.encode("utf-8")  # no half of a surrogate pair


def _trust_list(data: bytes) -> None:
    _is_refused(lambda: parse_trust_list(data, build_key, read_certificate), TrustListInvalid)


def _revoked(data: bytes) -> None:
    try:
        found = parse_revoked(data)
    except RevocationsInvalid:
        return
    prefixes = [data[at : at + 8] for at in range(0, len(data), 8)]
    if len(data) % 8 or prefixes != sorted(set(prefixes)) or len(found) != len(prefixes):
        fail("a list out of order is believed")
    found.has_card(data[:32])


def _policy(data: bytes) -> None:
    _is_refused(lambda: parse_policy(data), PolicyInvalid)


def _certificate(data: bytes) -> None:
    if not _is_refused(lambda: read_certificate(data), CertificateRefused):
        certificate = read_certificate(data)
        _is_refused(lambda: certificate.key("ES256"), ValueError, AlgorithmUnavailable)
        _is_refused(lambda: certificate.vouch(data), CertificateRefused)
    for alg in ("ES256", "EdDSA", "SM2", "PS256", "RS256"):
        _is_refused(lambda alg=alg: build_key(alg, data), ValueError, AlgorithmUnavailable)  # type: ignore[misc]


_MESSAGE = b"what was signed"
ES256 = ec.derive_private_key(7, ec.SECP256R1())
CERTIFICATES = tuple(_certificates())
_EDDSA = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
_KEYS = (build_key("ES256", spki_of(ES256)), build_key("EdDSA", spki_of(_EDDSA)))
_DER = ES256.sign(_MESSAGE, ec.ECDSA(hashes.SHA256()))


def _signature(data: bytes) -> None:
    """Check that no bytes are a signature of two real keys: nobody made one."""
    private = (ES256, _EDDSA)[data[0] % 2 if data else 0]
    key = _KEYS[private is _EDDSA]
    if key.verify(data[1:], _MESSAGE):
        fail("a signature that nobody made")
    if private is ES256 and key.verify(_DER, _MESSAGE):
        fail("DER where r and s are due")
