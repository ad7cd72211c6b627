"""Targets of what an engineer imports: public lists of keys, revocations, and the trust list they go into.

The law that is tested: a list is refused with a reason or taken, and what is taken, a terminal reads.
"""

import base64
import hashlib
import json
from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.public_lists import dcc, did, eu_revocation, pem, smart
from agent.core.public_lists.combining import combine, read_existing
from agent.core.public_lists.intake import Choices as Chosen
from agent.core.public_lists.intake import Intake, ListUnreadable
from agent.core.revocation import REVOKED_PREFIX_BYTES
from agent.core.trust_entries import parse_trust_list
from fuzz import layers
from fuzz.choices import Choices, value
from fuzz.parsers import CERTIFICATES, ES256, spki_of
from fuzz.target import Target, fail

_NOW_S = 1_800_000_000
_Read = Callable[[bytes, Intake], None]
_DERS = [base64.b64encode(der).decode() for der in CERTIFICATES]
_KID = base64.b64encode(hashlib.sha256(CERTIFICATES[0]).digest()[:8]).decode()
_POINT = ES256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
_X, _Y = (layers.b64(_POINT[at : at + 32]).decode() for at in (1, 33))
_THUMBPRINT = layers.b64(
    hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{_X}","y":"{_Y}"}}'.encode()).digest()
).decode()
_EC = {"kty": "EC", "crv": "P-256", "x": _X, "y": _Y}
_JWK: dict[str, object] = {**_EC, "kid": _THUMBPRINT, "use": "sig", "alg": "ES256", "crlVersion": 1}
_CRL = {"kid": _THUMBPRINT, "method": "rid", "ctr": 1, "rids": ["abc", "def.1800000000"]}
_METHOD = "did:web:tng.example:v2:trustlist:DCC:AUT:DSC#" + _KID

_GATEWAY = {"certificates": [{"country": "AT", "kid": _KID, "rawData": _DERS[0], "certificateType": "DSC"}]}
_SWEDEN = {"dsc_trust_list": {"AT": {"keys": [{**_EC, "kid": _KID, "x5c": _DERS[:1]}]}}}
_FRANCE = {"certificatesDCC": {_KID: base64.b64encode(_DERS[0].encode()).decode()}}
_KINGDOM = [{"kid": _KID, "publicKey": base64.b64encode(spki_of(ES256)).decode()}]
_DID = {"verificationMethod": [{"id": _METHOD, "publicKeyJwk": {**_EC, "kid": _KID, "x5c": _DERS[:1]}}, _METHOD]}
_VCI = {"issuerInfo": [{"issuer": {"iss": "https://health.example"}, "keys": [_JWK], "crls": [_CRL]}]}
_HASH = base64.b64encode(bytes(range(16))).decode()
_BATCH = {"hashType": "UCI", "country": "AT", "expires": "2030-01-01T00:00:00Z", "entries": [{"hash": _HASH}]}
_EXISTING = {
    "format": "scanward-trust-list-1", "version": 3, "issued_at": "2026-11-21T08:00:00Z", "keys": [
        {"family": "hcert", "issuer": "AT", "kid": "00", "alg": "ES256", "x5c": _DERS[:1], "source": "dcc"}
    ], "revocations": [{"family": "shc", "issuer": "https://health.example", "kid": "00", "source": "vci"}],
}  # fmt: skip
_NAMES = (
    "country", "kid", "rawData", "certificateType", "thumbprint", "publicKey", "x5c", "x", "y", "crv", "kty", "d", "id",
    "publicKeyJwk", "keyusage", "participant", "domain", "iss", "keys", "crls", "crlVersion", "use", "alg", "rids",
    "ctr", "method", "hash", "entries", "expires", "hashType", "family", "issuer", "source", "spki", "revocations",
)  # fmt: skip
_STEPS_MAX = 6


def targets() -> list[Target]:
    """Return them."""
    lists = [json.dumps(one).encode() for one in (_GATEWAY, _SWEDEN, _FRANCE, _KINGDOM)]
    signed = b"AAAA\n" + lists[3]
    unencoded = layers.b64(b'{"alg":"ES256","b64":false}') + b"." + lists[1] + b"." + layers.b64(bytes(64))
    pems = [b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % der.encode() for der in _DERS]
    public = b"-----BEGIN PUBLIC KEY-----\n%b\n-----END PUBLIC KEY-----" % base64.b64encode(spki_of(ES256))
    secret = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
    jwks = json.dumps({"keys": [_JWK], "crls": [_CRL]}).encode()
    return [
        _target("import-dcc", dcc.read, [*lists, signed, unencoded], _GATEWAY, _SWEDEN, _FRANCE, _KINGDOM),
        _target("import-did", did.read, [json.dumps(_DID).encode()], _DID),
        _target("import-vci", smart.read_directory, [json.dumps(_VCI).encode()], _VCI),
        _target("import-jwks", _keys, [jwks], {"keys": [_JWK], "crls": [_CRL]}),
        _target("import-pem", pem.read, [*pems, public, secret, *CERTIFICATES]),
        _target("import-revocation", eu_revocation.read, [json.dumps([_BATCH]).encode()], _BATCH, [_BATCH]),
        Target(
            "import-into",
            lambda data: _into(_body(data, (_EXISTING,))),
            [json.dumps(_EXISTING).encode(), b"\xff\x00" + bytes(40)],
            is_bounded=False,
        ),
    ]


