"""The guide to public trust lists: its commands run as they are written, and every reason is explained."""

import json
import re
import shlex
from pathlib import Path

import pytest

from agent.adapters.keys.verification import build_key, read_certificate
from agent.cli import main
from agent.core.trust_entries import parse_trust_list
from fakes import signers
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
from platform_stub import cli as platform

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "trust.md").read_text()


def commands() -> list[list[str]]:
    """Return the commands of the guide's blocks, in their order."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the guide speaks of."""
    jwk, list_key = jwk_of(ec_key("issuer"), crlVersion=1), ec_key("list")
    other = ec_key("other")
    files = {
        "dsc-de.txt": german_list([gateway_entry(certificate(ec_key("signer")))], list_key),
        "dsc-de-key.pem": signers.pem(spki_of(list_key), "PUBLIC KEY"),
        "did.json": did_document([did_method(other, certificate(other))]),
        "vci_snapshot.json": vci_snapshot({"https://cards.example": ([jwk], [])}),
        "jwks.json": json.dumps({"keys": [jwk]}).encode(),
        "crl.json": json.dumps(crl(jwk, ["abc"])).encode(),
        "uidai.pem": signers.pem(certificate(rsa_key())),
        "csca.pem": signers.pem(certificate(ec_key("authority"), is_authority=True)),
        "batches.json": json.dumps([revocation_batch([bytes(16)])]).encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    assert platform.main(["init", "platform"]) == 0
    return tmp_path


def test_the_commands_of_the_guide_run_one_after_another(fetched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called = commands()
    formats = [call[call.index("--format") + 1] for call in called if "--format" in call]
    assert set(formats) == {"dcc", "did", "vci", "jwks", "pem", "eu-revocation"}
    for program, *arguments in called:
        status = (main if program == "scanward" else platform.main)(arguments)
        assert status == 0, f"{arguments}: {capsys.readouterr().err}"
    trust = parse_trust_list((fetched / "trust-list.json").read_bytes(), build_key, read_certificate)
    assert sorted(key.family for key in trust.keys) == ["aadhaar", "hcert", "hcert", "shc", "shc", "vds-nc"]
    assert len(json.loads((fetched / "platform" / "imported.json").read_text())["keys"]) == 6


def test_every_reason_is_explained() -> None:
    explained = set(re.findall(r"`([a-z-]+)`", GUIDE))
    source = "".join(path.read_text() for path in (ROOT / "agent" / "core" / "public_lists").glob("*.py"))
    given = set(re.findall(r'EntryRefused\(\s*"([a-z-]+)"', source)) | {"curve-unsupported", "key-unsupported"}
    given |= set(re.findall(r'intake\.remark\(\w+, "([a-z-]+)"', source))
    assert len(given) >= 25
    assert given - explained == set()
