"""Aadhaar Secure QR: what is signed, by whom, and everything else refused."""

import gzip
import os
import sys
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.core.codes import recognise
from agent.core.codes.aadhaar import _PERSONAL as PERSONAL
from agent.core.codes.aadhaar import DIGITS_MAX, DIGITS_MIN, INFLATED_BYTES_MAX, KEYS_MAX, _issued_at_s
from agent.core.codes.family import FACTS_MAX
from agent.core.formats.long_number import PIECE_DIGITS, bytes_of
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Outcome, Verdict
from agent.core.verification import describe, verify
from fakes.asia_issuers import (
    ISSUED_AT_S,
    PERSON,
    PHOTO,
    REFERENCE,
    AadhaarIssuer,
    number_of,
    zlib_code,
)
from fakes.ehc_issuer import NOW, revoked_kids, scan_of, trust_of

ISSUER = AadhaarIssuer()
TRUST = trust_of(ISSUER.entry())
CONTENT = ISSUER.content()
PACKED = gzip.compress(CONTENT, mtime=0)
TEXT = number_of(PACKED)


def judge(text: str, trust: Trust | None = TRUST, now: Interval = NOW) -> Verdict:
    code = recognise(scan_of(text))
    assert code.family == "aadhaar"
    return verify(code, trust, now)


def reason_of(text: str, trust: Trust | None = TRUST, now: Interval = NOW) -> str:
    return judge(text, trust, now).reason


def packed(content: bytes) -> str:
    return number_of(gzip.compress(content, mtime=0))


def test_a_signed_code_is_verified_and_says_what_was_not_checked() -> None:
    verdict = judge(TEXT)
    assert (verdict.outcome, verdict.reason, verdict.proof) == (Outcome.VERIFIED, "ok", "signature")
    assert verdict.unchecked == ("expiry", "revocation")
    claims = verdict.claims
    assert (claims.issuer, claims.key_id, claims.issued_at_s) == ("UIDAI", ISSUER.kid, ISSUED_AT_S)
    assert claims.text == REFERENCE.encode()
    assert claims.expires_at_s is claims.card is claims.replay_id is claims.item is None


def test_what_it_says_is_told_as_personal_and_empty_fields_are_not_told() -> None:
    facts = {fact.name: fact for fact in describe("aadhaar", judge(TEXT).claims)}
    assert facts["name"].value == PERSON[0]
    assert facts["date of birth"].value == PERSON[1]
    assert facts["postcode"].value == "000000"
    assert facts["mobile ends in"].value == "0000"
    assert facts["photo"].value == f"{len(PHOTO)} bytes"
    assert facts["registered"].value == "e-mail and mobile"
    assert "landmark" not in facts
    assert {name for name, fact in facts.items() if not fact.is_personal} == {"version", "registered", "photo"}


def test_nothing_personal_is_in_a_repr_or_a_trace() -> None:
    seen: list[tuple[str, str]] = []
    verdict = verify(recognise(scan_of(TEXT)), TRUST, NOW, lambda *said: seen.append(said))
    told = repr(verdict) + repr(verdict.claims.content) + repr(seen)
    assert not [part for part in (*PERSON, REFERENCE) if len(part) > 3 and part in told]
    assert {stage for stage, _ in seen} == {"decode", "key", "signature", "time", "revocation"}


@pytest.mark.parametrize(
    ("how", "photo_bytes", "registered"),
    [
        ({"version": ""}, len(PHOTO), "e-mail and mobile"),
        ({"version": "V3"}, len(PHOTO), "e-mail and mobile"),
        ({"version": "V5", "hashes": b""}, len(PHOTO), "e-mail and mobile"),
        ({"contacts": "0"}, len(PHOTO), "neither e-mail nor mobile"),
        ({"contacts": "1"}, len(PHOTO), "e-mail"),
        ({"contacts": "2"}, len(PHOTO), "mobile"),
        ({"photo": b""}, 0, "e-mail and mobile"),
    ],
)
def test_every_version_and_every_set_of_contacts_is_read(how: Any, photo_bytes: int, registered: str) -> None:
    verdict = judge(ISSUER.code(**how))
    facts = {fact.name: fact.value for fact in describe("aadhaar", verdict.claims)}
    assert (verdict.reason, facts["photo"], facts["registered"]) == ("ok", f"{photo_bytes} bytes", registered)


