"""EHC1: every case of the byte vectors, the rules one by one, and what no change may get past."""

import hashlib
import json
from functools import reduce
from operator import or_
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.keys.verification import build_key
from agent.core.codes import ehc1, recognise
from agent.core.codes.family import Refused
from agent.core.formats import base45
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import AlgorithmUnavailable, Trust, VerificationKey
from agent.core.verdict import CodeType, Outcome, Verdict
from agent.core.verification import verify
from fakes.ehc_issuer import (
    CARD,
    CTI,
    DYNAMIC,
    NOW,
    NOW_S,
    STATIC,
    EhcIssuer,
    deterministic,
    revoked_cards,
    revoked_kids,
    scan_of,
    text_of,
    trust_list_file,
    trust_of,
    without,
)

ISSUER = EhcIssuer()
TRUST = trust_of(ISSUER.entry(), EhcIssuer("EdDSA").entry(), EhcIssuer("SM2").entry(), revoked=revoked_cards())


def judge(text: str, trust: Trust | None = TRUST, now: Interval = NOW) -> Verdict:
    return verify(recognise(scan_of(text)), trust, now)


def at(earliest_s: float, latest_s: float | None = None) -> Interval:
    latest = earliest_s if latest_s is None else latest_s
    return Interval(int(earliest_s * 1000), int(latest * 1000))


def test_every_case_of_the_byte_vectors_ends_at_its_stage(vectors: Any) -> None:
    file = vectors("ehc1")
    trust = Trust(parse_trust_list(json.dumps(file["trust_list"]).encode(), build_key), None, None, None)
    now = at(file["now_s"])
    wrong = []
    for case in file["cases"]:
        verdict = judge(case["text"], trust, now)
        got = "verified" if verdict.outcome is Outcome.VERIFIED else verdict.reason
        if not got.startswith(case["expect"]):
            wrong.append((case["name"], case["expect"], got))
    assert wrong == []
    assert len(file["cases"]) >= 85


def test_a_verified_vector_says_what_its_claims_say(vectors: Any) -> None:
    file = vectors("ehc1")
    trust = Trust(parse_trust_list(json.dumps(file["trust_list"]).encode(), build_key), None, None, None)
    verified = [case for case in file["cases"] if case["expect"] == "verified"]
    assert len(verified) == 7
    for case in verified:
        claims = judge(case["text"], trust, at(file["now_s"])).claims
        says = case["claims"]
        assert claims.card is not None
        assert (claims.issuer, claims.issued_at_s, claims.expires_at_s) == (says["1"], says["6"], says.get("4"))
        assert (claims.card.hex(), claims.type) == (says["-65537"], CodeType(says["-65538"]))
        replay = file["replay_id_of_dynamic"] if says["-65538"] == 0 else None
        assert (claims.replay_id and claims.replay_id.hex()) == replay


