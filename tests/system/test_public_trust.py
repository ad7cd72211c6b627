"""A public trust list all the way onto a terminal: imported, published, refreshed, shown, and a card judged by it."""

import base64
import json
import signal
import subprocess
import sys
import time

import pytest

from agent.adapters.clock import SystemRandomness
from agent.composition.ledger import Paths, open_ledger
from agent.config import load
from fakes import platform_process
from fakes.public_lists import crl, revocation_batch, vci_snapshot
from fakes.shc_issuer import ShcIssuer, claims, code_of, credential
from fakes.signers import jwk_of

ISSUER = "https://cards.example/an-issuer-with-a-name-as-long-as-real-ones-have"
BY_ISSUER = ShcIssuer(b"an issuer of cards", ISSUER)
BY_FORGER = ShcIssuer(b"a forger", ISSUER)
JWK = jwk_of(BY_ISSUER.key, crlVersion=1)
TIMEOUT_S = 60


def call(*arguments, status=0):
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=False)  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def card(rid, *, signed=BY_ISSUER):
    """Return a card of nobody under the issuer's key id, as its QR code has it."""
    made_s = int(time.clock_gettime(time.CLOCK_REALTIME)) - 60
    said = claims(iss=ISSUER, nbf=made_s, vc=credential(rid=rid))
    return code_of(signed.jws(said, header=BY_ISSUER.header()))


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    """A terminal whose trust list came all the way: from the public list to the verified bundle."""
    folder = tmp_path_factory.mktemp("public-trust")
    (folder / "vci.json").write_bytes(vci_snapshot({ISSUER: ([JWK], [crl(JWK, ["revoked"])])}))
    (folder / "batch.json").write_text(json.dumps(revocation_batch([bytes(16)])))
    import_ = ("agent", "trust", "import", "--from")
    call(*import_, folder / "vci.json", "--format", "vci", "--out", folder / "list.json")
    call(*import_, folder / "batch.json", "--format", "eu-revocation", "--out-revoked", folder / "revoked.bin")
    call("platform_stub", "init", folder / "platform")
    process, address = platform_process.start(folder / "platform")
    try:
        taken = call("platform_stub", "import", folder / "platform", "--from", folder / "list.json",
                     "--revoked", folder / "revoked.bin")  # fmt: skip
        assert "1 keys of shc (before: 0)" in taken
        now_ms = int(time.clock_gettime(time.CLOCK_REALTIME) * 1000)
        report = call("agent", "trust", "refresh", "--state", folder / "state" / "trust",
                      "--url", address.rstrip("/") + "/v1/trust", "--root", folder / "platform" / "root.json",
                      "--now", f"{now_ms - 2000},{now_ms + 2000}", "--floor", "0")  # fmt: skip
        assert json.loads(report)["ok"] is True
    finally:
        platform_process.finish(process, signal.SIGTERM)
    (folder / "agent.toml").write_text(
        f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n[state]\ndirectory = "{folder / "state"}"\n'
    )
    open_ledger(load(folder / "agent.toml"), Paths(folder / "state"), SystemRandomness()).close()
    return folder


def test_the_terminal_shows_the_imported_keys_beside_the_platform_s_own(terminal):
    shown = json.loads(call("agent", "trust", "show", "--config", terminal / "agent.toml", "--json"))
    assert shown["families"] == {"ehc": 3, "platform": 4, "shc": 1}
    assert shown["revoked"] == 1
    (key,) = [key for key in shown["keys"] if key["family"] == "shc"]
    assert (key["issuer"], key["kid"]) == (ISSUER, base64.urlsafe_b64decode(JWK["kid"] + "=").hex())
    told = call("agent", "trust", "show", "--config", terminal / "agent.toml")
    assert "1 shc" in told
    assert ISSUER in told


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (card("good"), "verified", "ok"),
        (card("good", signed=BY_FORGER), "refused", "signature.invalid"),
        (card("revoked"), "refused", "revoked.card"),
    ],
    ids=["good", "forged", "revoked"],
)
def test_a_card_is_judged_by_the_imported_list(terminal, code, outcome, reason):
    command = [sys.executable, "-m", "agent", "explain", code, "--json", "--config", str(terminal / "agent.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    told = json.loads(done.stdout)
    assert (told["verdict"], told["reason"]) == (outcome, reason), done.stdout
