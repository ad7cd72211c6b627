"""Keys of public trust lists in the platform's repository, checked by the platform's own code."""

import base64
import itertools
import json
import re
import time

import pytest

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.trust_entries import parse_trust_list
from fakes.published import NOW_S, published
from fakes.signers import certificate, ec_key, jwk_of, rsa_key, spki_of
from platform_stub import cli
from platform_stub.issuing.imported import ImportInvalid, encode, parse_imported, parse_prefixes
from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout, LayoutInvalid


def b64(data):
    return base64.b64encode(data).decode()


KEY = {"family": "hcert", "issuer": "XA", "kid": "00" * 8, "alg": "ES256", "spki": b64(spki_of(ec_key("signer")))}
DATES = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z"}
AUTHORITY = {
    "family": "vds-nc", "issuer": "XXA", "kid": "01" * 8, "alg": "ES256",
    "x5c": [b64(certificate(ec_key("authority"), is_authority=True))],
}  # fmt: skip
JWK = jwk_of(ec_key("signer"))
OF_CARDS = {"family": "shc", "issuer": "https://a.example", "kid": base64.urlsafe_b64decode(JWK["kid"] + "=").hex()}
REVOCATIONS = OF_CARDS | {"method": "rid", "ctr": 1, "rids": ["a"]}
SHC = OF_CARDS | {"alg": "ES256", "spki": KEY["spki"]}


def file(*keys, revocations=(), **more):
    about = {"format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-11-21T08:00:00Z"}
    return json.dumps(about | {"keys": list(keys), "revocations": list(revocations)} | more).encode()


def test_what_is_taken_is_published_beside_the_platform_s_own_and_stays(platform):
    repository = Repository(Layout(platform))
    own = len(json.loads(published(platform).trust_list)["keys"])
    repository.take(file(KEY | DATES | {"usage": ["t"]}, AUTHORITY, SHC, revocations=[REVOCATIONS]), None, NOW_S)
    repository.publish(NOW_S)
    repository.complete(NOW_S)
    trust = json.loads(published(platform).trust_list)
    assert trust["keys"][own:] == [KEY | DATES | {"usage": ["t"]}, AUTHORITY, SHC]
    assert trust["revocations"] == [REVOCATIONS]
    assert trust["version"] == 3


def test_what_is_taken_next_replaces_it_and_revocations_keep_to_themselves(platform):
    repository = Repository(Layout(platform))
    repository.take(file(KEY), bytes(8) + b"\x01" * 8, NOW_S)
    repository.take(file(AUTHORITY), None, NOW_S, withdraws=True)
    repository.revoke(b"\x00" * 7 + b"\x07", NOW_S)
    _, trust, revoked = published(platform)
    assert [key["family"] for key in json.loads(trust)["keys"] if key["issuer"] != "4420"] == ["vds-nc"]
    assert revoked == bytes(8) + b"\x00" * 7 + b"\x07" + b"\x01" * 8
    repository.take(None, b"", NOW_S, unrevokes=True)
    assert published(platform).revoked == b"\x00" * 7 + b"\x07", "its own stays"


