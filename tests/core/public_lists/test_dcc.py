"""Lists of DCC signers in each published shape; what is odd in one is named by its place."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.keys.verification import build_key
from agent.core.public_lists import dcc
from agent.core.public_lists.intake import ENTRIES_MAX, ListUnreadable
from fakes.altered import altered
from fakes.public_lists import british_list, french_list, gateway_entry, german_list, intake, refused, swedish_list
from fakes.signers import (
    RECOVERY,
    TEST,
    VACCINATION_WITH_ZERO,
    b64,
    certificate,
    ec_key,
    kid_of,
    rsa_key,
    spki_of,
    with_bad_serial,
)

KEYS = [ec_key(str(number)) for number in range(3)]
DERS = [certificate(key) for key in KEYS]
LIST_KEY = ec_key("whoever signs the list")


def read(data, **choices):
    one = intake(**choices)
    dcc.read(data, one)
    return one


def gateway(*entries):
    return json.dumps(list(entries)).encode()


def test_the_gateways_list_becomes_keys_with_dates_and_usage():
    der = certificate(KEYS[0], usages=[TEST, VACCINATION_WITH_ZERO, "1.3.6.1.5.5.7.3.1"])
    one = read(gateway(gateway_entry(der)))
    assert one.refused == []
    assert one.entries == [{
        "family": "hcert", "issuer": "XA", "kid": kid_of(der).hex(), "alg": "ES256", "spki": b64(spki_of(KEYS[0])),
        "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z", "usage": ["t", "v"],
        "source": "test",
    }]  # fmt: skip


def test_a_signer_whose_certificate_names_no_purpose_of_dccs_may_sign_each():
    assert "usage" not in read(gateway(gateway_entry(certificate(KEYS[0], usages=["1.3.6.1.5.5.7.3.1"])))).entries[0]
    assert read(gateway(gateway_entry(certificate(KEYS[0], usages=[RECOVERY])))).entries[0]["usage"] == ["r"]
    for beside in (RECOVERY, "2.23.136.1.1.14.2"):  # where any usage is allowed, the others limit nothing
        one = read(gateway(gateway_entry(certificate(KEYS[0], usages=["2.5.29.37.0", beside]))))
        assert ["usage" in entry for entry in one.entries] == [False]


def test_an_rsa_signer_is_of_ps256():
    assert read(gateway(gateway_entry(certificate(rsa_key())))).entries[0]["alg"] == "PS256"


def test_every_shape_gives_the_same_keys():
    entries = [gateway_entry(der) for der in DERS]
    expected = read(gateway(*entries)).entries
    pairs = list(zip(KEYS, DERS, strict=True))
    for data in (
        json.dumps({"certificates": entries}).encode(),
        german_list(entries, LIST_KEY),
        swedish_list({"XA": pairs}, LIST_KEY, is_encoded=True),
        swedish_list({"XA": pairs}, LIST_KEY, is_encoded=False),
        french_list(DERS),
    ):
        one = read(data)
        assert one.refused == []
        assert one.entries == expected


@pytest.mark.parametrize("data", [british_list(KEYS), french_list([spki_of(key) for key in KEYS])])
def test_bare_keys_need_to_be_told_whose_they_are(data):
    assert {reason for _, reason in refused(read(data))} == {"issuer-missing"}
    one = read(data, issuer="GB")
    assert [(entry["issuer"], entry["spki"]) for entry in one.entries] == [("GB", b64(spki_of(key))) for key in KEYS]
    assert "not_after" not in one.entries[0]


@pytest.mark.parametrize(
    "signed",
    [
        german_list([gateway_entry(DERS[0])], LIST_KEY),
        swedish_list({"XA": [(KEYS[0], DERS[0])]}, LIST_KEY, is_encoded=False),
        swedish_list({"XA": [(KEYS[0], DERS[0])]}, LIST_KEY, is_encoded=True),
    ],
)
def test_the_lists_own_signature_is_checked_where_a_key_is_given(signed):
    key, other = (build_key("ES256", spki_of(one)) for one in (LIST_KEY, KEYS[0]))
    assert read(signed, list_key=key).is_signature_checked
    assert not read(signed).is_signature_checked
    with pytest.raises(ListUnreadable, match="signature"):
        read(signed, list_key=other)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("text", "not-an-entry"),
        (gateway_entry(DERS[0]) | {"certificateType": "CSCA"}, "not-a-signer"),
        (gateway_entry(DERS[0]) | {"kid": None}, "no-kid"),
        (gateway_entry(DERS[0]) | {"kid": "*"}, "not-base64"),
        (gateway_entry(DERS[0]) | {"kid": b64(bytes(65))}, "bad-kid"),
        (gateway_entry(DERS[0]) | {"rawData": "*"}, "not-base64"),
        (gateway_entry(DERS[0]) | {"thumbprint": "00" * 32}, "thumbprint-differs"),
        (gateway_entry(DERS[0], country=7), "issuer-missing"),
        (gateway_entry(DERS[0], country="X\x07"), "issuer-invalid"),
        (gateway_entry(b"no certificate"), "not-a-certificate"),
        (gateway_entry(certificate(KEYS[1], is_authority=True)), "authority"),
        (gateway_entry(certificate(KEYS[1], usages=["2.23.136.1.1.14.2"])), "not-for-signing"),  # ICAO's VDS-NC
        (gateway_entry(certificate(ec_key("384", ec.SECP384R1()))), "curve-unsupported"),
        (gateway_entry(certificate(rsa_key(1024))), "key-unsupported"),
        (gateway_entry(certificate(KEYS[1], begins=2019, ends=2021)), "expired"),
        (gateway_entry(DERS[2]), "duplicate"),
    ],
)
def test_a_bad_entry_is_refused_by_its_place_and_costs_no_other(entry, reason):
    one = read(gateway(gateway_entry(DERS[2]), entry))
    assert [entry["kid"] for entry in one.entries] == [kid_of(DERS[2]).hex()]
    assert refused(one) == [("[1]", reason)]


def test_an_expired_signer_is_taken_where_that_is_asked_for():
    one = read(gateway(gateway_entry(certificate(KEYS[1], begins=2019, ends=2021))), keep_expired=True)
    assert one.entries[0]["not_after"] == "2021-01-01T00:00:00Z"


def test_a_list_s_own_key_id_counts_and_is_remarked_on():
    one = read(gateway(gateway_entry(DERS[0], kid=b64(b"8 bytes."))))
    assert one.entries[0]["kid"] == b"8 bytes.".hex()
    assert [(remark.place, remark.reason) for remark in one.remarks] == [("[0]", "kid-differs")]


def test_one_key_id_names_at_most_eight_keys():
    entries = [gateway_entry(certificate(ec_key(f"n{n}")), kid=b64(b"8 bytes.")) for n in range(9)]
    one = read(gateway(*entries))
    assert len(one.entries) == 8
    assert refused(one) == [("[8]", "too-many-of-one-id")]


def test_a_certificate_with_a_negative_serial_is_taken():
    assert read(gateway(gateway_entry(with_bad_serial(DERS[0])))).entries[0]["spki"] == b64(spki_of(KEYS[0]))


def test_sweden_s_private_key_is_refused_aloud():
    data = swedish_list({"XA": [(KEYS[0], DERS[0])]}, LIST_KEY, is_encoded=False).replace(b'"kty"', b'"d": "AA", "kty"')
    assert refused(read(data)) == [("dsc_trust_list.XA.keys[0]", "private-key")]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[", b"null", b'{"certificates": 7}', b'{"certificates": [], "certificates": []}', b"[], 1",
        b'[], "list": []', b"* \n[]", b"eyJ9.e30.AA", b"eyJ", b"\xff\xfe", b"[" * 100_000,
        json.dumps([0] * (ENTRIES_MAX + 1)).encode(), b'{"dsc_trust_list": {"XA": 7}}',
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused_as_a_whole(data):
    with pytest.raises(ListUnreadable):
        read(data)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_list_or_none(data):
    try:
        read(data)
    except ListUnreadable:
        return


@given(
    altered([gateway_entry(DERS[0])], st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("XA"))
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["kid", "country", "rawData", "certificateType", "publicKey", "keys", "x5c", "thumbprint"]),
            inner, max_size=4,
        ),
        max_leaves=8,
    )
)  # fmt: skip
def test_an_entry_of_any_shape_is_taken_or_refused(value):
    for data in ([value], {"certificates": [value]}, {"certificatesDCC": {"AAAA": value}}):
        one = read(json.dumps(data).encode())
        assert one.accepted + len(one.refused) == 1
