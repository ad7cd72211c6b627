"""HCERT and SMART Health Cards to fuzz: the layers outside, and claims of every shape, signed anew."""

import json
import zlib

import cbor2

from agent.core.rid_lists import RidList
from agent.core.verdict import Claims
from fuzz import layers
from fuzz.choices import Choices, value
from fuzz.issuers import NOW_S, Seal, trust_of, trusted
from fuzz.signed import SignedFamily

_GRACE_S = 16
_LATE_S = (0, 0, 0, -400 * 86_400, -200_000, 100_000)
_HC_BOMB_BYTES = 60_000
_SHC_BOMB_BYTES = 300_000
_MADE_S = NOW_S - 86_400

_HC_KID = b"hc-key-1"
_HC_SEAL = Seal(b"hcert", issuer="AT", key_id=_HC_KID)
_HC_NAMESAKE = Seal(b"hcert-namesake", issuer="FR", key_id=_HC_KID)
_HC_TESTER = Seal(b"hcert-tester", issuer="AT", key_id=b"hc-key-2", kinds=frozenset({"t"}))
_HC_OTHER = Seal(b"hcert-other", issuer="DE", key_id=b"hc-key-3")
_HC_SEALS = (_HC_SEAL, _HC_NAMESAKE, _HC_TESTER, _HC_OTHER)
_HC_ISSUERS = ("AT", "FR", "DE", "AUT", "FRA", "at", None)
_COUNTRIES = {"AUT": "AT", "FRA": "FR", "DEU": "DE"}
_HC_PROTECTED = bytes(cbor2.dumps({1: -7, 4: _HC_KID}))
_VACCINATED = {
    "ver": "1.3.0",
    "nam": {"fn": "Nobody", "fnt": "NOBODY", "gn": "Invented", "gnt": "INVENTED"},
    "dob": "1980-01-01",
    "v": [{"ci": "URN:UVCI:01:UT:FUZZ#1", "co": "UT", "dn": 2, "dt": "2026-12-01", "is": "An issuer", "sd": 2}],
}
_HC: dict[object, object] = {1: "AT", 4: NOW_S + 86_400, 6: _MADE_S, -260: {1: _VACCINATED}}
_HC_NAMES = (1, 4, 6, -260, 2, 3, 5, 7, "v", "t", "r", "ci", "co", "nam", "dob", "ver")

