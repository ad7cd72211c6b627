"""HCERT: what must be refused, each at its stage, and what no change may get past.

What may be changed and the code is verified all the same, because nothing covers it: the padding bits of DEFLATE's last
byte; the way it is compressed; a tag, an unprotected parameter or another way to write the length of a part, which are
outside the signature; s for N - s of an ECDSA signature.
"""

import zlib
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.codes import recognise
from agent.core.codes.family import FACTS_MAX, VALUE_CHARACTERS_MAX
from agent.core.codes.hcert import INFLATED_BYTES_MAX, TEXT_CHARACTERS_MAX
from agent.core.formats import tolerant_cose
from agent.core.trust_list import Trust
from agent.core.verdict import Outcome, Verdict
from agent.core.verification import describe, verify
from fakes.ehc_issuer import NOW, NOW_S, scan_of, trust_of
from fakes.hcert_issuer import (
    ALG,
    ALPHABET,
    CRIT,
    KID,
    ORDER,
    VACCINATION,
    HcertIssuer,
    base45_text,
    claims,
    dcc,
    revoked_hashes,
    text_of,
)

ISSUER, OTHER = HcertIssuer(), HcertIssuer(label=b"another")
RSA = HcertIssuer("PS256")
TRUST = trust_of(ISSUER.entry(), RSA.entry(), revoked=revoked_hashes(b"nobody's"))


def judge(text: str, trust: Trust = TRUST) -> Verdict:
    return verify(recognise(scan_of(text)), trust, NOW)


def parts(*, header: bytes | None = None, payload: Any = 0, signature: bytes | None = None) -> str:
    """Return a genuine code with some part put in the place of its own."""
    found = ISSUER.parts()
    found[0] = found[0] if header is None else header
    found[2] = found[2] if payload == 0 else payload
    found[3] = found[3] if signature is None else signature
    return text_of(cbor2.dumps(cbor2.CBORTag(18, found)))


def der_signature() -> bytes:
    signature = ISSUER.parts()[3]
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    number = [value.to_bytes(33, "big") for value in (r, s)]
    return b"\x30\x46\x02\x21" + number[0] + b"\x02\x21" + number[1]


