"""The trust list and the revocation list: what is read, what is refused and how it is named."""

import base64
import hashlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.formats.jwk import thumbprint
from agent.core.revocation import REVOKED_BYTES_MAX, RevocationsInvalid, parse_revoked
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import (
    TRUST_LIST_BYTES_MAX,
    AlgorithmUnavailable,
    TrustedKey,
    TrustListInvalid,
    VerificationKey,
)
from fakes.altered import altered
from fakes.asia_issuers import Authority, ec_key, entry_of
from fakes.ehc_issuer import EhcIssuer, trust_list_file

ES256, EDDSA = EhcIssuer(), EhcIssuer("EdDSA")


def refuse_sm2(alg: str, spki: bytes) -> VerificationKey:
    if alg == "SM2":
        raise AlgorithmUnavailable(alg)
    return build_key(alg, spki)


def test_the_list_of_the_byte_vectors_is_read_whole(vectors: Any) -> None:
    file = vectors("ehc1")["trust_list"]
    trust_list = parse_trust_list(json.dumps(file).encode(), build_key)
    assert (trust_list.version, trust_list.issued_at_s) == (17, 1_795_248_000)
    assert {(key.family, key.issuer) for key in trust_list.keys} == {("ehc", "4420"), ("platform", "4420")}
    assert len(trust_list.keys) == 5
    for entry in file["keys"]:
        key = trust_list.find(entry["family"], entry["issuer"], bytes.fromhex(entry["kid"]))
        assert key is not None
        assert (key.key is None) is (entry["alg"] == "X25519")
        assert (key.alg, key.usage) == (entry["alg"], set(entry["usage"]))
        assert hashlib.sha256(key.spki).digest()[:8] == key.key_id
        assert (key.not_before_s, key.not_after_s) == (1_767_225_600, 2_082_758_400)
    (receipt,) = trust_list.with_usage("platform", "receipt")
    assert receipt.key is not None
    assert trust_list.find("ehc", "4401", receipt.key_id) is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kid": "00" * 8}, r"keys\[1\]\.kid: not the first 8 bytes"),
        ({"kid": ES256.kid.hex().upper()}, r"keys\[1\]\.kid: lower-case"),
        ({"kid": ES256.kid.hex()[:14]}, r"keys\[1\]\.kid: not the first"),
        ({"kid": ""}, r"keys\[1\]\.kid: lower-case"),
        ({"kid": None}, r"kid.*\$\.keys\[1\]"),
        ({"spki": "!!!!"}, r"keys\[1\]\.spki: not base64"),
        ({"spki": None}, r"keys\[1\]\.spki: missing"),
        ({"alg": "EdDSA"}, r"keys\[1\]\.spki: not a key for EdDSA"),
        ({"alg": "X25519"}, r"keys\[1\]\.spki: not an X25519 key"),
        ({"alg": ""}, r"\$\.keys\[1\]\.alg"),
        ({"usage": None}, r"keys\[1\]\.usage: missing"),
        ({"usage": "static"}, r"\$\.keys\[1\]\.usage"),
        ({"not_before": None}, r"keys\[1\]\.not_before: missing"),
        ({"not_after": None}, r"keys\[1\]\.not_after: missing"),
        ({"not_after": "2025-01-01T00:00:00Z"}, r"keys\[1\]\.not_after: before not_before"),
        ({"not_after": "2036-01-01T00:00:00"}, r"\$\.keys\[1\]\.not_after"),
        ({"not_after": "soon"}, r"\$\.keys\[1\]\.not_after"),
        ({"issuer": "44 20"}, r"keys\[1\]\.issuer"),
        ({"issuer": "x" * 33}, r"keys\[1\]\.issuer"),
        ({"issuer": ""}, r"\$\.keys\[1\]\.issuer"),
        ({"issuer": 4420}, r"\$\.keys\[1\]\.issuer"),
        ({"family": "EHC"}, r"\$\.keys\[1\]\.family"),
        ({"family": "hcert", "kid": "xyz"}, r"keys\[1\]\.kid"),
    ],
)
def test_a_bad_entry_is_named_by_its_place_and_field(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(TrustListInvalid, match=message):
        parse_trust_list(trust_list_file(EDDSA.entry(), ES256.entry(**changed)), build_key)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "scanward-trust-list-2"}, r"\$\.format"),
        ({"version": -1}, r"\$\.version"),
        ({"version": "17"}, r"\$\.version"),
        ({"version": 2**63}, "not valid"),
        ({"issued_at": "2026-11-21"}, r"\$\.issued_at"),
        ({"issued_at": "2026-11-21T08:00:00"}, r"\$\.issued_at"),
        ({"keys": {}}, r"\$\.keys"),
    ],
)
def test_a_bad_head_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(TrustListInvalid, match=message):
        parse_trust_list(trust_list_file(**changed), build_key)