@pytest.mark.parametrize("alg", ["ES256", "SM2"])
def test_no_flipped_bit_of_a_token_is_verified(alg: str) -> None:
    issuer = EhcIssuer(alg)
    token = issuer.token(DYNAMIC)
    assert judge(text_of(token)).outcome is Outcome.VERIFIED
    for place in range(len(token) * 8):
        flipped = bytearray(token)
        flipped[place // 8] ^= 1 << place % 8
        verdict = judge(text_of(bytes(flipped)))
        assert verdict.outcome is Outcome.REFUSED, f"bit {place}"
        assert verdict.claims.card is None


def test_no_changed_character_of_a_text_is_verified() -> None:
    text = ISSUER.code(DYNAMIC)
    for place, was in enumerate(text):
        for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:az_\n":
            if character != was:
                changed = text[:place] + character + text[place + 1 :]
                assert judge(changed).outcome is Outcome.REFUSED, f"character {place}"


@given(st.text(max_size=300) | st.text(" $%*+-./:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", max_size=400))
def test_no_text_raises_and_none_is_verified(text: str) -> None:
    assert judge(text).outcome is not Outcome.VERIFIED  # sixteen digits are a payment code: nothing proves it
    assert judge("EHC1:" + text).outcome is Outcome.REFUSED


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xd2\x84", b"\xd2\x84\x4d\xa2\x01\x26\x04\x48"]))
def test_no_token_raises_and_none_is_verified(noise: bytes, head: bytes) -> None:
    assert judge(text_of(head + noise)).outcome is Outcome.REFUSED


ODD: dict[int, st.SearchStrategy[Any]] = {
    1: st.text("4420 AZ~!é\n", max_size=34) | st.just(4420),
    4: st.sampled_from([0, 2**24 - 1, NOW_S, NOW_S + 60, 2**32 - 1, 2**40, None, b"", False]),
    6: st.sampled_from([0, 23, 255, 65_535, 2**24, NOW_S, 2**32, 253_402_300_799, 253_402_300_800, -1, True, "6"]),
    7: st.binary(min_size=7, max_size=9) | st.just(CTI) | st.just("12345678"),
    8: st.just("another claim"),
    -7: st.integers(-(2**64), 2**64 - 1),
    -65537: st.binary(min_size=31, max_size=33),
    -65538: st.sampled_from([0, 1, 2, True, False, "1"]),
}
CLAIMS = (
    st.builds(  # the usual ones, of which one or two are not: what is odd throughout is refused for its first claim
        lambda usual, odd: reduce(or_, odd, usual),
        st.sampled_from([STATIC, DYNAMIC]),
        st.lists(st.one_of([st.fixed_dictionaries({key: values}) for key, values in ODD.items()]), max_size=2),
    )
)


def read_any(payload: bytes) -> object:
    try:
        return ehc1._read_any(payload)
    except Refused:
        return None


@given(CLAIMS)
def test_the_short_way_to_read_claims_agrees_with_the_long_one(claims: dict[int, Any]) -> None:
    payload = deterministic(claims)
    plain = ehc1._read_plain(payload)
    assert plain is None or plain == read_any(payload)


@given(CLAIMS)
def test_what_is_verified_says_what_was_signed(signed: dict[int, Any]) -> None:
    verdict = judge(ISSUER.code(signed))
    says = verdict.claims
    if verdict.outcome is Outcome.VERIFIED:
        assert (says.issuer, says.issued_at_s, says.expires_at_s) == (signed[1], signed[6], signed.get(4))
        assert (says.card, says.type) == (signed[-65537], CodeType(signed[-65538]))
        assert {type(signed[key]) for key in (4, 6, -65538) if key in signed} == {int}
        assert (says.replay_id is None) is (says.type is CodeType.STATIC)
    else:
        assert (verdict.outcome, says.card, says.replay_id) == (Outcome.REFUSED, None, None)


@given(
    st.sampled_from([STATIC, DYNAMIC, {**STATIC, 4: NOW_S + 60}, {**STATIC, 1: "x" * 23}, {**STATIC, 1: "x"}]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=2),
)
def test_the_short_way_agrees_on_disturbed_claims_too(claims: dict[int, Any], changes: list[tuple[int, int]]) -> None:
    payload = bytearray(deterministic(claims))
    for place, value in changes:
        payload[place % len(payload)] = value
    plain = ehc1._read_plain(bytes(payload))
    assert plain is None or plain == read_any(bytes(payload))


def test_a_code_of_the_usual_kind_takes_the_short_way() -> None:
    for claims in (STATIC, DYNAMIC, {**STATIC, 4: NOW_S + 60}):
        assert ehc1._read_plain(deterministic(claims)) is not None


@pytest.mark.parametrize(
    "claims",
    [
        {**STATIC, 1: "x" * 32},
        {**STATIC, 1: "!~"},
        {**STATIC, 6: 0},
        {**STATIC, 4: NOW_S + 10**9},
        {**STATIC, 4: 253_402_300_799},
        {**DYNAMIC, 4: NOW_S + 120},
        {**DYNAMIC, 8: {1: [2, None]}, 24: True, -1: "signed and ignored"},
    ],
)
def test_what_the_format_allows_is_verified(claims: dict[int, Any]) -> None:
    trust = trust_of(ISSUER.entry(issuer=claims[1], not_before="1970-01-01T00:00:00Z"), revoked=revoked_cards())
    verdict = judge(ISSUER.code(claims), trust)
    assert (verdict.outcome, verdict.reason, verdict.unchecked) == (Outcome.VERIFIED, "ok", ())
    assert verdict.claims.card == CARD


@pytest.mark.parametrize(
    ("what", "claims", "reason"),
    [
        ("an issuer of 33 characters", {**STATIC, 1: "x" * 33}, "decode.claims"),
        ("no issuer", without(STATIC, 1), "decode.claims"),
        ("an empty issuer", {**STATIC, 1: ""}, "decode.claims"),
        ("a space in the issuer", {**STATIC, 1: "44 20"}, "decode.claims"),
        ("a line end after the issuer", {**STATIC, 1: "4420\n"}, "decode.claims"),
        ("the issuer as bytes", {**STATIC, 1: b"4420"}, "decode.claims"),
        ("no card", without(STATIC, -65537), "decode.claims"),
        ("no type", without(STATIC, -65538), "decode.claims"),
        ("a negative iat", {**STATIC, 6: -1}, "decode.claims"),
        ("iat after the year 9999", {**STATIC, 6: 253_402_300_800, 4: 253_402_300_801}, "decode.claims"),
        ("iat as a boolean", {**STATIC, 6: True}, "decode.claims"),
        ("exp as null", {**STATIC, 4: None}, "decode.claims"),
        ("exp as text", {**DYNAMIC, 4: str(NOW_S + 60)}, "decode.claims"),
        ("exp infinite", {**DYNAMIC, 4: float("inf")}, "decode.cbor"),
        ("exp at iat", {**DYNAMIC, 4: NOW_S}, "decode.lifetime"),
        ("a static code with exp before iat", {**STATIC, 4: STATIC[6] - 1}, "decode.lifetime"),
        ("a dynamic life of 121 s", {**DYNAMIC, 4: NOW_S + 121}, "decode.lifetime"),
        ("a static code with a cti", {**STATIC, 7: CTI}, "decode.claims"),
        ("a cti as text", {**DYNAMIC, 7: "12345678"}, "decode.claims"),
        ("a tag in an unknown claim", {**STATIC, 9: cbor2.CBORTag(35, "(a+)+$")}, "decode.cbor"),
        ("a text for a key", deterministic(STATIC).replace(b"\xa4", b"\xa5", 1) + b"\x61a\x00", "decode.cbor"),
        ("true for the key 1", b"\xa4\xf5\x644420" + deterministic(without(STATIC, 1))[1:], "decode.cbor"),
        ("nothing", b"", "decode.cbor"),
        ("null", b"\xf6", "decode.claims"),
    ],
)
def test_claims_that_are_not_as_agreed_are_refused_though_signed(what: str, claims: Any, reason: str) -> None:
    verdict = judge(ISSUER.code(claims))
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, reason)