def test_a_zlib_stream_is_read_too() -> None:
    assert reason_of(zlib_code(CONTENT)) == "ok"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0" + TEXT, "decode.number"),
        ("1" * 700, "decode.inflate"),
        (number_of(CONTENT), "decode.inflate"),
        (number_of(PACKED[:-1]), "decode.inflate"),
        (number_of(PACKED + b"\0"), "decode.inflate"),
        (number_of(PACKED + PACKED), "decode.inflate"),
        (number_of(gzip.compress(bytes(3_000_000), mtime=0)[:2_900]), "decode.inflate"),
        (packed(os.urandom(256)), "decode.fields"),
        (packed(b"\xff" * 16 + CONTENT[-256:]), "decode.fields"),
        (packed(b"V2\xff3" + CONTENT[-256:] * 2), "decode.fields"),
        (ISSUER.code(version="V6"), "decode.version"),
        (ISSUER.code(version="V"), "decode.version"),
        (ISSUER.code(version="V22"), "decode.version"),
        (ISSUER.code(contacts="4"), "decode.fields"),
        (ISSUER.code(contacts=""), "decode.fields"),
        (ISSUER.code(reference="1234"), "decode.reference"),
        (ISSUER.code(reference="\xb2" * 21), "decode.reference"),
        (ISSUER.code(photo=b"", hashes=bytes(63)), "decode.fields"),
        (packed(CONTENT[:-256] + AadhaarIssuer("another").sign(CONTENT[:-256])), "signature.invalid"),
        (packed(CONTENT[:-256] + bytes(256)), "signature.invalid"),
        (AadhaarIssuer("long", 3072).code(), "signature.invalid"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_must_be_is_refused(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_a_stream_that_makes_megabytes_is_refused_before_it_has_made_them() -> None:
    bomb = zlib.compress(bytes(2_800_000), 9)
    assert len(bomb) < 2_900
    filled = number_of(zlib.compress(os.urandom(280) + bytes(INFLATED_BYTES_MAX), 9))
    assert reason_of(number_of(bomb)) == reason_of(filled) == "decode.inflate"


def test_pss_is_not_pkcs1() -> None:
    signed = CONTENT[:-256]
    assert reason_of(packed(signed + ISSUER.key.sign(signed, padding.PSS(padding.MGF1(SHA256()), 32), SHA256()))) == (
        "signature.invalid"
    )


# -- keys


def test_without_keys_nothing_is_verified() -> None:
    foreign = AadhaarIssuer("another")
    assert reason_of(TEXT, None) == "key.no-trust-list"
    assert reason_of(TEXT, trust_of()) == "key.unknown-issuer"
    assert reason_of(TEXT, trust_of(ISSUER.entry(alg="PS256"))) == "key.unknown"
    assert reason_of(TEXT, trust_of(ISSUER.entry(family="hcert"))) == "key.unknown-issuer"
    assert reason_of(TEXT, trust_of(foreign.entry())) == "signature.invalid"


def test_every_pinned_key_is_tried() -> None:
    others = [AadhaarIssuer(f"other {n}").entry(not_after="2026-01-02T00:00:00Z") for n in range(2)]
    verdict = judge(TEXT, trust_of(*others, ISSUER.entry()))
    assert (verdict.reason, verdict.claims.key_id) == ("ok", ISSUER.kid)


def test_no_more_than_a_few_keys_are_tried_those_of_the_time_first() -> None:
    other = AadhaarIssuer("another")
    many = [other.entry(kid=f"{n:02x}", not_after="2026-01-02T00:00:00Z") for n in range(KEYS_MAX + 3)]
    assert reason_of(TEXT, trust_of(*many, ISSUER.entry())) == "ok"
    assert reason_of(TEXT, trust_of(*many, ISSUER.entry(not_after="2026-01-02T00:00:00Z"))) == "signature.invalid"


@pytest.mark.parametrize(
    ("not_before", "not_after", "reason"),
    [
        ("2025-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "ok"),  # ended since: the card is as good as it was
        ("2026-01-03T04:45:00Z", "2026-01-03T04:45:00Z", "ok"),
        ("2026-01-03T04:45:01Z", "2036-01-01T00:00:00Z", "key.not-valid-at-issue"),
        ("2025-01-01T00:00:00Z", "2026-01-03T04:44:59Z", "key.not-valid-at-issue"),
    ],
)
def test_the_key_counts_that_was_valid_when_the_code_was_made(not_before: str, not_after: str, reason: str) -> None:
    assert reason_of(TEXT, trust_of(ISSUER.entry(not_before=not_before, not_after=not_after))) == reason


@given(st.datetimes(min_value=datetime(1000, 1, 1)))  # noqa: DTZ001  # a wall clock's
@example(datetime(1970, 1, 1, 5, 29, 59))  # noqa: DTZ001
@example(datetime(1970, 1, 1, 5, 30))  # noqa: DTZ001
def test_the_time_in_a_reference_is_that_of_clocks_in_india(wall: datetime) -> None:
    at = wall.replace(microsecond=0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    found = _issued_at_s(f"0001{wall:%Y%m%d%H%M%S}000")
    assert found == (at.timestamp() if at.timestamp() >= 0 else None)


def test_a_code_that_does_not_say_when_it_was_made_needs_a_key_valid_now() -> None:
    text = ISSUER.code(reference="0001" + "99" * 8 + "9")
    assert judge(text).claims.issued_at_s is None
    assert reason_of(text) == "ok"
    assert reason_of(text, trust_of(ISSUER.entry(not_after="2026-06-01T00:00:00Z"))) == "key.expired"


def test_a_code_from_the_future_is_refused_once_that_is_certain() -> None:
    early = ISSUED_AT_S - 16
    assert reason_of(TEXT, now=Interval(0, early * 1000)) == "time.future"
    assert reason_of(TEXT, now=Interval(0, (early + 1) * 1000)) == "ok"
    assert reason_of(TEXT, now=Interval(0, None)) == "ok"


def test_a_revoked_key_is_refused() -> None:
    revoked = revoked_kids(ISSUER.kid, family=b"aadhaar")
    assert reason_of(TEXT, trust_of(ISSUER.entry(), revoked=revoked)) == "revoked.key"
    fine = judge(TEXT, trust_of(ISSUER.entry(), revoked=revoked_kids(b"another!", family=b"aadhaar")))
    assert (fine.reason, fine.unchecked) == ("ok", ("expiry", "revocation"))


# -- altered


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(CONTENT) * 8 - 1))
def test_no_flipped_bit_of_what_is_packed_is_verified(bit: int) -> None:
    altered = bytearray(CONTENT)
    altered[bit // 8] ^= 1 << bit % 8
    assert judge(packed(bytes(altered))).outcome is Outcome.REFUSED


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.sampled_from("0123456789"))
def test_no_changed_digit_gives_another_content(place: int, digit: str) -> None:
    """A changed digit may change only what a gzip stream says beside its content, which nobody signed (step 2)."""
    altered = TEXT[:place] + digit + TEXT[place + 1 :]
    verdict = judge(altered)
    if verdict.outcome is Outcome.VERIFIED:
        assert verdict.claims == judge(TEXT).claims
        assert gzip.decompress(bytes_of(altered)) == CONTENT


def test_only_the_head_and_the_last_spare_bits_of_a_stream_can_change_unseen() -> None:
    unseen = set[int]()
    inner = range(32 * 8, len(PACKED) * 8 - 32 * 8, 13)
    for bit in (*range(32 * 8), *inner, *range(len(PACKED) * 8 - 32 * 8, len(PACKED) * 8)):
        altered = bytearray(PACKED)
        altered[bit // 8] ^= 1 << bit % 8
        code = recognise(scan_of(number_of(bytes(altered))))
        if code.family == "aadhaar" and verify(code, TRUST, NOW).outcome is Outcome.VERIFIED:
            unseen.add(bit // 8)
    assert {4, 5, 6, 7, 8, 9} <= unseen  # when it was packed, how hard, on which system (RFC 1952 §2.3)
    assert unseen <= {3, 4, 5, 6, 7, 8, 9, len(PACKED) - 9}  # and "is text"; the bits behind the last block


@given(st.integers(10**DIGITS_MIN, 10 ** (DIGITS_MIN + 40)))
def test_any_number_gets_a_verdict(number: int) -> None:
    assert judge(str(number)).outcome is Outcome.REFUSED


@given(st.binary(max_size=700))
def test_any_content_gets_a_verdict(content: bytes) -> None:
    code = Code("aadhaar", packed(content))
    assert verify(code, TRUST, NOW).reason.startswith(("decode.", "signature."))


@given(
    st.lists(st.text(st.characters(max_codepoint=0xFE), max_size=9), min_size=len(PERSON), max_size=len(PERSON)),
    st.text("0123456789", min_size=21, max_size=21)
    | st.tuples(
        st.integers(0, 9_999), st.integers(0, 13), st.integers(0, 32), st.integers(0, 25), st.integers(0, 61)
    ).map(lambda t: "0001{:04}{:02}{:02}{:02}{:02}00999".format(*t)),
    st.sampled_from(["", "V2", "V5"]),
    st.sampled_from("0123"),
    st.binary(max_size=99) | st.just(PHOTO),
)
def test_whatever_is_signed_gets_a_verdict_and_can_be_described(
    person: list[str], reference: str, version: str, contacts: str, photo: bytes
) -> None:
    signed = {"person": person, "reference": reference, "version": version, "contacts": contacts, "photo": photo}
    verdict = judge(ISSUER.code(**signed))
    assert verdict.reason in {"ok", "time.future"}
    assert verdict.claims.text == reference.encode()
    facts = {fact.name: fact.value for fact in describe("aadhaar", verdict.claims)}
    told = ["".join(c if c.isprintable() else "?" for c in value) for value in person if value]
    assert [facts[name] for name in PERSONAL if name in facts] == told
    assert len(facts) <= FACTS_MAX


@given(st.text(max_size=100))
def test_any_text_gets_a_verdict_and_a_description(text: str) -> None:
    assert verify(Code("aadhaar", "7" + text), TRUST, NOW).outcome is Outcome.REFUSED
    assert describe("aadhaar", Claims(content=text)) == ()


# -- numbers and shapes


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("7" * DIGITS_MIN, "aadhaar"),
        ("7" * DIGITS_MAX, "aadhaar"),
        ("7" * (DIGITS_MIN - 1), "unknown"),
        ("7" * (DIGITS_MAX + 1), "unknown"),
        ("7" * 700 + "a", "unknown"),
        ("7" * 700 + " ", "unknown"),
        ("7" * 700 + "\n", "unknown"),
        ("-" + "7" * 700, "unknown"),
        ("7" * 350 + "_" + "7" * 350, "unknown"),
        ("\uff17" * 700, "unknown"),
        ("\u0967" * 700, "unknown"),
        ("\xb2" * 700, "unknown"),
    ],
)
def test_hundreds_of_ascii_digits_and_nothing_else_are_recognised(text: str, family: str) -> None:
    assert recognise(scan_of(text)).family == family


@given(st.binary(min_size=1, max_size=2_944).filter(lambda data: data[0] != 0))
def test_numbers_are_read_as_the_bytes_they_were_made_from(data: bytes) -> None:
    assert bytes_of(number_of(data)) == data


@pytest.mark.parametrize("digits", [1, 2, PIECE_DIGITS - 1, PIECE_DIGITS, PIECE_DIGITS + 1, 2 * PIECE_DIGITS, 4_300])
def test_a_number_at_the_edge_of_a_piece_is_read_whole(digits: int) -> None:
    assert int.from_bytes(bytes_of("9" * digits), "big") == 10**digits - 1
    assert int.from_bytes(bytes_of("1" + "0" * (digits - 1)), "big") == 10 ** (digits - 1)


def test_more_digits_than_the_interpreter_reads_at_once_are_read_and_its_limit_stays() -> None:
    before = sys.get_int_max_str_digits()
    assert int.from_bytes(bytes_of("9" * DIGITS_MAX), "big") == 10**DIGITS_MAX - 1
    assert sys.get_int_max_str_digits() == before == 4_300


def test_the_public_sample_is_verified_with_its_test_key() -> None:
    vectors = os.environ.get("SCANWARD_VECTORS")
    if not vectors:
        pytest.skip("SCANWARD_VECTORS names no folder with aadhaar/ in it (docs/conformance.md)")
    folder = Path(vectors) / "aadhaar"
    text = (folder / "anon_v2_testkey_sample.txt").read_text().strip()
    spki = "".join((folder / "testPublicKey.pem").read_text().splitlines()[1:-1])
    entry = {"family": "aadhaar", "issuer": "UIDAI", "kid": "01", "alg": "RS256", "spki": spki}
    verdict = judge(text, trust_of(entry))
    assert (verdict.reason, verdict.claims.issued_at_s) == ("ok", 1_552_025_647)
    assert reason_of(text) == "signature.invalid"
