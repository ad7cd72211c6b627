"""HCERT and SMART Health Cards to fuzz: the layers outside, and claims of every shape, signed anew."""

import json
import zlib

import cbor2

from fuzz import layers
from fuzz.choices import Choices, value
from fuzz.issuers import NOW_S, Seal, trust_of, trusted
from fuzz.signed import SignedFamily

_GRACE_S = 16
_BOMB_BYTES = 60_000
_MADE_S = NOW_S - 86_400

_HC_SEAL = Seal(b"hcert")
_HC_KID = b"hc-key-1"
_HC_PROTECTED = bytes(cbor2.dumps({1: -7, 4: _HC_KID}))
_VACCINATED = {
    "ver": "1.3.0",
    "nam": {"fn": "Nobody", "fnt": "NOBODY", "gn": "Invented", "gnt": "INVENTED"},
    "dob": "1980-01-01",
    "v": [{"ci": "URN:UVCI:01:UT:FUZZ#1", "co": "UT", "dn": 2, "dt": "2026-12-01", "is": "Nobody", "sd": 2}],
}
_HC: dict[object, object] = {1: "UT", 4: NOW_S + 86_400, 6: _MADE_S, -260: {1: _VACCINATED}}
_HC_NAMES = (1, 4, 6, -260, 2, 3, 5, 7, "v", "t", "r", "ci", "co", "nam", "dob", "ver")

_SHC_SEAL = Seal(b"shc")
_SHC_KID = bytes(range(32))
_SHC_ISSUER = "https://health.example/issuer"
_SHC_HEADER = json.dumps({"zip": "DEF", "alg": "ES256", "kid": layers.b64(_SHC_KID).decode()}, separators=(",", ":"))
_CARD = {
    "iss": _SHC_ISSUER,
    "nbf": _MADE_S,
    "vc": {
        "type": ["https://smarthealth.cards#health-card", "https://smarthealth.cards#immunization"],
        "credentialSubject": {
            "fhirVersion": "4.0.1",
            "fhirBundle": {
                "resourceType": "Bundle",
                "entry": [{"resource": {"resourceType": "Patient", "name": [{"family": "Nobody"}]}}],
            },
        },
        "rid": "fuzz-1",
    },
}
_SHC_NAMES = ("iss", "nbf", "exp", "vc", "type", "credentialSubject", "fhirVersion", "fhirBundle", "entry", "rid")


def hcert() -> SignedFamily:
    """Return what there is to fuzz in HCERT."""
    payload = bytes(cbor2.dumps(_HC))
    envelope = layers.sign1(_HC_PROTECTED, payload, _HC_SEAL.sign(layers.sig_structure(_HC_PROTECTED, b"", payload)))
    return SignedFamily(
        "hcert",
        trust_of(trusted("hcert", "UT", _HC_KID, "ES256", _HC_SEAL)),
        (_HC_SEAL,),
        (_compressed(envelope),),
        lambda text: layers.signed_of_sign1(zlib.decompress(layers.from_base45(text.removeprefix("HC1:"))), b""),
        (_streamed, _compressed, _hc_payload, _hc_headed, _hc_claims, _hc_bomb),
        (
            (0, zlib.compress(envelope)),
            (1, envelope),
            (1, cbor2.dumps(cbor2.CBORTag(61, cbor2.loads(envelope)))),
            (2, payload),
            (3, bytes((len(_HC_PROTECTED),)) + _HC_PROTECTED + payload),
            (4, bytes((0, 1, 2, 0))),
            (5, b"\xff" + payload),
        ),
        _hc_may_verify,
        (b"HC1:", _HC_PROTECTED, b"\xd2\x84", b"\xd8\x3d", b"\x58\x40", b"\x39\x01\x03", b"\x9b" + b"\xff" * 8),
    )


def _streamed(stream: bytes) -> str:
    return "HC1:" + layers.base45(stream)


def _compressed(envelope: bytes) -> str:
    return _streamed(zlib.compress(envelope))


def _hc_signed(protected: bytes, payload: bytes) -> str:
    return _compressed(layers.sign1(protected, payload, _HC_SEAL.sign(layers.sig_structure(protected, b"", payload))))


def _hc_payload(payload: bytes) -> str:
    return _hc_signed(_HC_PROTECTED, payload)


def _hc_headed(data: bytes) -> str:
    size = data[0] if data else 0
    return _hc_signed(data[1 : 1 + size], data[1 + size :])


def _hc_claims(data: bytes) -> str:
    choices, claims = Choices(data), dict(_HC)
    for _ in range(choices.byte() % 3 + 1):
        name = (1, 4, 6, -260)[choices.byte() % 4]
        if choices.byte() % 4 == 0:
            claims.pop(name, None)
        elif name == -260 and choices.byte() % 2:
            field = _hc_name(choices)
            claims[name] = {1: {**_VACCINATED, field: value(choices, _hc_name)}}
        else:
            claims[name] = value(choices, _hc_name)
    return _hc_payload(cbor2.dumps(claims))


