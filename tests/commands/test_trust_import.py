"""`scanward trust import` as whoever keeps a trust list calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.adapters.keys.verification import build_key, read_certificate
from agent.cli import main
from agent.core.revocation import parse_revoked
from agent.core.time_interval import Stamp
from agent.core.trust_entries import parse_trust_list
from fakes import signers
from fakes.ehc_issuer import NOW
from fakes.public_lists import (
    crl,
    did_document,
    did_method,
    gateway_entry,
    german_list,
    revocation_batch,
    vci_snapshot,
)
from fakes.signers import certificate, ec_key, jwk_of, rsa_key, spki_of

LIST_KEY, KEY = ec_key("whoever signs the list"), ec_key("signer")
DER = certificate(KEY)
JWK = jwk_of(ec_key("issuer"), crlVersion=1)


class Clock:
    """The test's own: by the machine's the certificates will have ended."""

    def now(self):
        return Stamp(bytes(16), 0, NOW, "os")


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the command in a folder of its own; return (status, output, errors)."""
    monkeypatch.setattr("agent.commands.importing.SystemClock", Clock)

    def call(*arguments, **files):
        for name, data in files.items():
            (tmp_path / name).write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        places = [str(tmp_path / a[1:]) if a.startswith("@") else a for a in arguments]
        status = main(["trust", "import", *places])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def read(path):
    return parse_trust_list(path.read_bytes(), build_key, read_certificate)


def test_one_list_after_another_becomes_one_trust_list(run, tmp_path):
    out = ("--out", "@list.json")
    into = ("--into", "@list.json", *out)
    assert run("--from", "@a", "--format", "dcc", *out, a=[gateway_entry(DER)])[0] == 0
    other = certificate(ec_key("other"))
    assert run("--from", "@b", "--format", "did", *into, b=did_document([did_method(ec_key("other"), other)]))[0] == 0
    assert run("--from", "@c", "--format", "vci", *into, c=vci_snapshot({"https://a.example": ([JWK], [])}))[0] == 0
    issuer = ("--issuer", "https://b.example", "--crl", "@crl")
    assert run("--from", "@d", "--format", "jwks", *issuer, *into, d={"keys": [JWK]}, crl=crl(JWK, ["abc"]))[0] == 0
    assert (
        run("--from", "@e", "--format", "pem", "--family", "aadhaar", *into, e=signers.pem(certificate(rsa_key())))[0]
        == 0
    )
    trust = read(tmp_path / "list.json")
    assert [(key.family, key.issuer) for key in trust.keys] == [
        ("hcert", "XA"), ("hcert", "XXA"), ("shc", "https://a.example"), ("shc", "https://b.example"),
        ("aadhaar", "UIDAI"),
    ]  # fmt: skip
    assert trust.version == 5


def test_a_list_is_on_the_disk_and_so_is_its_name(run, tmp_path, monkeypatch):
    """Whoever is told that it was written may cut the power: first the bytes, then the folder that has the name."""
    synced, sync = [], os.fsync

    def told(descriptor):
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((place.is_dir(), (tmp_path / "list").exists()))
        sync(descriptor)

    monkeypatch.setattr("os.fsync", told)
    assert run("--from", "@a", "--format", "dcc", "--out", "@list", a=[gateway_entry(DER)])[0] == 0
    assert synced == [(False, False), (True, True)]


def test_what_is_refused_is_told_by_place_and_reason(run, tmp_path):
    entries = [gateway_entry(DER), gateway_entry(DER) | {"kid": None}]
    status, out, _ = run("--from", "@a", "--format", "dcc", "--out", "@list", "--report", "@report", a=entries)
    assert status == 0
    assert "1 taken (1 hcert), 1 refused" in out
    assert "refused [1] XA: no-kid" in out
    assert "signature was not checked" in out
    report = json.loads((tmp_path / "report").read_text())
    assert (report["accepted"], report["reasons"], report["list_signature"]) == (1, {"no-kid": 1}, "not checked")
    assert report["refused"][0] | {"detail": ""} == {"place": "[1]", "reason": "no-kid", "detail": "", "issuer": "XA"}


def test_a_report_that_cannot_be_written_does_not_hide_that_the_list_was(run, tmp_path):
    into = ("--out", "@list", "--report", "@nowhere/report")
    status, out, error = run("--from", "@a", "--format", "dcc", *into, a=[gateway_entry(DER)])
    assert status == 1
    assert "1 taken (1 hcert)" in out
    assert "nowhere/report: No such file or directory: the report was not written, all else was" in error
    assert len(read(tmp_path / "list").keys) == 1