def with_numbers(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SAID = cbor2.dumps(claims())
REFUSED: dict[str, tuple[Any, str]] = {
    "version 2": (lambda: "HC2:" + ISSUER.code()[4:], "decode.version"),
    "version 10": (lambda: "HC10:" + ISSUER.code()[4:], "decode.version"),
    "version 01": (lambda: "HC01:" + ISSUER.code()[4:], "decode.version"),
    "longer than a QR code": (lambda: "HC1:" + "0" * TEXT_CHARACTERS_MAX, "decode.over-long"),
    "nothing behind the prefix": (lambda: "HC1:", "decode.inflate"),
    "lower case": (lambda: "HC1:" + ISSUER.code()[4:].lower(), "decode.base45"),
    "a chunk above 65,535": (lambda: "HC1:" + ":::" + ISSUER.code()[7:], "decode.base45"),
    "a length of 1 modulo 3": (lambda: "HC1:0000", "decode.base45"),
    "a line end behind": (lambda: ISSUER.code() + "\n", "decode.base45"),
    "not compressed": (lambda: "HC1:" + base45_text(ISSUER.token()), "decode.inflate"),
    "raw DEFLATE": (lambda: "HC1:" + base45_text(zlib.compress(ISSUER.token(), 9)[2:-4]), "decode.inflate"),
    "DEFLATE cut short": (lambda: "HC1:" + base45_text(zlib.compress(ISSUER.token())[:-1]), "decode.inflate"),
    "bytes behind DEFLATE": (lambda: "HC1:" + base45_text(zlib.compress(ISSUER.token()) + b"\0"), "decode.inflate"),
    "a bomb: 3 kB make 3 MB": (lambda: text_of(b"\xd2\x84" + bytes(2_900_000)), "decode.over-long"),
    "one byte too many": (lambda: text_of(bytes(INFLATED_BYTES_MAX + 1)), "decode.over-long"),
    "bytes behind COSE": (lambda: text_of(ISSUER.token() + b"\0"), "decode.cose"),
    "COSE_Mac0": (lambda: text_of(cbor2.dumps(cbor2.CBORTag(17, ISSUER.parts()))), "decode.cose"),
    "another tag inside 61": (lambda: text_of(cbor2.dumps(cbor2.CBORTag(61, cbor2.CBORTag(17, [])))), "decode.cose"),
    "tag 18 twice": (lambda: text_of(b"\xd2" + ISSUER.token()), "decode.cose"),
    "tag 18 before 61": (lambda: text_of(b"\xd2\xd8\x3d" + cbor2.dumps(ISSUER.parts())), "decode.cose"),
    "a tag's head that is cut short": (lambda: text_of(b"\xda\0\0\x12"), "decode.cose"),
    "three parts": (lambda: text_of(cbor2.dumps(ISSUER.parts()[:3])), "decode.cose"),
    "five parts": (lambda: text_of(cbor2.dumps([*ISSUER.parts(), b""])), "decode.cose"),
    "a detached payload": (lambda: parts(payload=None), "decode.cose"),
    "an empty payload": (lambda: parts(payload=b""), "decode.cose"),
    "a payload that is text": (lambda: parts(payload="text"), "decode.cose"),
    "deep nesting": (lambda: text_of(b"\x84\x40\xa1\x00" + b"\x81" * 4_000 + b"\x00\x41a\x40"), "decode.cose"),
    "alg unprotected": (lambda: ISSUER.code(protected={KID: ISSUER.kid}, unprotected={ALG: -7}), "decode.header"),
    "an empty protected header": (lambda: parts(header=b""), "decode.header"),
    "alg none": (lambda: ISSUER.code(protected={ALG: 0, KID: ISSUER.kid}), "decode.header"),
    "alg HS256": (lambda: ISSUER.code(protected={ALG: 5, KID: ISSUER.kid}), "decode.header"),
    "alg EdDSA": (lambda: ISSUER.code(protected={ALG: -8, KID: ISSUER.kid}), "decode.header"),
    "alg as text": (lambda: ISSUER.code(protected={ALG: "ES256", KID: ISSUER.kid}), "decode.header"),
    "alg as a float": (lambda: ISSUER.code(protected=b"\xa2\x01\xf9\xc7\x00\x04\x48" + ISSUER.kid), "decode.header"),
    "alg twice": (lambda: ISSUER.code(protected=b"\xa3\x01\x26\x01\x26\x04\x48" + ISSUER.kid), "decode.header"),
    "true for alg's number": (lambda: ISSUER.code(protected=b"\xa2\xf5\x26\x04\x48" + ISSUER.kid), "decode.header"),
    "crit": (lambda: ISSUER.code(protected={ALG: -7, CRIT: [99], KID: ISSUER.kid, 99: 1}), "decode.header"),
    "crit that names alg": (lambda: ISSUER.code(protected={ALG: -7, CRIT: [1], KID: ISSUER.kid}), "decode.header"),
    "crit unprotected": (lambda: ISSUER.code(unprotected={CRIT: [99]}), "decode.header"),
    "no kid": (lambda: ISSUER.code(protected={ALG: -7}), "decode.header"),
    "kid as text": (lambda: ISSUER.code(protected={ALG: -7, KID: "12345678"}), "decode.header"),
    "a protected kid of the wrong kind, a right one unprotected": (
        lambda: ISSUER.code(protected={ALG: -7, KID: 1}, unprotected={KID: ISSUER.kid}), "decode.header",
    ),
    "an unprotected key of another kind": (lambda: ISSUER.code(unprotected={1.5: 1}), "decode.header"),
    "a protected header that is a list": (lambda: ISSUER.code(protected=b"\x81\x01"), "decode.header"),
    "alg PS256, an ECDSA key": (lambda: ISSUER.code(protected={ALG: -37, KID: ISSUER.kid}), "key.algorithm-mismatch"),
    "a key id nobody has": (OTHER.code, "key.unknown"),
    "only the unprotected kid is known": (
        lambda: ISSUER.code(protected={ALG: -7, KID: b"another."}, unprotected={KID: ISSUER.kid}), "key.unknown",
    ),
    "the key comes with the code": (lambda: OTHER.code(unprotected={33: OTHER.spki}), "key.unknown"),
    "signed by another": (lambda: OTHER.code(protected={ALG: -7, KID: ISSUER.kid}), "signature.invalid"),
    "a DER signature": (lambda: parts(signature=der_signature()), "signature.invalid"),
    "no signature": (lambda: parts(signature=b""), "signature.invalid"),
    "r is zero": (lambda: parts(signature=with_numbers(0, 1)), "signature.invalid"),
    "s is zero": (lambda: parts(signature=with_numbers(1, 0)), "signature.invalid"),
    "r is the order": (lambda: parts(signature=with_numbers(ORDER, 1)), "signature.invalid"),
    "s is above the order": (lambda: parts(signature=with_numbers(1, ORDER + 1)), "signature.invalid"),
    "an RSA signature cut short": (
        lambda: text_of(cbor2.dumps([*RSA.parts()[:3], RSA.parts()[3][:-1]])), "signature.invalid",
    ),
    "bytes behind the claims": (lambda: ISSUER.code(SAID + b"\0"), "decode.cbor"),
    "claims cut short": (lambda: ISSUER.code(SAID[:-1]), "decode.cbor"),
    "claims that are a list": (lambda: ISSUER.code(b"\x81\x01"), "decode.cbor"),
    "a claim twice": (lambda: ISSUER.code(b"\xa5\x06\x00" + SAID[1:]), "decode.cbor"),
    "a claim twice, in other encodings": (lambda: ISSUER.code(b"\xa5\x18\x06\x00" + SAID[1:]), "decode.cbor"),
    "a key twice within": (lambda: ISSUER.code(SAID.replace(b"bdn", b"bsd")), "decode.cbor"),
    "true for 1": (lambda: ISSUER.code(b"\xa1\xf5\x61x"), "decode.cbor"),
    "a foreign tag": (lambda: ISSUER.code(claims({1: cbor2.CBORTag(35, "(a+)+$")})), "decode.cbor"),
    "a big number": (lambda: ISSUER.code(claims(exp=2**70)), "decode.cbor"),
    "claims 100 deep": (lambda: ISSUER.code(b"\xa1\x01" + b"\x81" * 100 + b"\0"), "decode.cbor"),
    "no exp": (lambda: ISSUER.code(claims(exp=None)), "decode.claims"),
    "no iat": (lambda: ISSUER.code(claims(iat=None)), "decode.claims"),
    "exp NaN": (lambda: ISSUER.code(claims(exp=float("nan"))), "decode.claims"),
    "exp infinite": (lambda: ISSUER.code(claims(exp=float("inf"))), "decode.claims"),
    "exp in milliseconds": (lambda: ISSUER.code(claims(exp=(NOW_S + 60) * 1000)), "decode.claims"),
    "exp as text": (lambda: ISSUER.code(claims(exp=str(NOW_S + 60))), "decode.claims"),
    "exp true": (lambda: ISSUER.code(claims(exp=True)), "decode.claims"),
    "iat negative": (lambda: ISSUER.code(claims(iat=-1)), "decode.claims"),
    "exp before iat": (lambda: ISSUER.code(claims(exp=NOW_S, iat=NOW_S + 1)), "decode.lifetime"),
    "iss a number": (lambda: ISSUER.code(claims(iss=40)), "decode.claims"),
    "iss of 81 characters": (lambda: ISSUER.code(claims(iss="x" * 81)), "decode.claims"),
    "no container": (lambda: ISSUER.code({1: "AT", 4: NOW_S + 9, 6: NOW_S}), "decode.claims"),
    "an empty container": (lambda: ISSUER.code(claims({})), "decode.claims"),
    "a container with text keys": (lambda: ISSUER.code(claims({"1": dcc(v=[VACCINATION])})), "decode.claims"),
    "a DCC in a byte string": (lambda: ISSUER.code(claims({1: cbor2.dumps(dcc(v=[VACCINATION]))})), "decode.claims"),
    "a DCC that says nothing": (lambda: ISSUER.code(claims({1: dcc(v=[])})), "decode.claims"),
    "a DCC without a list": (lambda: ISSUER.code(claims({1: dcc(v=VACCINATION)})), "decode.claims"),
    "a DCC with texts for entries": (lambda: ISSUER.code(claims({1: dcc(v=["x"])})), "decode.claims"),
    "a DCC with too many entries": (lambda: ISSUER.code(claims({1: dcc(v=[{}] * 17)})), "decode.claims"),
    "iss of another country": (lambda: ISSUER.code(claims(iss="DE")), "key.other-issuer"),
    "iss of another country, three letters": (lambda: ISSUER.code(claims(iss="DEU")), "key.other-issuer"),
    "expired": (lambda: ISSUER.code(claims(exp=NOW_S - 16)), "time.expired"),
    "from the future": (lambda: ISSUER.code(claims(iat=NOW_S + 16)), "time.future"),
    "signed before the key was valid": (lambda: ISSUER.code(claims(iat=1)), "key.not-valid-at-issue"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_be_refused_is_refused_at_its_stage(name: str) -> None:
    code, expected = REFUSED[name]
    verdict = judge(code())
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, expected)
    is_proven = expected.startswith(("time.", "key.not-valid"))
    assert (verdict.claims.text is not None, verdict.claims.content is not None) == (is_proven, is_proven)


def test_no_flipped_bit_of_a_token_is_verified_but_where_nothing_is_signed() -> None:
    token = ISSUER.token()
    for place in range(len(token) * 8):
        flipped = bytearray(token)
        flipped[place // 8] ^= 1 << place % 8
        assert judge(text_of(bytes(flipped))).outcome is Outcome.REFUSED, f"bit {place}"


def test_no_changed_character_of_a_text_is_verified_but_in_deflates_padding() -> None:
    text = ISSUER.code()
    same = []
    for place, was in enumerate(text):
        for character in {ALPHABET[(ALPHABET.find(was) + step) % 45] for step in (1, 2, 7, 22)} - {was}:
            changed = text[:place] + character + text[place + 1 :]
            if judge(changed).outcome is not Outcome.REFUSED:
                same.append(place)
    # The last byte before the check sum ends with bits that mean nothing; it is 5 bytes, 8 characters, before the end.
    assert {place // 3 for place in same} <= {
        (len(text) - 4 - 8) // 3,
        (len(text) - 4 - 8) // 3 + 1,
        (len(text) - 4 - 8) // 3 + 2,
    }


@given(st.text(max_size=300) | st.text(ALPHABET, max_size=400))
def test_no_text_raises_and_none_is_verified(text: str) -> None:
    assert judge(text).outcome is not Outcome.VERIFIED  # sixteen digits are a payment code: nothing proves it
    for candidate in ("HC1:" + text, "HC2:" + text):
        assert judge(candidate).outcome is Outcome.REFUSED


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xd2\x84", b"\xd8\x3d\xd2\x84\x43\xa1\x01\x26", ISSUER.token()[:60]]),
)
def test_no_token_raises_and_none_is_verified(noise: bytes, head: bytes) -> None:
    assert judge(text_of(head + noise)).outcome is Outcome.REFUSED


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda within: (
        st.lists(within, max_size=3)
        | st.dictionaries(
            st.sampled_from(["v", "t", "r", "ci", "nam", "dob", "fn", "dn", "tr", "co"]) | st.integers(-7, 7), within
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(
    ANY,
    ANY | st.dictionaries(st.sampled_from(["v", "t", "r", "nam", "dob", "ver"]), ANY),
    st.fixed_dictionaries({}, optional={"iss": ANY, "exp": st.none() | st.floats() | st.integers(0, 2**40)}),
)
def test_whatever_an_issuer_signs_gets_a_verdict_and_can_be_described(
    container: Any, inside: Any, changed: dict[str, Any]
) -> None:
    for content in (container, {1: inside}, {1: {"v": [inside]}}):
        verdict = judge(ISSUER.code(claims(content if content is not None else 0, **changed)))
        facts = describe("hcert", verdict.claims)
        assert len(facts) <= FACTS_MAX
        assert all(len(fact.value) <= VALUE_CHARACTERS_MAX and fact.value.isprintable() for fact in facts)


@given(
    st.sampled_from([ISSUER.token(), ISSUER.token(protected={KID: ISSUER.kid, ALG: -7}), cbor2.dumps(ISSUER.parts())]),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=2),
)
def test_the_short_way_to_read_an_envelope_agrees_with_the_long_one(
    token: bytes, changes: list[tuple[int, int]]
) -> None:
    disturbed = bytearray(token)
    for place, value in changes:
        disturbed[place % len(token)] = value
    plain = tolerant_cose._read_plain(bytes(disturbed))
    assert plain is None or plain == tolerant_cose._read_any(bytes(disturbed))
    assert changes or plain is not None
