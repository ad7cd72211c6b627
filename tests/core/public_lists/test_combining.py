"""An import beside what was there: a source is replaced whole, other sources stay, the newer has a key both name."""

import json

import pytest

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.public_lists import dcc, smart
from agent.core.public_lists.combining import combine, read_existing
from agent.core.public_lists.intake import ListUnreadable
from agent.core.trust_entries import parse_trust_list
from fakes.public_lists import crl, gateway_entry, intake, refused, vci_snapshot
from fakes.signers import b64, certificate, ec_key, jwk_of
from fakes.trust_content import ENTRIES, trust_list

DERS = [certificate(ec_key(str(number))) for number in range(3)]
JWK = jwk_of(ec_key("issuer"), crlVersion=1)
ISSUER = "https://cards.example"


def dccs(*ders, source="dcc", **more):
    one = intake(source=source)
    dcc.read(json.dumps([gateway_entry(der, **more) for der in ders]).encode(), one)
    return one


def cards(*crls, source="vci"):
    one = intake(source=source)
    smart.read_directory(vci_snapshot({ISSUER: ([JWK], list(crls))}), one)
    return one


def parsed(value):
    return parse_trust_list(json.dumps(value).encode(), build_key, read_certificate)


def kids(value):
    return [entry["kid"] for entry in value["keys"]]


def test_an_import_is_a_trust_list_that_terminals_read():
    value = combine({}, dccs(*DERS)).value
    one = parsed(value)
    assert (one.version, one.issued_at_s, len(one.of_family("hcert"))) == (1, 1_795_248_000, 3)
    assert all(key.key is not None for key in one.keys)


def test_a_key_that_its_list_no_longer_has_is_trusted_no_longer():
    first = combine({}, dccs(*DERS)).value
    second = combine(first, dccs(DERS[0]))
    assert (second.replaced, second.removed) == (1, 2)
    assert second.value["version"] == 2
    assert kids(second.value) == kids(first)[:1]


def test_other_sources_and_the_platform_s_own_keys_stay():
    existing = read_existing(trust_list(7))
    value = combine(combine(existing, cards(crl(JWK, ["a"]))).value, dccs(DERS[0])).value
    assert kids(value)[: len(ENTRIES)] == [entry["kid"] for entry in ENTRIES]
    assert [entry["family"] for entry in value["keys"]][len(ENTRIES) :] == ["shc", "hcert"]
    assert len(value["revocations"]) == 1
    assert len(parsed(value).keys) == len(ENTRIES) + 2


def test_the_newer_import_has_a_key_and_a_revocation_list_that_both_name():
    first = combine({}, cards(crl(JWK, ["a"]))).value
    second = combine(first, cards(crl(JWK, ["a", "b"], ctr=2), source="jwks"))
    assert (second.replaced, second.removed) == (1, 0)
    assert [(entry["ctr"], entry["source"]) for entry in second.value["revocations"]] == [(2, "jwks")]
    third = combine(second.value, cards(source="other"))
    assert [entry["ctr"] for entry in third.value["revocations"]] == [2], "no newer list: the old one stays"


def test_a_ninth_key_of_one_id_is_refused_beside_another_source_s():
    kid = b64(b"8 bytes.")
    first = combine({}, dccs(*(certificate(ec_key(f"n{n}")) for n in range(8)), kid=kid)).value
    one = dccs(DERS[0], source="other", kid=kid)
    assert len(combine(first, one).value["keys"]) == 8
    assert refused(one) == [("combined", "too-many-of-one-id")]
    assert one.accepted == 0


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"format": "scanward-trust-list-1", "version": 1, "keys": 7}', b'{"format": "x"}']
)
def test_what_is_no_trust_list_is_not_added_to(data):
    with pytest.raises(ListUnreadable, match="not a trust list"):
        read_existing(data)


@pytest.mark.parametrize("wrong", [{"kid": {}}, {"issuer": []}, {"spki": 7}, {"x5c": [{}]}, {"family": ["hcert"]}])
@pytest.mark.parametrize("member", ["keys", "revocations"])
def test_entries_that_are_named_by_no_text_are_refused_and_not_compared(member, wrong):
    data = json.dumps({"format": "scanward-trust-list-1", "version": 1, member: [wrong]}).encode()
    with pytest.raises(ListUnreadable, match=f"not a trust list: what names an entry of {member}"):
        read_existing(data)


