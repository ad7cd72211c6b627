"""Keys of public trust lists in the platform's repository, checked by the platform's own code."""

import base64
import itertools
import json
import time

import pytest

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.trust_entries import parse_trust_list
from fakes.signers import certificate, ec_key, jwk_of, rsa_key, spki_of
from platform_stub import cli
from platform_stub.issuing.imported import ImportInvalid, encode, parse_imported, parse_prefixes
from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout, LayoutInvalid
from platform_stub.platform import make_platform

NOW_S = 1_795_248_000


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


@pytest.fixture
def platform(tmp_path):
    make_platform(tmp_path / "platform", "4420", NOW_S)
    return tmp_path / "platform"


def published(platform):
    """Return trust-list.json and revoked.bin as the newest metadata names them."""
    repository = Repository(Layout(platform))
    targets = json.loads(
        repository.metadata_file(f"{repository._read_snapshot().meta['targets.json'].version}.targets.json").read_text()
    )["signed"]["targets"]
    names = [f"{targets[name]['hashes']['sha256']}.{name}" for name in ("trust-list.json", "revoked.bin")]
    return tuple(repository.target_file(name).read_bytes() for name in names)


def test_what_is_taken_is_published_beside_the_platform_s_own_and_stays(platform):
    repository = Repository(Layout(platform))
    own = len(json.loads(published(platform)[0])["keys"])
    repository.take(file(KEY | DATES | {"usage": ["t"]}, AUTHORITY, SHC, revocations=[REVOCATIONS]), None, NOW_S)
    repository.publish(NOW_S)
    repository.complete(NOW_S)
    trust = json.loads(published(platform)[0])
    assert trust["keys"][own:] == [KEY | DATES | {"usage": ["t"]}, AUTHORITY, SHC]
    assert trust["revocations"] == [REVOCATIONS]
    assert trust["version"] == 3


def test_what_is_taken_next_replaces_it_and_revocations_keep_to_themselves(platform):
    repository = Repository(Layout(platform))
    repository.take(file(KEY), bytes(8) + b"\x01" * 8, NOW_S)
    repository.take(file(AUTHORITY), None, NOW_S)
    repository.revoke(b"\x00" * 7 + b"\x07", NOW_S)
    trust, revoked = published(platform)
    assert [key["family"] for key in json.loads(trust)["keys"] if key["issuer"] != "4420"] == ["vds-nc"]
    assert revoked == bytes(8) + b"\x00" * 7 + b"\x07" + b"\x01" * 8
    repository.take(None, b"", NOW_S)
    assert published(platform)[1] == b"\x00" * 7 + b"\x07", "its own stays"


def test_the_platform_s_own_families_are_never_taken_from_a_file(platform, tmp_path, capsys):
    own = {"family": "platform", "issuer": "4420", "kid": "03" * 8, "alg": "EdDSA", "usage": ["receipt"]}
    (tmp_path / "list").write_bytes(file(own | {"family": "ehc"}, own, KEY))
    assert cli.main(["import", str(platform), "--from", str(tmp_path / "list")]) == 0
    out = capsys.readouterr().out
    assert "1 keys of hcert (before: 0)" in out
    assert "1 entries of ehc were left out" in out
    assert "03" * 8 not in published(platform)[0].decode()


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
    with pytest.raises(ImportInvalid, match=rf"keys\[1\].*{field}"):
        parse_imported(file(AUTHORITY, KEY | change))


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
    with pytest.raises(ImportInvalid, match=r"keys\[0\]"):
        parse_imported(file(AUTHORITY | change))


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
        try:
            now = parse_imported(file(SHC, changed) if not is_list else file(SHC, revocations=[changed]))
        except ImportInvalid:
            continue
        taken += 1
        assert parse_imported(encode(now)).keys == now.keys
        published = file(*now.keys, revocations=now.revocations)
        parse_trust_list(published, build_key, read_certificate, sets_aside=True)
    assert taken > 100


def test_too_many_keys_of_one_name_are_refused():
    assert len(parse_imported(file(*[KEY | {"issuer": f"X{n}"} for n in range(8)])).keys) == 8
    with pytest.raises(ImportInvalid, match="too many"):
        parse_imported(file(*[KEY | {"issuer": f"X{n}"} for n in range(9)]))
    with pytest.raises(ImportInvalid, match="too many"):
        parse_imported(file(AUTHORITY, AUTHORITY))


@pytest.mark.parametrize(
    "change",
    [
        {"family": "hcert"},
        {"method": 7},
        {"method": "\ud800"},
        {"ctr": "1"},
        {"rids": "a"},
        {"rids": [7]},
        {"rids": ["x" * 65]},
        {"kid": 7},
    ],
)
def test_a_revocation_list_s_frame_is_checked(change):
    with pytest.raises(ImportInvalid, match=r"revocations\[0\]"):
        parse_imported(file(SHC, revocations=[REVOCATIONS | change]))


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
    with pytest.raises(ImportInvalid, match=r"keys\[0\].kid.*thumbprint"):
        parse_imported(file(SHC | {"kid": "02" * 32}))


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