_SHC_KID = bytes(range(32))
_SHC_ISSUER = "https://health.example/issuer"
_SHC_SEAL = Seal(b"shc", issuer=_SHC_ISSUER, key_id=_SHC_KID)
_SHC_NEXT = Seal(b"shc-next", issuer=_SHC_ISSUER, key_id=bytes(range(1, 33)))
_SHC_OTHER = Seal(b"shc-other", issuer="https://other.example/issuer", key_id=bytes(range(2, 34)))
_SHC_SEALS = (_SHC_SEAL, _SHC_NEXT, _SHC_OTHER)
_SHC_ALGS = ("ES256", "ES256", "none", "HS256", "ES384", "es256")
_REVOKED_RID = "fuzz-9"
_RIDS = RidList("shc", _SHC_ISSUER, _SHC_KID, 1, {_REVOKED_RID: None})
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
                "entry": [
                    {"resource": {"resourceType": "Patient", "name": [{"family": "Nobody"}], "birthDate": "1980-01-01"}}
                ],
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
        trust_of(*(trusted("hcert", seal) for seal in _HC_SEALS)),
        _HC_SEALS,
        (_compressed(envelope),),
        lambda text: layers.signed_of_sign1(zlib.decompress(layers.from_base45(text.removeprefix("HC1:"))), b""),
        (_streamed, _compressed, _hc_payload, _hc_headed, _hc_claims, _hc_bomb, _hc_crossed),
        (
            (0, zlib.compress(envelope)),
            (1, envelope),
            (1, cbor2.dumps(cbor2.CBORTag(61, cbor2.loads(envelope)))),
            (2, payload),
            (3, bytes((len(_HC_PROTECTED),)) + _HC_PROTECTED + payload),
            (4, bytes((0, 1, 2, 0))),
            (5, b"\xff" + payload),
            (6, bytes(7)),
            (6, bytes((0, 0, 0, 0, 0, 4, 0))),
        ),
        _hc_may_verify,
        ("Nobody", "Invented", "1980-01-01", "URN:UVCI:01:UT:FUZZ#1"),
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
    piece, times = data[1:] or b"\x80", 1 + (data[0] if data else 0) * 40
    return _compressed(piece * min(times, _HC_BOMB_BYTES // len(piece) + 1))


def _hc_crossed(data: bytes) -> str:
    """Write what one country's code says under another's key, key id or kind, or in another form than was signed."""
    choices, claims = Choices(data), dict(_HC)
    claims[1] = _HC_ISSUERS[choices.byte() % len(_HC_ISSUERS)]
    if claims[1] is None:
        del claims[1]
    header = {1: (-7, -7, -7, -37, -8, 0, -35)[choices.byte() % 7], 4: _HC_SEALS[choices.byte() % 4].key_id}
    seal, form = _HC_SEALS[choices.byte() % 4], choices.byte() % 8
    late_s = _LATE_S[choices.byte() % len(_LATE_S)]
    claims |= {4: NOW_S + 86_400 + late_s, 6: _MADE_S + late_s}
    if choices.byte() % 2:
        kind = "vtrx"[choices.byte() % 4]
        claims[-260] = {1: {"nam": {}, kind: [{"ci": "URN:UVCI:01:UT:FUZZ#2"}]}}
    unprotected: dict[object, object] = {}
    if form == 1:
        unprotected = {4: header.pop(4)}
    elif form == 2:
        unprotected = {1: header.pop(1)}
    elif form == 3:
        unprotected = {4: _HC_SEALS[choices.byte() % 4].key_id}
    protected = bytes(cbor2.dumps(header))
    payload = signed = bytes(cbor2.dumps(claims))
    if form == 4:  # another way to write the same claims
        payload = bytes(cbor2.dumps(dict(reversed(claims.items()))))
    elif form == 5:  # a number in more bytes than it needs
        payload = signed.replace(b"\x06\x1a", b"\x06\x1b" + bytes(4), 1)
    signature = seal.sign(layers.sig_structure(protected, b"", signed))
    return _compressed(layers.sign1(protected, payload, b"" if form == 6 else signature, unprotected))


def _hc_may_verify(message: bytes, seal: Seal, claims: Claims) -> bool:
    """Read the specification once more: the key's country, its kinds, a time that fits, and something certified."""
    _, protected, aad, payload = cbor2.loads(message)
    header = cbor2.loads(protected) if protected else {}
    said = cbor2.loads(payload)
    country = str(said.get(1, seal.issuer)).upper()
    kinds = {kind for kind in "vtr" if said[-260].get(1, {}).get(kind)} | {
        {3: "v", 4: "t"}.get(claim, "other") for claim in said[-260] if claim != 1
    }
    is_of_key = header[1] == -7 and header.get(4, seal.key_id) == seal.key_id == claims.key_id
    is_of_country = _COUNTRIES.get(country, country) == seal.issuer or country not in _HC_ISSUERS
    is_of_kind = bool(kinds) and (not seal.kinds or kinds <= seal.kinds)
    is_told = (claims.issued_at_s, claims.expires_at_s) == (int(said[6]), int(said[4]))
    return bool(aad == b"" and is_of_key and is_of_country and is_of_kind and is_told and _is_now(said[6], said[4]))


def _is_now(made: float, expires: float | None) -> bool:
    return made <= NOW_S + _GRACE_S and (expires is None or expires >= NOW_S - _GRACE_S - 1)


def shc() -> SignedFamily:
    """Return what there is to fuzz in SMART Health Cards of one code."""
    payload = json.dumps(_CARD, separators=(",", ":")).encode()
    return SignedFamily(
        "shc",
        trust_of(*(trusted("shc", seal) for seal in _SHC_SEALS), rid_lists=(_RIDS,)),
        _SHC_SEALS,
        (_shc_payload(payload),),
        _shc_signed_of,
        (
            layers.shc_digits,
            _jws_parts,
            _shc_deflated,
            _shc_payload,
            _shc_headed,
            _shc_claims,
            _shc_bomb,
            _shc_file,
            _shc_crossed,
            _shc_in_parts,
        ),
        (
            (0, b"eyJ9.e30.AA"),
            (1, bytes((len(_SHC_HEADER),)) + _SHC_HEADER.encode() + layers.raw_deflate(payload)),
            (2, layers.raw_deflate(payload)),
            (3, payload),
            (4, bytes((len(_SHC_HEADER),)) + _SHC_HEADER.encode()),
            (5, bytes((0, 1, 2, 0))),
            (6, b"\xff" + b"[],"),
            (7, b""),
            (8, bytes(6)),
            (8, bytes((0, 0, 0, 0, 0, 4))),
            (8, bytes((0, 0, 0, 0, 1, 0))),
            (9, bytes((3, 0, 1, 2))),
        ),
        _shc_may_verify,
        ("Nobody", "1980-01-01"),
        (
            b"shc:/",
            b"eyJ",
            b'"iss":"',
            b'"nbf":',
            b'"exp":',
            b'"alg":"ES256"',
            b'"alg":"none"',
            b'"zip":"DEF"',
            b'"crit":[',
            b'"b64":',
            b"1e400",
            b'"vc":{',
        ),
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
    return _shc_payload(head + b',"x":[' + piece * min(times, _SHC_BOMB_BYTES // len(piece)) + b"0]}")


def _shc_file(data: bytes) -> str:
    text = _shc_payload(json.dumps(_CARD).encode()).removeprefix("shc:/")
    card = "".join(chr(int(text[at : at + 2]) + 45) for at in range(0, len(text), 2))
    return json.dumps({"verifiableCredential": [card]}) + data.decode("latin-1")


def _shc_crossed(data: bytes) -> str:
    """Write what one issuer's card says under another's key, key id or algorithm, or otherwise than it was signed."""
    choices, card = Choices(data), json.loads(json.dumps(_CARD))
    card["iss"] = (_SHC_ISSUER, _SHC_OTHER.issuer, "https://third.example")[choices.byte() % 3]
    key_id = layers.b64(_SHC_SEALS[choices.byte() % 3].key_id).decode()
    header = {"zip": "DEF", "alg": _SHC_ALGS[choices.byte() % len(_SHC_ALGS)], "kid": key_id}
    seal, form = _SHC_SEALS[choices.byte() % 3], choices.byte() % 8
    late_s = _LATE_S[choices.byte() % len(_LATE_S)]
    card |= {"nbf": _MADE_S + late_s, "exp": NOW_S + 86_400 + late_s}
    if form == 1:
        card["vc"]["rid"] = _REVOKED_RID
    elif form == 2:
        header["jwk"] = "e30"
    head, body = layers.b64(json.dumps(header).encode()), json.dumps(card)
    sent = signed = head + b"." + layers.b64(layers.raw_deflate(body.encode()))
    if form == 3:  # the same claims, deflated from another text
        signed = head + b"." + layers.b64(layers.raw_deflate(json.dumps(card, separators=(",", ":")).encode()))
    elif form == 4:  # the claims themselves
        signed = body.encode()
    elif form == 5:  # the unused bits of the last character are set
        signature = layers.b64(seal.sign(sent))
        return layers.shc_digits(sent + b"." + signature[:-1] + bytes((signature[-1] + 1,)))
    return layers.shc_digits(sent + b"." + (b"" if form == 6 else layers.b64(seal.sign(signed))))


def _shc_in_parts(data: bytes) -> str:
    """Cut a good card into parts, in any order, one perhaps twice, of another card or with another number."""
    choices, digits = Choices(data), _shc_payload(json.dumps(_CARD).encode()).removeprefix("shc:/")
    count = choices.byte() % 18 + 1
    size = -(-len(digits) // count // 2) * 2
    parts = [digits[at * size : (at + 1) * size] for at in range(count)]
    lines = list[str]()
    for place in range(count):
        number = (place + choices.byte()) % (count + 1)
        lines.append(f"shc:/{number + 1}/{count + (choices.byte() == 255)}/{parts[number % count]}")
    return "\n".join(lines)


def _shc_signed_of(text: str) -> bytes:
    if text.startswith("shc:/"):
        lines = dict(line.removeprefix("shc:/").rsplit("/", 1) for line in text.split("\n") if "/" in line[5:])
        if not lines:
            return layers.signed_of_shc(text)
        of = {name.partition("/")[2] for name in lines}
        numbers = [f"{number}/{len(lines)}" for number in range(1, len(lines) + 1)]
        if of != {str(len(lines))}:
            raise ValueError("not one whole set of parts")
        return layers.signed_of_shc("".join(lines[number] for number in numbers))
    if text.startswith("{"):
        text = json.loads(text)["verifiableCredential"][0]
    return layers.signed_of_jws(text.encode("ascii"))


def _shc_may_verify(message: bytes, seal: Seal, claims: Claims) -> bool:
    header, _, body = message.partition(b".")
    said = json.loads(zlib.decompress(layers.from_b64(body), -15))
    head, key_id = json.loads(layers.from_b64(header)), layers.b64(seal.key_id).decode()
    is_plain = (head["zip"], head["alg"], head["kid"]) == ("DEF", "ES256", key_id) and not {"crit", "b64"} & head.keys()
    is_revoked = seal is _SHC_SEAL and said["vc"].get("rid") == _REVOKED_RID
    expires_at_s = None if "exp" not in said else int(said["exp"])
    is_told = (claims.issued_at_s, claims.expires_at_s) == (int(said["nbf"]), expires_at_s)
    return bool(
        is_plain and said["iss"] == seal.issuer and is_told and not is_revoked and _is_now(said["nbf"], said.get("exp"))
    )