def test_an_import_without_lists_of_revoked_cards_makes_none_of_them_good_again():
    first = combine({}, cards(crl(JWK, ["a"]))).value
    again = combine(first, cards()).value
    assert again["revocations"] == first["revocations"]
    assert combine(again, cards(crl(JWK, ["b"]))).value["revocations"] != first["revocations"]
    elsewhere = intake(source="vci")
    smart.read_directory(vci_snapshot({ISSUER: ([jwk_of(ec_key("its next"))], [])}), elsewhere)
    assert combine(first, elsewhere).value["revocations"] == []  # the key is gone, and its list with it


def test_a_list_of_revoked_cards_stays_while_another_source_has_its_key():
    """The source of the list drops the key that a second source brought, too: its revoked cards stay revoked."""
    both = combine(combine({}, cards(crl(JWK, ["a"]))).value, cards(source="jwks")).value
    assert [entry["source"] for entry in both["keys"]] == ["jwks"]
    moved = intake(source="vci")
    smart.read_directory(vci_snapshot({ISSUER: ([jwk_of(ec_key("its next"))], [])}), moved)
    after = combine(both, moved).value
    assert {entry["source"] for entry in after["keys"]} == {"jwks", "vci"}
    assert after["revocations"] == both["revocations"] != []


def at_version(number, *crls, **choices):
    """Return an import whose key speaks of the list with that counter."""
    one = intake(source="jwks", **choices)
    said = {} if number is None else {"crlVersion": number}
    smart.read_directory(vci_snapshot({ISSUER: ([jwk_of(ec_key("issuer"), **said)], list(crls))}), one)
    return one


def test_an_older_list_of_revoked_cards_is_refused_by_name_and_the_newer_one_stays():
    first = combine({}, at_version(5, crl(JWK, ["a", "b"], ctr=5))).value
    older = at_version(4, crl(JWK, ["a"], ctr=4))
    value = combine(first, older).value
    assert value["revocations"] == first["revocations"]
    assert refused(older) == [("combined", "ctr-older")]
    assert "--older-lists" in older.refused[0].detail
    assert [key.crl_version for key in parsed(value).keys] == [5], "the key speaks of the list that stays"


def test_a_key_set_fetched_before_the_list_that_is_there_does_not_part_from_it():
    first = combine({}, at_version(5, crl(JWK, ["a"], ctr=5))).value
    assert [key.crl_version for key in parsed(combine(first, at_version(4)).value).keys] == [5]
    assert [key.crl_version for key in parsed(combine(first, at_version(6)).value).keys] == [6], "and says what is new"


def test_an_older_list_of_revoked_cards_is_taken_where_that_is_asked_for():
    first = combine({}, at_version(5, crl(JWK, ["a", "b"], ctr=5))).value
    asked = at_version(4, crl(JWK, ["a"], ctr=4), takes_older_lists=True)
    value = combine(first, asked).value
    assert [(entry["ctr"], entry["rids"]) for entry in value["revocations"]] == [(4, ["a"])]
    assert (refused(asked), [key.crl_version for key in parsed(value).keys]) == ([], [4])


def test_a_malformed_list_does_not_open_the_way_to_an_old_one():
    """It has no counter, but the key spoke of one, and does so still where its own set no longer says it."""
    broken = combine({}, at_version(5, crl(JWK, ["#"], ctr=5))).value
    assert [entry["method"] for entry in broken["revocations"]] == ["malformed"]
    for older in (at_version(1, crl(JWK, ["a"], ctr=1)), at_version(None, crl(JWK, ["a"], ctr=1))):
        value = combine(broken, older).value
        assert refused(older) == [("combined", "ctr-older")]
        assert (value["revocations"], value["keys"]) == (broken["revocations"], broken["keys"])
    mended = combine(broken, at_version(5, crl(JWK, ["a"], ctr=5))).value
    assert [entry["ctr"] for entry in mended["revocations"]] == [5]
    asked = at_version(1, crl(JWK, ["a"], ctr=1), takes_older_lists=True)
    assert combine(broken, asked).value["revocations"][0]["ctr"] == 1


def test_a_key_doubled_in_the_list_that_is_there_is_taken_out_by_name_and_the_import_goes_on():
    first = combine({}, cards()).value
    first["keys"] += first["keys"]
    one = dccs(DERS[0])
    value = combine(read_existing(json.dumps(first).encode()), one).value
    assert [entry["family"] for entry in value["keys"]] == ["shc", "hcert"]
    assert refused(one) == [("into keys[1]", "too-many-of-one-id")]
    assert len(parsed(value).keys) == 2
