"""Other people's cards: the examples of the framework, what its validator's makers broke, Wycheproof's JWS."""

import json
import os
from pathlib import Path

import pytest

from agent.adapters.keys.verification import build_key
from agent.core.codes import recognise, shc
from agent.core.formats import jws
from agent.core.formats.jwk import thumbprint
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Verdict
from agent.core.verification import verify
from conformance.material import from_base64url, spki_entry, spki_of_jwk
from fakes.ehc_issuer import scan_of, trust_of

SUITES = os.environ.get("SCANWARD_VECTORS")
pytestmark = pytest.mark.skipif(SUITES is None, reason="SCANWARD_VECTORS names no folder with the public suites")
CARDS = Path(SUITES or ".") / "shc"
EXAMPLES, BROKEN = CARDS / "spec-examples", CARDS / "devtools"
ISSUER = "https://spec.smarthealth.cards/examples/issuer"
NOW = Interval(1_700_000_000_000, 1_700_000_000_000)


def trust(issuer: str, folder: Path) -> Trust:
    """An issuer's published keys and lists, as a trust list carries them."""
    keys, lists = [], []
    for jwk in json.loads((folder / ".well-known/jwks.json").read_text())["keys"]:
        kid = from_base64url(jwk["kid"])
        version = {"crl_version": jwk["crlVersion"]} if "crlVersion" in jwk else {}
        keys.append(spki_entry("shc", issuer, kid, jwk["alg"], spki_of_jwk(jwk)) | version)
        if (published := folder / f".well-known/crl/{jwk['kid']}.json").exists():
            lists.append(json.loads(published.read_text()) | {"family": "shc", "issuer": issuer, "kid": kid.hex()})
    return trust_of(*keys, revocations=lists)


def judge(path: Path, trusted: Trust) -> Verdict:
    return verify(recognise(scan_of(path.read_bytes())), trusted, NOW)


@pytest.fixture(scope="module")
def examples() -> Trust:
    return trust(ISSUER, EXAMPLES / "issuer")


@pytest.mark.parametrize("number", ["00", "01", "02", "03"])
@pytest.mark.parametrize("form", ["d-jws.txt", "e-file.smart-health-card", "f-qr-code-numeric-value-*.txt"])
def test_the_frameworks_examples_verify_but_for_the_revoked_one(examples: Trust, number: str, form: str) -> None:
    paths = sorted(EXAMPLES.glob(f"example-{number}-{form}"))
    if len(paths) > 1:
        assert {judge(path, examples).reason for path in paths} == {"decode.parts-missing"}
        verdict = verify(shc.join([path.read_text() for path in paths]), examples, NOW)
    else:
        verdict = judge(paths[0], examples)
    assert verdict.reason == ("revoked.card" if number == "03" else "ok")


REASONS = {
    "00-d-jws-der-signature": "signature.invalid",
    "00-d-jws-invalid-signature": "signature.invalid",
    "00-d-jws-issuer-kid-mismatch": "key.unknown",
    "00-d-jws-no_jws_header_alg": "decode.header",
    "00-d-jws-no_jws_header_kid": "decode.header",
    "00-d-jws-trailing_chars": "family.unknown",  # white space before the JWS and behind it: nothing is trimmed
    "00-e-file-invalid_issuer_url_http": "decode.claims",
    "00-e-file-no_deflate": "decode.header",
    "00-f-qr-code-numeric-value-0-odd-count": "decode.digits",
    "00-f-qr-code-numeric-value-0-wrong_qr_header": "decode.parts",
}


def test_every_file_that_the_validators_makers_broke_is_refused_for_its_own_reason(examples: Trust) -> None:
    found = {path.stem.removeprefix("test-example-"): judge(path, examples) for path in BROKEN.glob("test-example-*")}
    assert {name: verdict.outcome.value for name, verdict in found.items()} == dict.fromkeys(found, "refused")
    assert {name: found[name].reason for name in REASONS} == REASONS


@pytest.mark.parametrize(
    "name", ["duplicate-rid", "invalid-method", "non-base64url-rid", "too-long-rid", "version-mismatch"]
)
def test_a_card_of_a_key_whose_list_is_broken_is_refused(name: str) -> None:
    issuer = f"https://raw.githubusercontent.com/smart-on-fhir/health-cards-dev-tools/main/testdata/badcrl/{name}"
    folder = BROKEN / "badcrl" / name
    assert judge(folder / f"jws-crl-{name}.txt", trust(issuer, folder)).reason == "revoked.list-invalid"


def test_the_keys_of_the_other_issuer_are_named_as_they_must_be_and_still_sign_nothing_here() -> None:
    """The file called "not smart" is no malformed key set: it is another issuer's."""
    (jwk,) = json.loads((BROKEN / "issuer.jwks.public.not.smart.json").read_text())["keys"]
    spki, kid = spki_of_jwk(jwk), from_base64url(jwk["kid"])
    assert thumbprint(spki) == kid
    mismatched = BROKEN / "test-example-00-d-jws-issuer-kid-mismatch.txt"
    other = spki_entry("shc", "https://other.example", kid, "ES256", spki)
    assert judge(mismatched, trust_of(other)).reason == "key.unknown-issuer"


UNUSUAL = {372, 373}
"""Wycheproof calls them valid: a "?" within the base64url, passed over. RFC 7515 §2 has no such thing."""


def test_wycheproofs_jws_are_read_and_checked_as_it_says() -> None:
    suite = json.loads((CARDS.parent / "wycheproof/json_web_signature_test.json").read_text())
    wrong, checked, unread = list[int](), 0, set[int]()
    for group in suite["testGroups"]:
        jwk = group.get("public") or group["private"]
        is_ours = jwk.get("crv") == "P-256" and jwk.get("alg", "ES256") == "ES256"
        may_verify = jwk.get("use", "sig") == "sig" and jwk.get("key_ops", ["verify"]) == ["verify"]
        for case in group["tests"]:
            text = case["jws"] if isinstance(case["jws"], str) else json.dumps(case["jws"])
            try:
                found = jws.decode(text.encode("utf-8"))
            except jws.JwsInvalid:
                found = None
                if case["result"] == "valid":
                    unread.add(case["tcId"])
            if is_ours:
                key = build_key("ES256", spki_of_jwk(jwk))
                is_valid = found is not None and found.header.alg == "ES256" and may_verify
                is_valid = is_valid and found is not None and key.verify(found.signature, found.signed)
                checked += 1
                wrong += [case["tcId"]] if is_valid != (case["result"] == "valid") else []
            # None of them is a health card: they have no zip, and most another algorithm.
            assert verify(recognise(scan_of(text)), trust_of(), NOW).reason in {
                "decode.header", "decode.jws", "family.unknown"
            }  # fmt: skip
    assert (wrong, unread) == ([], UNUSUAL)
    assert checked >= 41