def _hc_name(choices: Choices) -> object:
    return _HC_NAMES[choices.byte() % len(_HC_NAMES)]


def _hc_bomb(data: bytes) -> str:
    return _compressed((data[1:] * (1 + (data[0] if data else 0) * 40))[:_BOMB_BYTES])


def _hc_may_verify(message: bytes) -> bool:
    """Read the specification once more: a time that fits, and something certified."""
    _, _, aad, payload = cbor2.loads(message)
    said = cbor2.loads(payload)
    return bool(aad == b"" and _is_now(said[6], said[4]) and isinstance(said[-260], dict))


def _is_now(made: float, expires: float | None) -> bool:
    return made <= NOW_S + _GRACE_S and (expires is None or expires >= NOW_S - _GRACE_S - 1)


def shc() -> SignedFamily:
    """Return what there is to fuzz in SMART Health Cards of one code."""
    payload = json.dumps(_CARD, separators=(",", ":")).encode()
    return SignedFamily(
        "shc",
        trust_of(trusted("shc", _SHC_ISSUER, _SHC_KID, "ES256", _SHC_SEAL)),
        (_SHC_SEAL,),
        (_shc_payload(payload),),
        _shc_signed_of,
        (layers.shc_digits, _jws_parts, _shc_deflated, _shc_payload, _shc_headed, _shc_claims, _shc_bomb, _shc_file),
        (
            (0, b"eyJ9.e30.AA"),
            (1, bytes((len(_SHC_HEADER),)) + _SHC_HEADER.encode() + layers.raw_deflate(payload)),
            (2, layers.raw_deflate(payload)),
            (3, payload),
            (4, bytes((len(_SHC_HEADER),)) + _SHC_HEADER.encode()),
            (5, bytes((0, 1, 2, 0))),
            (6, b"\xff" + b"[],"),
            (7, b""),
        ),
        _shc_may_verify,
        (b"shc:/", b"eyJ", b'"iss":"', b'"nbf":', b'"exp":', b'"alg":"ES256"', b'"zip":"DEF"', b"1e400", b'"vc":{'),
    )


def _jws(header: bytes, body: bytes) -> bytes:
    signed = layers.b64(header) + b"." + layers.b64(body)
    return signed + b"." + layers.b64(_SHC_SEAL.sign(signed))


def _jws_parts(data: bytes) -> str:
    """Sign any header over any bytes."""
    size = data[0] if data else 0
    return layers.shc_digits(_jws(data[1 : 1 + size], data[1 + size :]))


def _shc_deflated(body: bytes) -> str:
    return layers.shc_digits(_jws(_SHC_HEADER.encode(), body))


def _shc_payload(payload: bytes) -> str:
    return _shc_deflated(layers.raw_deflate(payload))


def _shc_headed(data: bytes) -> str:
    size = data[0] if data else 0
    header = data[1 : 1 + size]
    return layers.shc_digits(_jws(header, layers.raw_deflate(json.dumps(_CARD).encode())))


def _shc_claims(data: bytes) -> str:
    choices, card = Choices(data), json.loads(json.dumps(_CARD))
    for _ in range(choices.byte() % 3 + 1):
        where = (card, card.get("vc"))[choices.byte() % 2]
        name = _shc_name(choices)
        if isinstance(where, dict):
            where[name] = value(choices, _shc_name)
    return _shc_payload(json.dumps(card, separators=(",", ":")).encode())


def _shc_name(choices: Choices) -> str:
    return _SHC_NAMES[choices.byte() % len(_SHC_NAMES)]


def _shc_bomb(data: bytes) -> str:
    """A card whose entries are a piece of JSON again and again: what deflates best and parses largest."""
    piece, times = data[1:] or b"[],", 1 + (data[0] if data else 0) * 400
    head = json.dumps(_CARD, separators=(",", ":")).encode()[:-1]
    return _shc_payload(head + b',"x":[' + piece * min(times, _BOMB_BYTES // len(piece)) + b"0]}")


def _shc_file(data: bytes) -> str:
    text = _shc_payload(json.dumps(_CARD).encode()).removeprefix("shc:/")
    card = "".join(chr(int(text[at : at + 2]) + 45) for at in range(0, len(text), 2))
    return json.dumps({"verifiableCredential": [card]}) + data.decode("latin-1")


def _shc_signed_of(text: str) -> bytes:
    if text.startswith("shc:/"):
        return layers.signed_of_shc(text.rpartition("/")[2] if "/" in text[5:] else text)
    if text.startswith("{"):
        text = json.loads(text)["verifiableCredential"][0]
    return text.rpartition(".")[0].encode()


def _shc_may_verify(message: bytes) -> bool:
    header, _, body = message.partition(b".")
    said = json.loads(zlib.decompress(layers.from_b64(body), -15))
    is_plain = json.loads(layers.from_b64(header)) == json.loads(_SHC_HEADER)
    return bool(is_plain and said["iss"] == _SHC_ISSUER and _is_now(said["nbf"], said.get("exp")))