def test_a_key_is_good_only_for_its_own_issuer() -> None:
    other = EhcIssuer(label=b"another issuer")
    trust = trust_of(ISSUER.entry(), other.entry(issuer="4401"))
    assert judge(other.code({**STATIC, 1: "4401"}), trust).outcome is Outcome.VERIFIED
    assert judge(other.code(STATIC), trust).reason == "key.unknown"
    assert judge(other.code({**STATIC, 1: "3100"}), trust).reason == "key.unknown-issuer"


def test_a_key_of_another_family_is_no_key() -> None:
    assert judge(ISSUER.code(STATIC), trust_of(ISSUER.entry(family="platform"))).reason == "key.unknown-issuer"
    inert = ISSUER.entry(family="novel", spki=None, usage=None)
    assert judge(ISSUER.code(STATIC), trust_of(inert)).reason == "key.unknown-issuer"


def test_the_key_decides_the_algorithm_not_the_header() -> None:
    for other in (-8, -65601):
        header = cbor2.dumps({1: other, 4: ISSUER.kid})
        assert judge(ISSUER.code(STATIC, protected=header)).reason == "key.algorithm-mismatch"
    sm2 = EhcIssuer("SM2")
    for other in (-7, -8):
        header = cbor2.dumps({1: other, 4: sm2.kid})
        assert judge(sm2.code(STATIC, protected=header)).reason == "key.algorithm-mismatch"