def test_a_key_listed_twice_is_refused_but_not_under_two_issuers() -> None:
    with pytest.raises(TrustListInvalid, match=r"keys\[2\]\.kid: .* twice"):
        parse_trust_list(trust_list_file(ES256.entry(), EDDSA.entry(), ES256.entry(usage=["static"])), build_key)
    both = parse_trust_list(trust_list_file(ES256.entry(), ES256.entry(issuer="4401")), build_key)
    assert len(both.keys) == 2


def test_an_algorithm_this_machine_lacks_does_not_sink_the_list() -> None:
    sm2 = EhcIssuer(label=b"an issuer with SM2")
    trust_list = parse_trust_list(trust_list_file(sm2.entry(alg="SM2"), ES256.entry()), refuse_sm2)
    lacking, usable = trust_list.find("ehc", "4420", sm2.kid), trust_list.find("ehc", "4420", ES256.kid)
    assert lacking is not None
    assert (lacking.key, lacking.alg) == (None, "SM2")
    assert usable is not None
    assert usable.key is not None


def test_families_and_fields_of_a_newer_platform_are_kept_inert() -> None:
    hcert = {"family": "novel", "issuer": "AT", "kid": "aa" * 8, "alg": "ES256", "x5c": ["MII="], "novel": {"a": 1}}
    trust_list = parse_trust_list(trust_list_file(hcert, ES256.entry(novel=True), novel=[1]), build_key)
    inert = trust_list.find("novel", "AT", b"\xaa" * 8)
    assert inert is not None
    assert (inert.key, inert.usage, inert.spki) == (None, frozenset(), b"")


def test_a_list_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(TrustListInvalid, match="at most"):
        parse_trust_list(trust_list_file() + b" " * TRUST_LIST_BYTES_MAX, build_key)


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps(text).encode()))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    with pytest.raises(TrustListInvalid):
        parse_trust_list(data, build_key)


ODD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9).map(bytes.hex)
    | st.lists(st.integers(0, 3), max_size=2) | st.dictionaries(st.text(max_size=2), st.integers(0, 3), max_size=2)
    | st.sampled_from(["RS256", "SM2", "X25519", "hcert", "shc", "aadhaar", "vds-nc", "platform", "MII=", "ab" * 8])
    | st.sampled_from(["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00.5Z"])
)  # fmt: skip


@given(altered([json.loads(trust_list_file(EDDSA.entry(), ES256.entry()))], ODD))
def test_a_list_with_something_odd_in_it_is_taken_or_refused_in_words(file: dict[str, Any]) -> None:
    try:
        trust_list = parse_trust_list(json.dumps(file).encode(), build_key, read_certificate)
    except TrustListInvalid as error:
        said = str(error)
    else:
        said = "taken"
        assert all(key.not_before_s <= key.not_after_s for key in trust_list.keys)
        assert all(trust_list.find(key.family, key.issuer, key.key_id) is key for key in trust_list.keys)
    assert 0 < len(said) < 1_000


def revoked_file(*prefixes: bytes) -> bytes:
    return b"".join(sorted(prefixes))


def test_the_prefixes_are_those_of_the_protocol() -> None:
    """The formula, written out once more: SHA-256("card" || card), SHA-256("kid" || family || 0x00 || kid), 8 bytes."""
    card, kid = bytes(range(32)), bytes(8)
    of_card = hashlib.sha256(b"card" + card).digest()[:8]
    of_kid = hashlib.sha256(b"kidehc\x00" + kid).digest()[:8]
    revoked = parse_revoked(revoked_file(of_card, of_kid, bytes(8), b"\xff" * 8))
    assert len(revoked) == 4
    assert (revoked.has_card(card), revoked.has_kid("ehc", kid)) == (True, True)
    assert (revoked.has_card(bytes(32)), revoked.has_kid("platform", kid), revoked.has_kid("ehc", card[:8])) == (
        False,
        False,
        False,
    )


@given(st.sets(st.binary(min_size=32, max_size=32), max_size=30), st.lists(st.binary(min_size=32, max_size=32)))
def test_a_card_is_revoked_if_and_only_if_it_is_listed(listed: set[bytes], others: list[bytes]) -> None:
    revoked = parse_revoked(revoked_file(*(hashlib.sha256(b"card" + card).digest()[:8] for card in listed)))
    for card in [*listed, *others]:
        assert revoked.has_card(card) is (card in listed)


