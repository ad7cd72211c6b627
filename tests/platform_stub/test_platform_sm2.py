"""The platform's own SM2: key files, bounds, and codes minted and judged end to end."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import generate

from agent.cli import main as scanward
from platform_stub import cli, keys
from platform_stub.issuing.issuer import Issuer
from platform_stub.issuing.repository import Layout, Repository
from platform_stub.wire import cose
from platform_stub.wire.health_code import read_code
from platform_stub.wire.sm2 import N, NoSm2Key, Sm2PrivateKey, Sm2PublicKey, sm3

NOW_S = generate.NOW_S


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_its_sm3_is_that_of_another_implementation(data):
    assert sm3(data) == generate.sm3(data)


@given(st.integers(1, N - 2))
@settings(deadline=None, max_examples=20)
def test_a_key_comes_back_from_its_file_as_it_was(d):
    key = Sm2PrivateKey(d)
    assert Sm2PrivateKey.from_pem(key.pem()) == key
    assert key.public_key().spki() == generate.Sm2Key(d).spki


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
@settings(deadline=None, max_examples=100)
def test_a_damaged_key_file_is_no_key(noise, start, end):
    pem = generate_key().pem()
    damaged = pem[:start] + noise + pem[end:]
    try:
        key = Sm2PrivateKey.from_pem(damaged)
    except NoSm2Key:
        return
    assert key == generate_key()


def generate_key():
    return Sm2PrivateKey(generate.ISSUER_SM2.d)


@pytest.mark.parametrize("d", [0, -1, N - 1, N, 2**256])
def test_a_number_out_of_bounds_is_no_private_key(d):
    with pytest.raises(NoSm2Key):
        Sm2PrivateKey(d)


@pytest.mark.parametrize("point", [(0, 0), (1, 1), (-1, 2), (2**256, 1)])
def test_a_point_off_the_curve_is_no_public_key(point):
    with pytest.raises(NoSm2Key):
        Sm2PublicKey(point)


def test_a_private_key_never_shows_in_a_repr():
    assert str(generate.ISSUER_SM2.d) not in repr(generate_key())


def test_a_key_file_that_is_none_is_named(platform_directory):
    path = platform_directory / "keys" / "issuer-sm2.pem"
    path.write_bytes(path.read_bytes().replace(b"A", b"B"))
    with pytest.raises(keys.KeyUnusable, match=re.escape(str(path))):
        Issuer(platform_directory)


def test_the_trust_list_carries_the_key_in_the_form_terminals_read(platform_directory):
    lists = [
        json.loads(path.read_bytes()) for path in (platform_directory / "repository/targets").glob("*.trust-list.json")
    ]
    entries = max(lists, key=lambda trust_list: trust_list["version"])["keys"]
    (entry,) = [entry for entry in entries if entry["alg"] == "SM2"]
    assert (entry["family"], entry["kid"]) == ("ehc", generate.kid(generate.ISSUER_SM2).hex())


def test_a_platform_made_before_there_was_sm2_goes_on_without(platform_directory, capsys):
    (platform_directory / "keys" / "issuer-sm2.pem").unlink()
    Repository(Layout(platform_directory)).publish(NOW_S)
    assert [kid for kid, _ in Issuer(platform_directory).public_keys()] == [
        generate.kid(generate.ISSUER_ES), generate.kid(generate.ISSUER_ED),
    ]  # fmt: skip
    mint = ["mint", "--dir", str(platform_directory), "--type", "static", "--person", "a"]
    assert cli.main(mint) == 0
    assert cli.main([*mint, "--alg", "SM2"]) == 2
    assert "no issuer key for SM2; there are ES256, EdDSA" in capsys.readouterr().err


def test_an_sm2_signature_counts_only_under_its_own_algorithm():
    key = generate_key()
    good = cose.read_signed(cose.sign(key, "scanward-ehc-1", b"payload"))
    assert good.alg == -65601
    assert cose.is_signed_by(key.public_key(), "scanward-ehc-1", good)
    assert not cose.is_signed_by(key.public_key(), "scanward-record-1", good)
    assert not cose.is_signed_by(generate.ISSUER_ES.public_key(), "scanward-ehc-1", good)
    labelled = cose.read_signed(generate.cose_sign1(generate.ISSUER_SM2, "scanward-ehc-1", b"payload", alg=-7))
    assert not cose.is_signed_by(key.public_key(), "scanward-ehc-1", labelled)


@pytest.fixture
def new_platform(tmp_path, capsys):
    """A platform with random keys, as `init` makes it; return its directory and its trust list."""
    directory = tmp_path / "new"
    assert cli.main(["init", str(directory)]) == 0
    capsys.readouterr()
    (trust,) = (directory / "repository/targets").glob("*.trust-list.json")
    return directory, trust


def mint(capsys, directory, *more):
    arguments = ["mint", "--dir", str(directory), "--person", "somebody-invented", "--alg", "SM2", *more]
    assert cli.main(arguments) == 0
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize("type_", ["static", "dynamic"])
def test_explain_accepts_what_mint_signs_with_sm2(new_platform, capsys, type_):
    directory, trust = new_platform
    text = mint(capsys, directory, "--type", type_)
    assert len(text) <= 260
    read_code(text, "4420", Issuer(directory).public_keys())
    assert scanward(["explain", text, "--trust", str(trust)]) == 0
    out = capsys.readouterr().out
    assert "alg -65601 (SM2)" in out
    assert re.search(r"^signature +valid$", out, re.MULTILINE)


def test_verify_judges_sm2_codes_among_others(new_platform, tmp_path, capsys):
    directory, trust = new_platform
    good = mint(capsys, directory, "--type", "static")
    forged = good[:-3] + ("000" if good[-3:] != "000" else "100")
    (tmp_path / "other").mkdir()
    assert cli.main(["init", str(tmp_path / "other" / "p")]) == 0
    stranger = mint(capsys, tmp_path / "other" / "p", "--type", "static").splitlines()[-1]
    source, out = tmp_path / "codes", tmp_path / "verdicts"
    source.write_text("".join(json.dumps({"id": n, "code": c}) + "\n" for n, c in enumerate((good, forged, stranger))))
    arguments = ["--in", str(source), "--out", str(out), "--trust", str(trust), "--workers", "1"]
    assert scanward(["verify", *arguments]) == 0
    reasons = [json.loads(line)["reason"] for line in out.read_text().splitlines()]
    assert reasons == ["ok", "signature.invalid", "key.unknown"]
