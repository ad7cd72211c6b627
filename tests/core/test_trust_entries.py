"""Entries of a terminal's trust list that are malformed or of one key: what is set aside, and what refuses the list."""

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.formats.jwk import thumbprint
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import KEYS_OF_ONE_ID_MAX, TrustList, TrustListInvalid
from fakes.altered import altered
from fakes.ehc_issuer import EhcIssuer, trust_list_file
from fakes.hcert_issuer import HcertIssuer

ES256, OTHER, HEALTH = EhcIssuer(), EhcIssuer(label=b"another"), HcertIssuer()
TESTS, VACCINATIONS = "1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.1847.2021.1.2"


def of_cards(issuer: EhcIssuer = ES256, **changed: Any) -> dict[str, Any]:
    entry = issuer.entry(family="shc", issuer="https://a.example", usage=None, not_before=None, not_after=None)
    return entry | {"kid": thumbprint(issuer.spki).hex()} | changed


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"not_after": "tomorrow"}, "Invalid RFC3339"),
        ({"not_before": "2027-01-01T00:00:00"}, "timezone"),
        ({"issuer": "X" * 256}, "length <= 255"),
        ({"crl_version": "3"}, "crl_version"),
        ({"kid": 7}, "kid"),
        ({"x5c": "MAAA"}, "x5c"),
        ({"usage": [7]}, "usage"),
    ],
)
@pytest.mark.parametrize("family", ["hcert", "shc", "aadhaar", "vds-nc", "of-tomorrow"])
def test_a_malformed_field_of_a_public_entry_does_not_stop_a_terminal(
    family: str, changed: dict[str, Any], says: str
) -> None:
    good = {"family": "hcert", "issuer": "XB", "kid": "bb" * 8, "alg": "ES256", "spki": ES256.entry()["spki"]}
    data = trust_list_file(ES256.entry(), good | {"family": family, "issuer": "XA"} | changed, good)
    with pytest.raises(TrustListInvalid, match=r"keys\[1\]"):
        parse_trust_list(data, build_key)
    trust_list = parse_trust_list(data, build_key, sets_aside=True)
    assert [key.issuer for key in trust_list.keys] == [ES256.entry()["issuer"], "XB"]
    (said,) = trust_list.set_aside
    assert said.startswith("keys[1]: ")
    assert said.endswith(f" ({family})")
    assert says in said


@pytest.mark.parametrize(
    "bad",
    [
        ES256.entry() | {"not_after": "tomorrow"},
        ES256.entry() | {"family": "platform", "kid": 7},
        ES256.entry() | {"family": "EHC"},
        ES256.entry() | {"family": 7},
        {"issuer": "XA"},
        "hcert",
        None,
    ],
)
def test_a_malformed_entry_that_is_the_platforms_or_may_be_refuses_the_list(bad: object) -> None:
    good = ES256.entry()
    data = json.dumps(json.loads(trust_list_file(good)) | {"keys": [good, bad]}).encode()
    with pytest.raises(TrustListInvalid, match=r"keys\[1\]"):
        parse_trust_list(data, build_key, sets_aside=True)


@pytest.mark.parametrize(
    ("name", "unvouched"),
    [
        ({"kid": "XY"}, {"a1", "a2"}),
        ({"kid": None}, {"a1", "a2"}),
        ({"issuer": 7}, {"a1", "b1"}),
        ({"issuer": "", "kid": 7}, {"a1", "a2", "b1"}),
    ],
)
def test_a_card_revocation_list_that_names_no_key_stops_the_keys_that_it_may_be_of_alone(
    name: dict[str, Any], unvouched: set[str]
) -> None:
    keys = {
        "a1": of_cards(),
        "a2": of_cards(OTHER),
        "b1": of_cards() | {"issuer": "https://b.example"},
        "hcert": HEALTH.entry(),
    }
    a1 = {"family": "shc", "issuer": "https://a.example", "kid": keys["a1"]["kid"]}
    lists = [a1 | {"method": "rid", "ctr": 1, "rids": ["one"]} | name]
    lists += [{"family": "shc", "issuer": e["issuer"], "kid": e["kid"], "method": "rid", "ctr": 1, "rids": []}
              for e in keys.values() if e["family"] == "shc"]  # fmt: skip
    data = json.dumps(json.loads(trust_list_file(*keys.values())) | {"revocations": lists}).encode()
    with pytest.raises(TrustListInvalid, match=r"revocations\[0\]"):
        parse_trust_list(data, build_key)
    trust_list = parse_trust_list(data, build_key, sets_aside=True)
    found = {
        name
        for name, entry in keys.items()
        if (one := trust_list.rid_list("shc", entry["issuer"], bytes.fromhex(entry["kid"]))) and one.why_invalid
    }
    assert found - {"hcert"} == unvouched
    assert len(trust_list.keys) == 4
    (said,) = trust_list.set_aside
    assert said.startswith("revocations[0].")


@pytest.mark.parametrize("family", ["ehc", "platform", "EHC", 7, None])
def test_a_revocation_list_of_the_platforms_families_that_names_no_key_refuses_the_list(family: object) -> None:
    bad = {"family": family, "issuer": "4420", "kid": "XY"}
    data = json.dumps(json.loads(trust_list_file(ES256.entry())) | {"revocations": [bad]}).encode()
    with pytest.raises(TrustListInvalid, match=r"revocations\[0\]"):
        parse_trust_list(data, build_key, sets_aside=True)


