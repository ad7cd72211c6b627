"""Issuers of SMART Health Cards: thumbprints, private keys, revocation lists, malformed ones."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from agent.core.public_lists import smart
from agent.core.public_lists.intake import ListUnreadable
from fakes.public_lists import crl, intake, refused, vci_snapshot
from fakes.signers import b64, certificate, ec_key, jwk_of, spki_of

ISSUER = "https://cards.example/issuer"
KEY = ec_key("issuer")
JWK = jwk_of(KEY)
REVOKING = jwk_of(KEY, crlVersion=1)


def keys_of(*jwks, crls=(), issuer=ISSUER):
    one = intake(issuer=issuer)
    smart.read_keys(json.dumps({"keys": list(jwks)}).encode(), one, [("crl", json.dumps(c).encode()) for c in crls])
    return one


def directory(issuers):
    one = intake()
    smart.read_directory(vci_snapshot(issuers), one)
    return one


def test_a_jwk_set_becomes_keys_named_by_their_thumbprint():
    one = keys_of(JWK)
    assert one.refused == one.remarks == []
    (entry,) = one.entries
    assert len(entry["kid"]) == 64
    assert entry | {"kid": ""} == {
        "family": "shc", "issuer": ISSUER, "kid": "", "alg": "ES256", "spki": b64(spki_of(KEY)), "source": "test",
    }  # fmt: skip


def test_a_directory_becomes_the_keys_and_revocations_of_its_issuers():
    one = directory({ISSUER: ([REVOKING], [crl(REVOKING, ["abc", "def.1636977600"])]), ISSUER + "/2": ([JWK], [])})
    assert [(entry["issuer"], entry.get("crl_version")) for entry in one.entries] == [
        (ISSUER, 1),
        (ISSUER + "/2", None),
    ]
    (revocations,) = one.revocations
    assert (revocations["method"], revocations["ctr"], revocations["rids"]) == ("rid", 1, ["abc", "def.1636977600"])
    assert revocations["kid"] == one.entries[0]["kid"]


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        (7, "not-an-entry"),
        (JWK | {"kid": "AAAA"}, "kid-differs"),
        (JWK | {"kid": JWK["kid"] + "="}, "kid-differs"),
        (JWK | {"d": "AA"}, "private-key"),
        ({"kty": "oct", "k": "AA"}, "private-key"),
        (JWK | {"use": "enc"}, "not-for-signing"),
        (JWK | {"alg": "none"}, "not-for-signing"),
        (JWK | {"kty": "RSA"}, "key-unsupported"),
        (JWK | {"crv": "P-384"}, "curve-unsupported"),
        (JWK | {"x": JWK["x"][:-2]}, "coordinates-malformed"),
        (JWK | {"crlVersion": "1"}, "crl-version-malformed"),
        (JWK | {"x5c": [b64(certificate(ec_key("another")))]}, "key-differs"),
    ],
)
def test_a_bad_key_is_refused_and_costs_no_other(jwk, reason):
    other = jwk_of(ec_key("the other"))
    one = keys_of(jwk, other)
    assert [entry["spki"] for entry in one.entries] == [b64(spki_of(ec_key("the other")))]
    assert refused(one) == [("keys[0]", reason)]


def test_a_point_that_is_not_on_the_curve_is_no_key():
    jwk = JWK | {"y": b64(bytes(31) + b"\x01").rstrip("=").replace("+", "-").replace("/", "_")}
    text = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'

    kid = b64(hashlib.sha256(text.encode()).digest()).rstrip("=").replace("+", "-").replace("/", "_")
    assert refused(keys_of(jwk | {"kid": kid})) == [("keys[0]", "curve-unsupported")]


@pytest.mark.parametrize("issuer", ["http://cards.example", ISSUER + "/", "cards.example", "https://a b", None])
def test_an_issuer_that_no_card_may_name_is_refused(issuer):
    with pytest.raises(ListUnreadable, match="--issuer"):
        keys_of(JWK, issuer=issuer)
    assert refused(directory({issuer: ([JWK], [])} if issuer else {"": ([JWK], [])}))[0][0] == "issuerInfo[0]"


@pytest.mark.parametrize(
    "bad",
    [
        {"method": "other"}, {"ctr": "1"}, {"ctr": 0}, {"ctr": True}, {"rids": "abc"}, {"rids": ["a", "a"]},
        {"rids": ["a", "a.1"]}, {"rids": ["a" * 25]}, {"rids": ["a=="]}, {"rids": ["$"]}, {"rids": [7]},
        {"rids": ["a.b"]}, {"rids": ["a.1.5"]},
    ],
)  # fmt: skip
def test_a_malformed_revocation_list_is_written_as_one_that_vouches_for_no_card(bad):
    one = keys_of(REVOKING, crls=[crl(REVOKING, ["abc"]) | bad])
    assert refused(one) == [("crl", "list-malformed")]
    (written,) = one.revocations
    assert (written["method"], written["rids"]) == ("malformed", [])
    assert one.entries[0]["crl_version"] == 1


def test_a_revocation_list_that_is_not_of_these_keys_is_refused():
    assert refused(keys_of(JWK, crls=[crl(jwk_of(ec_key("x")), [])])) == [("crl", "kid-unknown")]
    with pytest.raises(ListUnreadable):
        smart.read_keys(json.dumps({"keys": [JWK]}).encode(), intake(issuer=ISSUER), [("crl", b"{")])


def test_two_revocation_lists_for_one_key_are_none():
    one = keys_of(REVOKING, crls=[crl(REVOKING, ["a"]), crl(REVOKING, ["b"])])
    assert [written["method"] for written in one.revocations] == ["malformed"]


def test_what_was_not_fetched_together_is_remarked_on():
    assert [remark.reason for remark in keys_of(REVOKING).remarks] == ["no-revocation-list"]
    assert [remark.reason for remark in keys_of(REVOKING, crls=[crl(REVOKING, [], ctr=2)]).remarks] == ["ctr-differs"]


def suite():
    folder = os.environ.get("SCANWARD_VECTORS")
    if not folder:
        pytest.skip("SCANWARD_VECTORS names no folder with shc/ in it (docs/conformance.md)")
    return Path(folder) / "shc"


def test_the_framework_s_own_issuer_is_taken_whole():
    folder = suite() / "spec-examples" / "issuer" / ".well-known"
    one = intake(issuer="https://spec.smarthealth.cards/examples/issuer")
    crls = [(path.name, path.read_bytes()) for path in (folder / "crl").glob("*.json")]
    smart.read_keys((folder / "jwks.json").read_bytes(), one, crls)
    assert (len(one.entries), len(one.revocations), one.refused) == (2, 1, [])


def test_each_bad_revocation_list_of_the_developers_tools_is_named():
    folder, found = suite() / "devtools" / "badcrl", dict[str, str]()
    for case in sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."):
        one = intake(issuer=ISSUER)
        crls = [(path.name, path.read_bytes()) for path in case.rglob("crl/*.json")]
        smart.read_keys((case / ".well-known" / "jwks.json").read_bytes(), one, crls)
        found[case.name] = ([remark.reason for remark in one.refused + one.remarks] or ["nothing"])[0]
    assert found.pop("version-mismatch") == "ctr-differs"
    assert len(found) == 4
    assert set(found.values()) == {"list-malformed"}
