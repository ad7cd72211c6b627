"""The national code as text: what it is read as, and what is refused."""

import hashlib

import pytest

from agent.core.codes import recognise
from agent.core.verdict import CodeType, Outcome, Verdict
from agent.core.verification import verify
from fakes.ehc_issuer import CARD, NOW, EhcIssuer, revoked_cards, scan_of, trust_of

HEX = CARD.hex()
TOKEN = bytes(range(16))


def verdict_of(text: str, **trusted: object) -> Verdict:
    trust = trust_of(EhcIssuer().entry(), **trusted)
    return verify(recognise(scan_of(text)), trust, NOW)


@pytest.mark.parametrize(
    ("text", "type_", "issuer", "token"),
    [
        (HEX, CodeType.STATIC, None, None),
        (HEX.upper(), CodeType.STATIC, None, None),
        (f"{HEX}:1", CodeType.STATIC, None, None),
        (f"{HEX}:1::5101", CodeType.STATIC, "5101", None),
        (f"{HEX}:0:{TOKEN.hex()}", CodeType.DYNAMIC, None, TOKEN),
        (f"{HEX}:0:{TOKEN.hex().upper()}", CodeType.DYNAMIC, None, TOKEN),
        (f"{HEX}:0:{TOKEN.hex()}:5101", CodeType.DYNAMIC, "5101", TOKEN),
        (f"{HEX}:1::{'x' * 32}", CodeType.STATIC, "x" * 32, None),
    ],
)
def test_the_shapes_in_use_are_unverifiable_never_verified(
    text: str, type_: CodeType, issuer: str | None, token: bytes | None
) -> None:
    verdict = verdict_of(text, revoked=revoked_cards())
    assert (verdict.outcome, verdict.reason) == (Outcome.UNVERIFIABLE, "family.no-offline-proof")
    assert verdict.needs_online
    assert verdict.unchecked == ()
    claims = verdict.claims
    assert (claims.card, claims.type, claims.issuer, claims.token) == (CARD, type_, issuer, token)
    assert (claims.replay_id is None) is (type_ is CodeType.STATIC)


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (":", "decode.type"),
        (":2", "decode.type"),
        (":00:" + TOKEN.hex(), "decode.type"),
        ("::", "decode.type"),
        (":٠", "decode.type"),
        (":0", "decode.token"),
        (":0:", "decode.token"),
        (":0::5101", "decode.token"),
        (":0:" + TOKEN.hex()[:-1], "decode.token"),
        (":0:" + TOKEN.hex() + "0", "decode.token"),
        (":0:" + "g" * 32, "decode.token"),
        (":0:" + TOKEN.hex() + "\n", "decode.token"),
        (":1:", "decode.token"),
        (":1:" + TOKEN.hex(), "decode.token"),
        (":1:x:5101", "decode.token"),
        (":1::", "decode.issuer"),
        (":1::" + "x" * 33, "decode.issuer"),
        (":1::a b", "decode.issuer"),
        (":1::卫健委", "decode.issuer"),
        (":1::5101:", "decode.issuer"),
        (":0:" + TOKEN.hex() + ":", "decode.issuer"),
        (":1::5101\r", "decode.issuer"),
    ],
)
def test_look_alikes_are_refused_and_claim_nothing(tail: str, reason: str) -> None:
    verdict = verdict_of(HEX + tail)
    assert (verdict.family, verdict.outcome, verdict.reason) == ("national", Outcome.REFUSED, reason)
    assert (verdict.claims.card, verdict.claims.replay_id) == (None, None)


def test_the_replay_id_is_made_from_card_and_token_whatever_their_case() -> None:
    expected = hashlib.sha256(b"scanward-replay-1\x20" + CARD + TOKEN).digest()[:16]
    for text in (f"{HEX}:0:{TOKEN.hex()}", f"{HEX.upper()}:0:{TOKEN.hex().upper()}", f"{HEX}:0:{TOKEN.hex()}:5101"):
        assert verdict_of(text).claims.replay_id == expected


def test_a_revoked_card_is_refused_in_this_form_too() -> None:
    verdict = verdict_of(f"{HEX}:1", revoked=revoked_cards(CARD))
    assert (verdict.outcome, verdict.reason, verdict.claims.card) == (Outcome.REFUSED, "revoked.card", None)


def test_without_a_trust_list_it_is_still_told_apart_but_revocation_is_not_vouched_for() -> None:
    verdict = verify(recognise(scan_of(HEX)), None, NOW)
    assert (verdict.outcome, verdict.unchecked) == (Outcome.UNVERIFIABLE, ("revocation",))