def parsed(*entries: dict[str, Any]) -> TrustList:
    return parse_trust_list(trust_list_file(ES256.entry(), *entries), build_key, read_certificate, sets_aside=True)


def test_an_hcert_key_that_stands_there_twice_is_for_what_both_entries_allow() -> None:
    trust_list = parsed(
        HEALTH.entry(usage=["t", "v"]),
        HEALTH.entry(usage=["v", "r"], not_before="2025-01-01T00:00:00Z", not_after="2027-01-01T00:00:00Z"),
        *[HEALTH.entry()] * KEYS_OF_ONE_ID_MAX,
    )
    (key,) = trust_list.find_all("hcert", HEALTH.kid)
    assert (key.not_before_s, key.not_after_s, key.usage) == (1_767_225_600, 1_798_761_600, {"v"})
    assert len(trust_list.set_aside) == 1 + KEYS_OF_ONE_ID_MAX
    assert trust_list.set_aside[0] == (
        "keys[2].kid: this key is there before, what both entries allow counts (hcert of AT)"
    )


def test_what_a_certificate_of_one_entry_says_is_not_lost_whichever_is_first() -> None:
    entries = [HEALTH.entry(), HEALTH.entry(spki=None, x5c=[HEALTH.certificate(TESTS)])]
    for order in (entries, entries[::-1]):
        (key,) = parsed(*order).find_all("hcert", HEALTH.kid)
        assert key.certificate is not None
        assert key.certificate.usages == {TESTS}
        assert key.not_after_s == key.certificate.not_after_s


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_entry_without_a_certificate_limits_each_certificate_of_its_key_whichever_is_first(
    order: tuple[int, ...],
) -> None:
    entries = [
        HEALTH.entry(not_after="2027-01-01T00:00:00Z", usage=["t"]),
        *[HEALTH.entry(spki=None, x5c=[HEALTH.certificate(usage)]) for usage in (TESTS, VACCINATIONS)],
    ]
    keys = parsed(*[entries[n] for n in order]).find_all("hcert", HEALTH.kid)
    assert {(next(iter(key.certificate.usages)), *key.usage) for key in keys if key.certificate is not None} == {
        (TESTS, "t"),
        (VACCINATIONS, "t"),
    }
    assert {key.not_after_s for key in keys} == {1_798_761_600}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_certificate_of_which_nothing_is_left_takes_no_renewed_one_with_it(order: tuple[int, ...]) -> None:
    old, renewed = [HEALTH.entry(spki=None, x5c=[HEALTH.certificate(usage)]) for usage in (TESTS, VACCINATIONS)]
    entries = [old | {"usage": ["t"]}, old | {"usage": ["v"]}, renewed]
    keys = parsed(*[entries[n] for n in order]).find_all("hcert", HEALTH.kid)
    assert {(key.certificate.usages, key.key is None) for key in keys if key.certificate is not None} == {
        (frozenset({TESTS}), True),
        (frozenset({VACCINATIONS}), False),
    }


def test_another_certificate_issuer_or_key_of_the_same_hcert_id_stands_for_itself() -> None:
    """A renewed certificate and the one before need not meet in time: what is common to both would be nothing."""
    other = HcertIssuer(label=b"another")
    trust_list = parsed(
        *[HEALTH.entry(spki=None, x5c=[HEALTH.certificate(usage)]) for usage in (TESTS, VACCINATIONS)],
        HEALTH.entry(issuer="XB"),
        other.entry(kid=HEALTH.kid.hex()),
    )
    assert (len(trust_list.find_all("hcert", HEALTH.kid)), trust_list.set_aside) == (4, ())


ODD = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
    | st.binary(max_size=9).map(bytes.hex)
    | st.lists(st.integers(0, 3), max_size=2) | st.dictionaries(st.text(max_size=2), st.integers(0, 3), max_size=2)
    | st.sampled_from(["RS256", "SM2", "X25519", "MII=", "ab" * 8, "9999-12-31T23:59:59-14:00", "x" * 256])
)  # fmt: skip
KEY_FIELDS = {"usage": ["t"], "x5c": [HEALTH.certificate()], "crl_version": 1}
LIST_FIELDS = {"method": "rid", "ctr": 1, "rids": ["one"]}


@given(
    st.sampled_from(["hcert", "shc", "aadhaar", "vds-nc", "of-tomorrow"]),
    altered([HEALTH.entry() | KEY_FIELDS], ODD),
    altered([of_cards() | LIST_FIELDS], ODD),
)
def test_whatever_a_public_entry_holds_beside_its_family_the_platforms_own_keys_are_taken(
    family: str, key: object, revocations: object
) -> None:
    given_ = [{**entry, "family": family} if isinstance(entry, dict) else {"family": family}
              for entry in (key, revocations)]  # fmt: skip
    data = trust_list_file(ES256.entry(), given_[0], revocations=[given_[1]])
    trust_list = parse_trust_list(data, build_key, read_certificate, sets_aside=True)
    assert trust_list.keys[0].family == "ehc"
    try:
        strictly = parse_trust_list(data, build_key, read_certificate)
    except TrustListInvalid:
        assert trust_list.set_aside
    else:
        assert (len(strictly.keys), trust_list.set_aside) == (len(trust_list.keys), ())