@pytest.mark.parametrize(("usage", "good", "bad"), [("static", STATIC, DYNAMIC), ("dynamic", DYNAMIC, STATIC)])
def test_a_key_serves_only_the_type_it_is_for(usage: str, good: dict[int, Any], bad: dict[int, Any]) -> None:
    trust = trust_of(ISSUER.entry(usage=[usage]))
    assert judge(ISSUER.code(good), trust).outcome is Outcome.VERIFIED
    assert judge(ISSUER.code(bad), trust).reason == "key.usage"


def test_without_a_trust_list_nothing_is_verified() -> None:
    verdict = judge(ISSUER.code(DYNAMIC), None)
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, "key.no-trust-list")


def test_sm2_is_refused_where_this_machine_has_none_and_the_list_works_on() -> None:
    def build(alg: str, spki: bytes) -> VerificationKey:
        if alg == "SM2":
            raise AlgorithmUnavailable(alg)
        return build_key(alg, spki)

    sm2 = EhcIssuer(label=b"an issuer with SM2")
    trust_list = parse_trust_list(trust_list_file(ISSUER.entry(), sm2.entry(alg="SM2")), build)
    trust = Trust(trust_list, None, None, None)
    header = cbor2.dumps({1: -65601, 4: sm2.kid})
    assert judge(sm2.code(STATIC, protected=header), trust).reason == "key.sm2-unavailable"
    assert judge(sm2.code(STATIC), trust).reason == "key.algorithm-mismatch"
    assert judge(ISSUER.code(STATIC), trust).outcome is Outcome.VERIFIED


@pytest.mark.parametrize(
    ("not_before", "not_after", "reason"),
    [
        ("2026-01-01T00:00:00Z", "2027-01-15T07:59:59Z", "key.expired"),  # now is 2027-01-15T08:00:00Z
        ("2026-01-01T00:00:00Z", "2027-01-15T08:00:00Z", "ok"),
        ("2027-01-15T08:00:01Z", "2036-01-01T00:00:00Z", "key.not-yet-valid"),
        ("2027-01-15T08:00:00Z", "2036-01-01T00:00:00Z", "key.not-valid-at-issue"),
        ("2027-01-14T16:00:00+08:00", "2036-01-01T00:00:00Z", "ok"),
    ],
)
def test_the_key_must_be_valid_now_and_when_the_code_was_issued(not_before: str, not_after: str, reason: str) -> None:
    trust = trust_of(ISSUER.entry(not_before=not_before, not_after=not_after))
    assert judge(ISSUER.code(STATIC), trust).reason == reason


@pytest.mark.parametrize(
    ("now", "reason", "unchecked"),
    [
        (at(NOW_S), "ok", ()),
        (at(NOW_S + 75), "ok", ()),
        (at(NOW_S + 75.001), "time.expired", ()),
        (at(NOW_S - 15), "ok", ()),
        (at(NOW_S - 15.001), "time.future", ()),
        (at(NOW_S - 5, NOW_S + 5), "ok", ()),
        (at(NOW_S - 5, NOW_S + 5.001), "ok", ("time",)),
        (at(NOW_S - 3600, NOW_S + 3600), "ok", ("time",)),
        (at(NOW_S + 75.001, NOW_S + 3600), "time.expired", ()),
        (at(NOW_S - 3600, NOW_S - 15.001), "time.future", ()),
        (Interval(NOW_S * 1000 - 10**10, None), "ok", ("time",)),
        (Interval(NOW_S * 1000 + 75_001, None), "time.expired", ()),
    ],
)
def test_time_is_judged_as_an_interval(now: Interval, reason: str, unchecked: tuple[str, ...]) -> None:
    verdict = judge(ISSUER.code(DYNAMIC), now=now)
    assert (verdict.reason, verdict.unchecked) == (reason, unchecked)