def test_the_platform_s_own_families_are_never_taken_from_a_file(platform, tmp_path, capsys):
    own = {"family": "platform", "issuer": "4420", "kid": "03" * 8, "alg": "EdDSA", "usage": ["receipt"]}
    (tmp_path / "list").write_bytes(file(own | {"family": "ehc"}, own, KEY))
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "list")]) == 0
    out = capsys.readouterr().out
    assert "1 keys of hcert (before: 0)" in out
    assert "1 entries of ehc were left out" in out
    assert "03" * 8 not in published(platform).trust_list.decode()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"issuer": ""}, "issuer"), ({"issuer": "x" * 256}, "issuer"), ({"issuer": "a\n"}, "issuer"),
        ({"kid": "AA"}, "kid"), ({"kid": ""}, "kid"), ({"kid": 7}, "kid"),
        ({"alg": "none"}, "alg"), ({"alg": "EdDSA"}, "alg"), ({"alg": "PS256"}, "spki"),
        ({"spki": "*"}, "spki"), ({"spki": b64(b"no key")}, "spki"), ({"spki": None}, "spki"),
        ({"spki": b64(spki_of(rsa_key()))}, "spki"), ({"alg": "PS256", "spki": b64(spki_of(rsa_key(1024)))}, "spki"),
        ({"x5c": AUTHORITY["x5c"]}, "x5c"),
        ({"not_after": "2036-01-01"}, "not_after"), ({"not_after": "2036-01-01T00:00:00+00:00"}, "not_after"),
        ({"not_after": "2036-1-1T0:0:0Z"}, "not_after"), ({"not_after": "２０36-01-01T00:00:00Z"}, "not_after"),
        ({"not_after": "2036-02-30T00:00:00Z"}, "not_after"), ({"not_after": ["2036"]}, "not_after"),
        (DATES | {"not_after": "2020-01-01T00:00:00Z"}, "not_after"),
        ({"family": ["hcert"]}, "family"), ({"family": "a\x1b[2J"}, "family"),
        ({"usage": "t"}, "usage"), ({"usage": [7]}, "usage"), ({"usage": ["x"] * 17}, "usage"),
        ({"crl_version": -1}, "crl_version"), ({"crl_version": True}, "crl_version"),
        ({"source": ""}, "source"),
    ],
)  # fmt: skip
def test_an_entry_that_would_stop_a_terminal_is_refused_by_its_place(change, field):
    found = parse_imported(file(AUTHORITY, KEY | change))
    assert found.keys == (AUTHORITY,), "the rest is taken"
    (refused,) = found.refused
    assert re.match(rf"keys\[1\].*{field}", refused)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_dates_are_read_alike_wherever_the_platform_stands(zone, monkeypatch):
    """The last second of 9999 is that of certificates without a well-defined end (RFC 5280 §4.1.2.5)."""
    dates = {"not_before": "0001-01-01T00:00:00Z", "not_after": "9999-12-31T23:59:59Z"}
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert parse_imported(file(KEY | dates)).keys == (KEY | dates,)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "change",
    [
        {"x5c": []}, {"x5c": AUTHORITY["x5c"] * 2}, {"x5c": ["*"]}, {"x5c": [b64(b"none")]}, {"x5c": 7},
        {"x5c": [b64(certificate(ec_key("signer")))]}, {"alg": "none"}, {"spki": KEY["spki"]}, DATES,
    ],
)  # fmt: skip
def test_an_authority_is_one_certificate_that_may_sign_others(change):
    found = parse_imported(file(AUTHORITY | change))
    assert found.keys == ()
    assert found.refused[0].startswith("keys[0]")


ODD = [
    None, True, -1, 2**63, 1.5, "", "a", "\ud800", "\u202e", "AA", "00" * 65, "x" * 256, [], {}, [[]], ["a"],
    ["\ud800"], "2026-01-01T24:00:00Z", "2026-01-01T00:00:00z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "2026-1-1T0:0:0Z", "0001-01-01T00:00:00Z", "PS256", "hcert", "shc", "vds-nc", "aadhaar", "ehc", "new-family",
    OF_CARDS["kid"], KEY["spki"], KEY["spki"] + "=", AUTHORITY["x5c"],
]  # fmt: skip
FIELDS = [*KEY, *DATES, *REVOCATIONS, "x5c", "usage", "crl_version", "source"]


def test_no_terminal_refuses_a_whole_list_for_what_the_platform_took():
    """Every good entry with every odd value in every field; what remains may be set aside, entry by entry."""
    taken = 0
    for entry, field, value in itertools.product((KEY | DATES, SHC, AUTHORITY, REVOCATIONS), FIELDS, ODD):
        changed = entry | {field: value}
        is_list = entry is REVOCATIONS
        now = parse_imported(file(SHC, changed) if not is_list else file(SHC, revocations=[changed]))
        taken += not now.refused
        assert parse_imported(encode(now)).keys == now.keys
        published = file(*now.keys, revocations=now.revocations)
        parse_trust_list(published, build_key, read_certificate, sets_aside=True)
    assert taken > 100


def test_keys_too_many_of_one_name_are_refused_and_the_rest_is_taken():
    assert len(parse_imported(file(*[KEY | {"issuer": f"X{n}"} for n in range(8)])).keys) == 8
    found = parse_imported(file(*[KEY | {"issuer": f"X{n}"} for n in range(9)], SHC))
    assert len(found.keys) == 9
    assert found.refused == (
        "keys[8].kid: 8 keys of this id stand in the file before; take one of them out of it (hcert of X8)",
    )
    twice = parse_imported(file(SHC, SHC | DATES, AUTHORITY))
    assert twice.keys == (SHC, AUTHORITY)
    assert twice.refused[0].startswith("keys[1].kid: this issuer's key of this id stands in the file before")