def test_the_report_is_printed_for_programs(run):
    status, out, _ = run("--from", "@a", "--format", "dcc", "--out", "@list", "--json", a=[gateway_entry(DER)])
    assert status == 0
    assert json.loads(out)["families"] == {"hcert": 1}


def test_where_nothing_is_taken_nothing_is_written(run, tmp_path):
    (tmp_path / "list").write_text("as it was")
    status, out, err = run("--from", "@a", "--format", "dcc", "--out", "@list", a=[gateway_entry(DER) | {"kid": None}])
    assert status == 1
    assert "no-kid" in out
    assert "was not written" in err
    assert (tmp_path / "list").read_text() == "as it was"


def test_a_list_too_large_for_terminals_is_not_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr("agent.commands.importing.TRUST_LIST_BYTES_MAX", 400)
    status, _, err = run("--from", "@a", "--format", "dcc", "--out", "@list", a=[gateway_entry(DER)])
    assert status == 1
    assert "terminals read at most 400" in err
    assert not (tmp_path / "list").exists()


def test_the_list_s_own_signature_is_checked_where_a_key_for_it_is_given(run, tmp_path):
    data = german_list([gateway_entry(DER)], LIST_KEY)
    good, bad = signers.pem(certificate(LIST_KEY)), signers.pem(spki_of(KEY), "PUBLIC KEY")
    call = ("--from", "@a", "--format", "dcc", "--out", "@list", "--signed-by", "@key")
    status, out, _ = run(*call, a=data, key=good)
    assert status == 0
    assert "not checked" not in out
    (tmp_path / "list").unlink()
    for files in ({"a": data, "key": bad}, {"a": [gateway_entry(DER)], "key": good}, {"a": data, "key": b"none"}):
        status, _, err = run(*call, **files)
        assert status == 1
        assert "nothing was written" in err
        assert not (tmp_path / "list").exists()


def test_revocation_batches_become_entries_of_revoked_bin(run, tmp_path):
    call = ("--from", "@a", "--format", "eu-revocation", "--out-revoked", "@revoked")
    assert run(*call, a=revocation_batch([bytes(16)]))[0] == 0
    status, out, _ = run(*call, "--into-revoked", "@revoked", a=revocation_batch([bytes(15) + b"\x01"]))
    assert status == 0
    assert "1 revoked" in out
    assert len(parse_revoked((tmp_path / "revoked").read_bytes())) == 2
    status, _, err = run(*call, "--into-revoked", "@bad", a=revocation_batch([bytes(16)]), bad=b"7 bytes")
    assert status == 1
    assert "multiple of 8" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "dcc"],
        ["--format", "dcc", "--out", "x", "--out-revoked", "y"],
        ["--format", "eu-revocation", "--out", "x"],
        ["--format", "dcc", "--out", "x", "--crl", "y"],
        ["--format", "dcc", "--out", "x", "--family", "hcert"],
        ["--format", "did", "--out", "x", "--signed-by", "y"],
    ],
)
def test_options_that_do_not_fit_together_are_a_usage_error(run, arguments):
    status, _, err = run("--from", "@a", *arguments, a=[gateway_entry(DER)])
    assert status == 2
    assert "give " in err or "belongs to" in err


@pytest.mark.parametrize("data", [None, b"", b"x" * 100])
def test_a_file_that_is_no_list_is_named(run, data):
    files = {} if data is None else {"a": data}
    status, _, err = run("--from", "@a", "--format", "dcc", "--out", "@list", **files)
    assert status == 1
    assert "/a: " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "wrong", "right"),
    [
        (did_document([did_method(KEY, DER)]), "vci", "did"),
        (vci_snapshot({"https://cards.example": ([JWK], [])}), "did", "vci"),
        ({"keys": [JWK]}, "vci", "jwks"),
        ({"certificates": [gateway_entry(DER)]}, "did", "dcc"),
        (signers.pem(DER), "dcc", "pem"),
    ],
)
def test_a_file_of_another_format_is_told_by_its_own(run, data, wrong, right):
    status, _, err = run("--from", "@a", "--format", wrong, "--out", "@list", a=data)
    assert status == 1
    assert f"it looks like --format {right}; nothing was written" in err


def test_a_list_to_import_into_is_named_where_it_is_none(run):
    status, _, err = run(
        "--from", "@a", "--format", "dcc", "--into", "@b", "--out", "@list", a=[gateway_entry(DER)], b=b"{"
    )
    assert status == 1
    assert "/b: not a trust list" in err


def test_the_refresher_loads_nothing_of_it():
    code = (
        "import sys; from agent.cli import main\n"
        "try: main(['trust', 'refresh', '--help'])\n"
        "except SystemExit: pass\n"
        "found = [m for m in sys.modules if 'public_lists' in m or m.endswith('importing') or 'asn1crypto' in m]\n"
        "print(found, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"