def test_a_key_asked_about_twice_gets_the_same_answer() -> None:
    kid = bytes(8)
    revoked = parse_revoked(revoked_file(hashlib.sha256(b"kidehc\x00" + kid).digest()[:8]))
    assert [revoked.has_kid("ehc", kid), revoked.has_kid("ehc", kid)] == [True, True]
    assert [revoked.has_kid("ehc", kid + b"x"), revoked.has_kid("ehc", kid + b"x")] == [False, False]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1234567", "multiple of 8"),
        (b"123456781", "multiple of 8"),
        (bytes(16), "ascending"),
        (b"bbbbbbbbaaaaaaaa", "ascending"),
        (b"aaaaaaaabbbbbbbbaaaaaaaa", "ascending"),
        (bytes(REVOKED_BYTES_MAX + 8), "at most"),
    ],
)
def test_a_damaged_revocation_list_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(RevocationsInvalid, match=message):
        parse_revoked(data)


def test_an_empty_revocation_list_revokes_nothing() -> None:
    assert not parse_revoked(b"").has_card(bytes(32))


def test_the_order_is_that_of_the_bytes_whatever_the_machine() -> None:
    """As little-endian numbers these two would be in the wrong order."""
    revoked = parse_revoked(struct.pack(">QQ", 0x01FF, 0x0200))
    assert len(revoked) == 2


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"spki": "AAAA"}, "keys[1].spki: not a key for ES256"),
        ({"spki": "!"}, "keys[1].spki: not base64"),
        ({"spki": None, "x5c": ["MAAA"]}, "keys[1].x5c: not a certificate that can be read"),
        ({"spki": None}, "keys[1]: neither spki nor x5c"),
        ({"kid": "XY"}, "keys[1].kid: lower-case hexadecimal, 1 to 64 bytes"),
        ({"not_before": "2030-01-01T00:00:00Z", "not_after": "2029-01-01T00:00:00Z"}, "keys[1].not_after: before not_"),
        ({"family": "shc"}, "keys[1].kid: not the JWK thumbprint"),
    ],
)
def test_a_terminal_sets_aside_a_key_of_a_public_list_that_it_cannot_use(changed: dict[str, Any], why: str) -> None:
    bad = {"family": "hcert", "issuer": "XA", "kid": "aa" * 8, "alg": "ES256", "spki": ES256.entry()["spki"]} | changed
    good = {"family": "hcert", "issuer": "XB", "kid": "bb" * 8, "alg": "ES256", "spki": ES256.entry()["spki"]}
    data = trust_list_file(ES256.entry(), bad, good)
    with pytest.raises(TrustListInvalid):
        parse_trust_list(data, build_key, read_certificate)
    trust_list = parse_trust_list(data, build_key, read_certificate, sets_aside=True)
    assert [key.issuer for key in trust_list.keys] == [ES256.entry()["issuer"], "XB"]
    assert len(trust_list.find_all("hcert", bytes.fromhex("bb" * 8))) == 1
    (said,) = trust_list.set_aside
    assert said.startswith(why)
    assert said.endswith(" of XA)")


def test_a_terminal_never_sets_aside_a_key_of_the_platform() -> None:
    with pytest.raises(TrustListInvalid, match=r"keys\[0\]\.spki"):
        parse_trust_list(trust_list_file(ES256.entry(alg="EdDSA")), build_key, read_certificate, sets_aside=True)


def of_cards(**changed: Any) -> dict[str, Any]:
    spki = ES256.entry()["spki"]
    kid = thumbprint(base64.b64decode(spki)).hex()
    return {"family": "shc", "issuer": "https://a.example", "kid": kid, "alg": "ES256", "spki": spki} | changed


def test_a_key_that_stands_there_twice_does_not_stop_a_terminal_and_what_both_entries_allow_counts() -> None:
    """Which of the two was meant nobody can tell: neither the longer life nor the forgotten list is believed."""
    data = trust_list_file(
        ES256.entry(),
        of_cards(not_before="2026-01-01T00:00:00Z", not_after="2036-01-01T00:00:00Z"),
        of_cards(not_before="2025-01-01T00:00:00Z", not_after="2027-01-01T00:00:00Z", crl_version=3),
        of_cards(issuer="https://b.example"),
    )
    with pytest.raises(TrustListInvalid, match=r"keys\[2\]\.kid: .*twice"):
        parse_trust_list(data, build_key)
    trust_list = parse_trust_list(data, build_key, sets_aside=True)
    (one,) = trust_list.of_issuer("shc", "https://a.example")
    assert one.key is not None
    assert (one.not_before_s, one.not_after_s, one.crl_version) == (1_767_225_600, 1_798_761_600, 3)
    assert len(trust_list.of_issuer("shc", "https://b.example")) == 1
    (said,) = trust_list.set_aside
    assert said == ("keys[2].kid: this key is there before, what both entries allow counts (shc of https://a.example)")