@pytest.mark.parametrize(
    ("now", "unchecked"),
    [
        (Interval(NOW_S * 1000, NOW_S * 1000 + 5_000), ()),
        (Interval(NOW_S * 1000, NOW_S * 1000 + 10**9), ()),  # known badly, and the key's end lies ahead
        (Interval(NOW_S * 1000, 2_082_758_400_000 + 1), ("time",)),
        (Interval(NOW_S * 1000, None), ("time",)),  # restarted away from the network
    ],
)
def test_a_static_code_without_an_expiry_needs_a_time_before_its_key_s_end(
    now: Interval, unchecked: tuple[str, ...]
) -> None:
    assert judge(ISSUER.code(STATIC), now=now).unchecked == unchecked
    if not unchecked:
        return
    assert judge(ISSUER.code({**STATIC, 4: NOW_S + 60}), now=now).unchecked == ("time",)


def test_a_static_code_past_its_expiry_is_refused() -> None:
    assert judge(ISSUER.code({**STATIC, 4: NOW_S - 16})).reason == "time.expired"


def test_revoked_cards_and_keys_are_refused() -> None:
    code = ISSUER.code(DYNAMIC)
    other = hashlib.sha256(b"another card").digest()
    for revoked, reason in (
        (revoked_cards(CARD), "revoked.card"),
        (revoked_cards(CARD, other), "revoked.card"),
        (revoked_cards(other), "ok"),
        (revoked_kids(ISSUER.kid), "revoked.key"),
        (revoked_kids(ISSUER.kid, family=b"platform"), "ok"),
        (revoked_kids(bytes(8)), "ok"),
    ):
        assert judge(code, trust_of(ISSUER.entry(), revoked=revoked)).reason == reason


def test_what_no_list_could_tell_is_said() -> None:
    assert judge(ISSUER.code(STATIC), trust_of(ISSUER.entry())).unchecked == ("revocation",)
    vague = Interval(NOW_S * 1000, None)
    assert judge(ISSUER.code(DYNAMIC), trust_of(ISSUER.entry()), vague).unchecked == ("time", "revocation")


def test_a_refused_code_leaves_what_a_record_may_name_and_nothing_of_the_person() -> None:
    claims = judge(ISSUER.code({**DYNAMIC, 6: NOW_S - 3600, 4: NOW_S - 3540})).claims
    assert (claims.issuer, claims.key_id, claims.type) == ("4420", ISSUER.kid, CodeType.DYNAMIC)
    assert (claims.card, claims.replay_id, claims.token, claims.text) == (None, None, None, None)


def test_the_text_may_have_1024_characters_and_no_more() -> None:
    room = base45.encode(ISSUER.token({**STATIC, 9: bytes(400)}))
    size = 400 + (1_024 - 5 - len(room)) // 3 * 2
    for filler, reason in ((size, "ok"), (size + 2, "decode.over-long")):
        code = ISSUER.code({**STATIC, 9: bytes(filler)})
        assert abs(len(code) - 1_024) <= 3
        assert (len(code) <= 1_024) is (reason == "ok")
        assert judge(code).reason == reason


def test_the_trace_tells_the_stages_in_order_and_never_the_card() -> None:
    told: list[tuple[str, str]] = []
    code = recognise(scan_of(ISSUER.code(DYNAMIC)))
    verify(code, TRUST, NOW, lambda stage, saw: told.append((stage, saw)))
    assert [stage for stage, _ in told] == ["header", "decode", "key", "signature", "time", "revocation"]
    assert CARD.hex()[:8] not in repr(told).lower()
    told.clear()
    verify(recognise(scan_of("EHC1:bb8")), TRUST, NOW, lambda stage, saw: told.append((stage, saw)))
    assert told == [("decode", "a character that base45 lacks")]