def _target(name: str, read: _Read, seeds: list[bytes], *documents: object) -> Target:
    edits = [bytes((0xFF, number, 1, 2, 3, 4)) for number in range(len(documents))]
    words = [f'"{word}":'.encode() for word in _NAMES]
    return Target(name, lambda data: _import(read, _body(data, documents)), [*seeds, *edits], words, is_bounded=False)


def _body(data: bytes, documents: tuple[object, ...]) -> bytes:
    """Return the bytes as they are, or (behind 0xFF) a good list with some of its members replaced or taken away."""
    if data[:1] != b"\xff" or not documents:
        return data
    choices = Choices(data[1:])
    found = json.loads(json.dumps(documents[choices.byte() % len(documents)]))
    for _ in range(choices.byte() % 3 + 1):
        _change(found, choices)
    return json.dumps(found).encode()


def _change(found: object, choices: Choices) -> None:
    """Change one member, some steps down from the top."""
    where: object = found
    for _ in range(choices.byte() % _STEPS_MAX):
        items = list(where.values()) if isinstance(where, dict) else where if isinstance(where, list) else []
        inner = [item for item in items if isinstance(item, dict | list) and item]
        if not inner:
            break
        where = inner[choices.byte() % len(inner)]
    if isinstance(where, dict):
        names = [*where, *_NAMES] if choices.byte() % 4 == 0 else list(where)
        if names:
            where[names[choices.byte() % len(names)]] = value(choices, _name)
    elif isinstance(where, list):
        if choices.byte() % 2 and where:
            where.append(where[choices.byte() % len(where)])
        else:
            where.append(value(choices, _name))


def _name(choices: Choices) -> str:
    return _NAMES[choices.byte() % len(_NAMES)]


def _keys(data: bytes, intake: Intake) -> None:
    """Read a JWK set whose revocation lists stand behind it, under a name of their own."""
    try:
        crls = json.loads(data).get("crls", [])
    except (ValueError, AttributeError, RecursionError):
        crls = []
    lists = [(f"crl-{at}", json.dumps(crl).encode()) for at, crl in enumerate(crls if isinstance(crls, list) else [])]
    smart.read_keys(data, intake, lists)


def _intake(data: bytes) -> Intake:
    families = ("hcert", "vds-nc", "aadhaar", None)
    issuers = {"hcert": "AT", "vds-nc": "UTO", "aadhaar": None, None: "https://health.example"}
    family = families[sum(data[-2:]) % 4]
    chosen = Chosen("fuzz", _NOW_S, None, family, issuers[family], keep_expired=len(data) % 2 == 0)
    return Intake(chosen, build_key, read_certificate)


def _import(read: _Read, data: bytes) -> None:
    """Import a list into nothing; what was taken must be a trust list."""
    intake = _intake(data)
    try:
        read(data, intake)
    except ListUnreadable:
        return
    report = json.dumps([one.as_json() for one in (*intake.refused, *intake.remarks)], ensure_ascii=False)
    if report.encode(errors="replace") != report.encode("utf-8", "surrogatepass"):
        fail("a report that no file can hold")
    if any(len(entry) != REVOKED_PREFIX_BYTES for entry in intake.revoked):
        fail("an entry for revoked.bin of another size")
    combined = combine({}, intake)
    text = json.dumps(combined.value, ensure_ascii=False)
    if intake.entries or intake.revocations:
        parse_trust_list(text.encode(), build_key, read_certificate)


def _into(data: bytes) -> None:
    """Import a good list into any trust list."""
    try:
        existing = read_existing(data)
    except ListUnreadable:
        return
    intake = Intake(Chosen("dcc", _NOW_S, None, "hcert", "AT"), build_key, read_certificate)
    dcc.read(json.dumps(_GATEWAY).encode(), intake)
    combined = combine(existing, intake)
    if not all(entry in combined.value["keys"] for entry in intake.entries) or combined.removed < 0:
        fail("what was taken is not in the list")