@pytest.mark.parametrize(
    "change",
    [
        {"method": 7},
        {"method": "\ud800"},
        {"ctr": "1"},
        {"rids": "a"},
        {"rids": [7]},
        {"rids": ["x" * 65]},
        {"source": 7},
    ],
)
def test_a_revocation_list_that_cannot_be_read_is_published_as_one_that_vouches_for_nothing(change):
    found = parse_imported(file(SHC, revocations=[REVOCATIONS | change]))
    assert found.refused[0].startswith("revocations[0]")
    void = OF_CARDS | {"method": "malformed", "ctr": 0, "rids": []}
    assert found.revocations == (() if "source" in change else (void,))


@pytest.mark.parametrize("change", [{"family": "hcert"}, {"kid": 7}])
def test_a_revocation_list_of_no_key_is_refused_by_its_place(change):
    found = parse_imported(file(SHC, revocations=[REVOCATIONS | change]))
    assert found.revocations == ()
    assert found.refused[0].startswith("revocations[0]")


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"{}", file(format="other"), file() + b"1", b"[" * 100_000, file(7),
     b'{"format": 1, "format": 2}', file(KEY | {"crl_version": float("nan")}), b" " * (4 * 1024 * 1024 + 1)],
)  # fmt: skip
def test_what_is_no_trust_list_is_refused(data):
    with pytest.raises(ImportInvalid):
        parse_imported(data)


@pytest.mark.parametrize("data", [b"7 bytes", b"\x01" * 8 + bytes(8), bytes(16)])
def test_revocations_out_of_order_are_refused(data):
    with pytest.raises(ImportInvalid):
        parse_prefixes(data)


def test_a_list_that_terminals_could_not_read_changes_nothing(platform, monkeypatch):
    before = published(platform)
    monkeypatch.setattr("platform_stub.issuing.imported.TRUST_LIST_BYTES_MAX", len(file(KEY)) + 100)
    with pytest.raises(ImportInvalid, match="terminals read"):
        Repository(Layout(platform)).take(file(KEY), None, NOW_S)
    assert published(platform) == before
    assert not Layout(platform).imported.exists()


def test_a_key_of_cards_is_named_by_its_thumbprint():
    assert parse_imported(file(SHC)).keys == (SHC,)
    assert re.match(r"keys\[0\].kid.*thumbprint", parse_imported(file(SHC | {"kid": "02" * 32})).refused[0])


def test_a_damaged_imported_file_is_named_at_the_next_publication(platform):
    Layout(platform).imported.write_text("{")
    with pytest.raises(LayoutInvalid, match=r"imported\.json"):
        Repository(Layout(platform)).publish(NOW_S)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], 2), (["--withdraw", "--from", "x"], 2), (["--from", "missing"], 1), (["--withdraw"], 0)],
)
def test_the_command_says_what_it_wants(platform, arguments, status, capsys):
    assert cli.main(["import", str(platform), *arguments]) == status
    assert (capsys.readouterr().err == "") == (status == 0)


def test_a_file_without_public_keys_is_not_taken_for_a_withdrawal(platform, tmp_path, capsys):
    (tmp_path / "list").write_bytes(file())
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "list")]) == 1
    assert "--withdraw" in capsys.readouterr().err


def test_one_bad_entry_does_not_refuse_the_others(platform, tmp_path, capsys):
    (tmp_path / "list").write_bytes(file(KEY | {"spki": "*"}, SHC))
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "list")]) == 0
    assert "refused keys[0].spki: not base64 (hcert of XA)" in capsys.readouterr().out
    assert [key["family"] for key in json.loads(published(platform).trust_list)["keys"]][-1] == "shc"


def test_a_file_of_which_nothing_can_be_taken_changes_nothing_and_says_why(platform, tmp_path, capsys):
    (tmp_path / "list").write_bytes(file(KEY | {"spki": "*"}))
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "list")]) == 1
    assert "refused keys[0].spki: not base64" in capsys.readouterr().err
    assert not Layout(platform).imported.exists()


def test_an_entry_that_an_earlier_release_took_does_not_stop_publishing(platform, caplog):
    Layout(platform).imported.write_bytes(file(KEY | {"spki": "*"}, SHC))
    Repository(Layout(platform)).publish(NOW_S)
    assert json.loads(published(platform).trust_list)["keys"][-1] == SHC
    assert "keys[0].spki" in caplog.text


