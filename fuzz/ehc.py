"""EHC1 to fuzz: base45, COSE_Sign1, and claims of every shape, signed anew."""

import hashlib

import cbor2

from agent.core.verdict import Claims
from fuzz import layers
from fuzz.choices import Choices, value
from fuzz.issuers import NOW_S, Seal, keyless, trust_of, trusted
from fuzz.signed import SignedFamily

_KID = bytes(range(8))
_SEAL = Seal(b"ehc", issuer="4420", key_id=_KID, kinds=frozenset({"static", "dynamic"}))
_STATIC_SEAL = Seal(b"ehc-static", issuer="4420", key_id=b"static-1", kinds=frozenset({"static"}))
_OTHER_SEAL = Seal(b"ehc-other", issuer="4421", key_id=b"other--1", kinds=frozenset({"dynamic"}))
_SEALS = (_SEAL, _STATIC_SEAL, _OTHER_SEAL)
_AAD = b"scanward-ehc-1"
_PROTECTED = bytes(cbor2.dumps({1: -7, 4: _KID}))
_CARD = hashlib.sha256(b"an invented card of the fuzzer").digest()
_STATIC: dict[object, object] = {1: "4420", 6: NOW_S - 86_400, -65537: _CARD, -65538: 1}
_DYNAMIC: dict[object, object] = {1: "4420", 4: NOW_S + 60, 6: NOW_S, 7: bytes(8), -65537: _CARD, -65538: 0}
_NAMES = (1, 4, 6, 7, -65537, -65538, 0, 2, 3, 5, 8, 24, -1, -65536, 2**32)
_ALGS = (-7, -7, -7, -8, -65601, -35, 0)
_KINDS = ("dynamic", "static")
_GRACE_S = 15
_LATE_S = (0, 0, 0, -400 * 86_400, -1_000, 1_000, -60)


def family() -> SignedFamily:
    """Return what there is to fuzz."""
    static, dynamic = layers.deterministic(_STATIC), layers.deterministic(_DYNAMIC)
    keys = [trusted("ehc", seal) for seal in _SEALS]
    return SignedFamily(
        "ehc",
        trust_of(*keys, keyless("ehc", "4421", b"8 bytes.", "SM2")),
        _SEALS,
        (_signed(_PROTECTED, dynamic), _signed(_PROTECTED, static)),
        _signed_of,
        (_enveloped, _payload, _headed, _claims, _crossed),
        (
            (0, layers.sign1(_PROTECTED, dynamic, _SEAL.sign(layers.sig_structure(_PROTECTED, _AAD, dynamic)))),
            (1, dynamic),
            (1, static),
            (2, bytes((len(_PROTECTED),)) + _PROTECTED + static),
            (3, bytes((0, 1, 2, 0))),
            (3, bytes((1, 1, 1, 2, 60, 24))),
            (4, bytes(7)),
            (4, bytes((0, 0, 4, 0, 0, 0, 0))),
        ),
        _may_verify,
        (_CARD.hex()[4:].upper(),),
        (b"EHC1:", _PROTECTED, b"\xd2\x84", b"\x58\x40", b"\x3a\x00\x01\x00\x00", b"\x3a\x00\x01\x00\x01"),
    )


def _signed(protected: bytes, payload: bytes) -> str:
    signature = _SEAL.sign(layers.sig_structure(protected, _AAD, payload))
    return _enveloped(layers.sign1(protected, payload, signature))


def _signed_of(text: str) -> bytes:
    envelope = layers.from_base45(text.removeprefix("EHC1:"))
    if text != _enveloped(envelope):
        raise ValueError("base45 that another text stands for, too")
    return layers.signed_of_sign1(envelope, _AAD)


def _enveloped(envelope: bytes) -> str:
    return "EHC1:" + layers.base45(envelope)


def _payload(payload: bytes) -> str:
    return _signed(_PROTECTED, payload)


def _headed(data: bytes) -> str:
    size = data[0] if data else 0
    return _signed(data[1 : 1 + size], data[1 + size :])


def _claims(data: bytes) -> str:
    """Sign a good code's claims with up to four of them replaced, added or taken away."""
    choices = Choices(data)
    claims = dict(_STATIC if choices.byte() % 2 else _DYNAMIC)
    for _ in range(choices.byte() % 4 + 1):
        name = _name(choices)
        if choices.byte() % 4 == 0:
            claims.pop(name, None)
        else:
            claims[name] = value(choices, _name)
    return _payload(layers.deterministic(claims))


def _crossed(data: bytes) -> str:
    """Write what one issuer's code says under another's key, key id, algorithm or in another form than was signed."""
    choices = Choices(data)
    claims = dict(_STATIC if choices.byte() % 2 else _DYNAMIC)
    claims[1] = ("4420", "4421", "4422")[choices.byte() % 3]
    late_s = _LATE_S[choices.byte() % len(_LATE_S)]
    for name in {4, 6} & claims.keys():
        claims[name] = int(str(claims[name])) + late_s
    key_id = _SEALS[choices.byte() % 3].key_id
    protected = layers.deterministic({1: _ALGS[choices.byte() % len(_ALGS)], 4: key_id})
    seal, form = _SEALS[choices.byte() % 3], choices.byte() % 6
    payload = signed = layers.deterministic(claims)
    if form == 1:  # another way to write the same claims
        payload = bytes(cbor2.dumps(dict(reversed(claims.items()))))
    elif form == 2:  # likewise, and signed so
        payload = signed = bytes(cbor2.dumps(dict(reversed(claims.items()))))
    elif form == 3:  # the other type than was signed
        payload = layers.deterministic(claims | {-65538: 1 - (choices.byte() % 2)})
    signature = seal.sign(layers.sig_structure(protected, b"" if form == 4 else _AAD, signed))
    return _enveloped(layers.sign1(protected, payload, b"" if form == 5 else signature))


def _name(choices: Choices) -> object:
    return _NAMES[choices.byte() % len(_NAMES)]


def _may_verify(message: bytes, seal: Seal, claims: Claims) -> bool:
    """Read ehc1.cddl and codes.md once more, in other words."""
    _, protected, aad, payload = cbor2.loads(message)
    said = cbor2.loads(payload)
    if aad != _AAD or protected != layers.deterministic({1: -7, 4: seal.key_id}):
        return False
    if said[1] != seal.issuer or _KINDS[said[-65538]] not in seal.kinds or layers.deterministic(said) != payload:
        return False
    issued, expires, is_dynamic = said[6], said.get(4), said[-65538] == 0
    is_whole = type(issued) is int and type(said[-65538]) is int and len(said[-65537]) == 32
    if is_dynamic:
        is_whole = is_whole and len(said[7]) == 8 and 0 < expires - issued <= 120
    elif expires is not None:
        is_whole = is_whole and expires > issued
    in_time = issued <= NOW_S + 1 + _GRACE_S and (expires is None or expires >= NOW_S - 1 - _GRACE_S)
    is_told = (claims.type, claims.card, claims.key_id) == (said[-65538], said[-65537], seal.key_id)
    is_told = is_told and (claims.issued_at_s, claims.expires_at_s) == (issued, expires)
    return bool(is_whole and in_time and is_told and (is_dynamic or 7 not in said) and said[-65538] in (0, 1))