@pytest.mark.parametrize(("usages", "verifies"), [((["t"], ["t", "v"]), True), ((["t"], ["v"]), False)])
def test_a_key_that_is_for_one_thing_and_for_another_is_for_what_is_common_to_both(
    usages: tuple[list[str], list[str]], verifies: bool
) -> None:
    entries = [of_cards(usage=usage) for usage in usages]
    (key,) = parse_trust_list(trust_list_file(*entries), build_key, sets_aside=True).keys
    assert (key.key is not None, key.usage) == (verifies, {"t"} if verifies else set())


def test_another_key_of_the_same_name_is_set_aside_and_the_first_counts() -> None:
    one = of_cards(family="aadhaar", kid="aa" * 8)
    (key,) = parse_trust_list(
        trust_list_file(one, one | {"spki": EDDSA.entry()["spki"], "alg": "EdDSA"}), build_key, sets_aside=True
    ).keys
    assert key.alg == "ES256"


def test_a_ninth_key_of_one_id_is_set_aside_and_the_first_eight_count() -> None:
    data = trust_list_file(*[of_cards(family="hcert", kid="aa" * 8, issuer=f"X{n}") for n in range(9)])
    with pytest.raises(TrustListInvalid, match="more than 8"):
        parse_trust_list(data, build_key)
    trust_list = parse_trust_list(data, build_key, sets_aside=True)
    assert [key.issuer for key in trust_list.keys] == [f"X{n}" for n in range(8)]
    assert trust_list.set_aside == ("keys[8].kid: 8 keys have this id before it (hcert of X8)",)


@pytest.mark.parametrize("sets_aside", [True, False])
def test_a_family_that_is_not_known_may_have_as_many_keys_of_an_id_as_it_likes(sets_aside: bool) -> None:
    data = trust_list_file(*[of_cards(family="of-tomorrow")] * 9)
    trust_list = parse_trust_list(data, build_key, sets_aside=sets_aside)
    assert (len(trust_list.keys), trust_list.set_aside) == (9, ())


def test_a_key_of_the_platform_that_stands_there_twice_refuses_the_list() -> None:
    with pytest.raises(TrustListInvalid, match="twice"):
        parse_trust_list(trust_list_file(ES256.entry(), ES256.entry()), build_key, sets_aside=True)


CSCA = Authority()
SIGNER = entry_of(CSCA.certify(ec_key("a signer")))


def narrowed(*entries: dict[str, Any]) -> TrustedKey:
    named = {"issuer": "UTO", "kid": "aa" * 8}
    data = trust_list_file(*(entry | named for entry in entries))
    (key,) = parse_trust_list(data, build_key, read_certificate, sets_aside=True).keys
    return key


def bare(entry: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return an entry with the key of a certificate instead of the certificate."""
    spki = base64.b64encode(read_certificate(base64.b64decode(entry["x5c"][0])).spki).decode()
    return {name: value for name, value in entry.items() if name != "x5c"} | {"spki": spki} | changed


@pytest.mark.parametrize("turn", [1, -1])
def test_an_authority_that_also_stands_there_as_a_signer_is_neither(turn: int) -> None:
    entries = [CSCA.entry(), bare(CSCA.entry())][::turn]
    assert narrowed(*entries[:1]).key is None or narrowed(*entries[:1]).certificate is None
    for third in ([], [CSCA.entry()], [bare(CSCA.entry())]):
        key = narrowed(*entries, *third)
        assert (key.key, key.certificate) == (None, None)


def test_a_signer_that_stands_there_without_its_certificate_keeps_the_limits_of_it() -> None:
    for entries in ([SIGNER, bare(SIGNER)], [bare(SIGNER), SIGNER]):
        key = narrowed(*entries)
        assert key.key is not None
        assert key.certificate is not None


def test_dates_that_do_not_meet_leave_nothing() -> None:
    one = bare(SIGNER, family="aadhaar", not_after="2026-01-01T00:00:00Z")
    two = bare(SIGNER, family="aadhaar", not_before="2027-01-01T00:00:00Z")
    assert narrowed(one, two).key is None


def test_a_ninth_entry_of_a_key_that_is_among_the_eight_narrows_it() -> None:
    entries = [of_cards(family="hcert", kid="aa" * 8, issuer=f"X{n}") for n in range(8)]
    ninth = entries[2] | {"not_after": "2027-01-01T00:00:00Z"}
    trust_list = parse_trust_list(trust_list_file(*entries, ninth), build_key, sets_aside=True)
    assert [key.issuer for key in trust_list.keys if key.not_after_s == 1_798_761_600] == ["X2"]
    assert len(trust_list.keys) == 8