def test_a_file_of_one_source_does_not_take_out_the_others_unasked(platform, tmp_path, capsys):
    """Whoever imports Germany's list alone must not close the door to everyone else, and hear of it afterwards."""
    german, cards = KEY | {"source": "dcc:DE"}, SHC | {"source": "vci"}
    (tmp_path / "all").write_bytes(file(german, cards))
    (tmp_path / "german").write_bytes(file(german))
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "all")]) == 0
    before = published(platform)
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "german")]) == 1
    said = capsys.readouterr().err
    assert "1 of vci" in said
    assert "--withdraw-missing" in said
    assert published(platform) == before
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "german"), "--withdraw-missing"]) == 0
    assert "no keys of shc any more (before: 1)" in capsys.readouterr().out
    assert json.loads(published(platform).trust_list)["keys"][-1] == german


def test_what_a_source_s_newer_list_no_longer_has_goes_and_what_another_took_over_stays(platform):
    repository, other = Repository(Layout(platform)), KEY | {"issuer": "XB", "source": "dcc"}
    repository.take(file(KEY | {"source": "did"}, KEY | {"issuer": "XC", "source": "dcc"}, other), None, NOW_S)
    repository.take(file(KEY | {"source": "dcc"}, other), None, NOW_S)
    assert json.loads(published(platform).trust_list)["keys"][-2:] == [KEY | {"source": "dcc"}, other]


def test_a_key_that_speaks_of_an_older_list_goes_with_the_one_that_stays(platform):
    repository = Repository(Layout(platform))
    repository.take(file(SHC | {"crl_version": 5}, revocations=[REVOCATIONS | {"ctr": 5}]), None, NOW_S)
    repository.take(file(SHC | {"crl_version": 4}, revocations=[REVOCATIONS | {"ctr": 4}]), None, NOW_S)
    assert json.loads(published(platform).trust_list)["keys"][-1] == SHC | {"crl_version": 5}


@pytest.mark.parametrize("key", [SHC | {"crl_version": 1}, SHC])
def test_a_malformed_card_revocation_list_does_not_open_the_way_to_an_old_one(platform, key):
    repository = Repository(Layout(platform))
    repository.take(file(SHC | {"crl_version": 5}, revocations=[REVOCATIONS | {"ctr": 5}]), None, NOW_S)
    repository.take(file(SHC | {"crl_version": 5}, revocations=[REVOCATIONS | {"ctr": "?"}]), None, NOW_S)
    _, _, now, _ = repository.take(file(key, revocations=[REVOCATIONS | {"ctr": 1}]), None, NOW_S)
    assert "ctr 1 is older than 5" in now.refused[0]
    assert [entry["method"] for entry in now.revocations] == ["malformed"]
    assert now.keys == (SHC | {"crl_version": 5},)
    _, _, now, _ = repository.take(file(SHC | {"crl_version": 6}, revocations=[REVOCATIONS | {"ctr": 6}]), None, NOW_S)
    assert [entry["ctr"] for entry in now.revocations] == [6]


def test_the_list_of_one_key_says_nothing_of_another_s_that_is_missing(platform):
    repository = Repository(Layout(platform))
    other, lists = {"issuer": "https://b.example"}, [REVOCATIONS, REVOCATIONS | {"issuer": "https://b.example"}]
    repository.take(file(SHC, SHC | other, revocations=lists), None, NOW_S)
    _, _, now, _ = repository.take(file(SHC, SHC | other, revocations=lists[:1]), None, NOW_S)
    assert list(now.revocations) == lists


@pytest.mark.parametrize("newer", [(REVOCATIONS | {"ctr": 4, "rids": []},), ()])
def test_a_card_revocation_list_goes_back_only_where_that_is_asked_for(platform, tmp_path, capsys, newer):
    (tmp_path / "first").write_bytes(file(SHC, revocations=[REVOCATIONS | {"ctr": 5}]))
    (tmp_path / "second").write_bytes(file(SHC, revocations=newer))
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "first")]) == 0
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "second")]) == 0
    assert f"refused card revocation list of key {SHC['kid']} of https://a.example" in capsys.readouterr().out
    assert json.loads(published(platform).trust_list)["revocations"] == [REVOCATIONS | {"ctr": 5}]
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "second"), "--older-lists"]) == 0
    assert json.loads(published(platform).trust_list).get("revocations", []) == list(newer)
