"""Asking about a code: the bytes of the question, which answers are believed, and what each makes of the verdict."""

import dataclasses
import json

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.keys.verification import build_key
from agent.core.codes import recognise
from agent.core.decision import Answer, Decision, History, ReplayClaim, decide, is_worth_asking
from agent.core.online import (
    ANSWER_AGE_MS_MAX,
    FAILURES_MAX,
    PAUSE_S,
    Breaker,
    Finding,
    Question,
    Verification,
    VerificationInvalid,
    attempt_id_of,
    draft_attempt,
    read_verification,
    settled,
    sign_question,
    unanswered,
)
from agent.core.revocation import parse_revoked
from agent.core.scan import Scan
from agent.core.steps import parse_policy
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import draft_decision, empty_chain, extend
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust, TrustList
from agent.core.verdict import Outcome
from agent.core.verification import verify
from fakes.ledger_parts import LabelSigner
from fakes.online_verifier import verification_key
from fakes.platform import key_id, sign

NOW_MS = 1_800_000_000_000
NOW = Interval(NOW_MS, NOW_MS + 4_000)
POLICY = parse_policy(b"""
format = "scanward-policy-1"
version = 1
[offline]
provisional_unsettled_max = 1
[steps.payment]
verified = ["ehc.dynamic", "national.dynamic"]
[steps.registration]
verified = ["national.any"]
provisional = ["national.any"]
[steps.report]
provisional = ["national.dynamic"]
""")


@pytest.fixture
def online(vectors):
    return vectors("online")


@pytest.fixture
def trust(online) -> Trust:
    return Trust(
        parse_trust_list(json.dumps(online["trust_list"]).encode(), build_key), POLICY, parse_revoked(b""), None
    )


@pytest.fixture
def attempt_id(online) -> bytes:
    return bytes.fromhex(online["attempt_id"])


def scan_of(text: str) -> Scan:
    return Scan(text.encode(), "cashier", Stamp(bytes(16), 1_000, NOW, "os"))


def verdict_of(text: str, trust: Trust):
    return verify(recognise(scan_of(text)), trust, NOW)


def test_the_attempt_id_and_the_question_are_those_of_the_vectors(online, attempt_id):
    assert attempt_id_of("kiosk-1", bytes.fromhex(online["replay_id"])) == attempt_id
    question = Question(attempt_id, "kiosk-1", "demo", "payment", "national", online["code"].encode(), NOW_MS)
    assert sign_question(question, LabelSigner()).hex() == online["request"]
    assert online["code"][:8] not in repr(question)


def test_the_records_of_attempt_and_decision_are_those_of_the_vectors(online, trust, attempt_id):
    ledger_id, boot_id = (cbor2.loads(cbor2.loads(bytes.fromhex(online["attempt_record"])).value[2])[n] for n in (2, 6))
    scan = dataclasses.replace(scan_of(online["code"]), at=Stamp(boot_id[0], 1_000, NOW, "os"))
    trust = dataclasses.replace(trust, trust_list=TrustList(17, NOW_MS // 1000 - 60))
    verdict = verdict_of(online["code"], trust)
    envelope, chain = extend(
        empty_chain("kiosk-1", ledger_id), draft_attempt(scan, verdict, "payment", attempt_id), None, LabelSigner()
    )
    assert envelope.hex() == online["attempt_record"]
    verdict = settled(verdict, attempt_id, Verification(Finding.GENUINE, "ok", NOW_MS, "张*"))
    decision = Decision(Answer.ACCEPT, "ok", "payment", verdict, ReplayClaim(verdict.claims.replay_id, 1))
    envelope, _ = extend(chain, draft_decision(scan, decision, trust), None, LabelSigner())
    assert envelope.hex() == online["decision_record"]


@pytest.mark.parametrize(
    ("name", "finding", "reason", "masked"),
    [
        ("genuine", Finding.GENUINE, "ok", "张**"),
        ("genuine without a name", Finding.GENUINE, "ok", None),
        ("genuine with a name in clear", Finding.GENUINE, "ok", None),
        ("not genuine", Finding.NOT_GENUINE, "online.used", None),
        ("undecided", Finding.UNDECIDED, "online.issuer-silent", None),
    ],
)
def test_a_signed_answer_is_believed(online, trust, attempt_id, name, finding, reason, masked):
    answer = read_verification(bytes.fromhex(online["answers"][name]), attempt_id, "kiosk-1", trust, NOW)
    assert (answer.finding, answer.reason, answer.masked_name) == (finding, reason, masked)
    assert "张" not in repr(answer)


def test_no_other_answer_is_believed(online, trust, attempt_id):
    cases = online["not_believed"]
    assert len(cases) == 17
    for signed in cases.values():
        with pytest.raises(VerificationInvalid):
            read_verification(bytes.fromhex(signed), attempt_id, "kiosk-1", trust, NOW)


def test_an_answer_that_is_too_long_is_not_read(trust, attempt_id):
    with pytest.raises(VerificationInvalid, match="long"):
        read_verification(bytes(5_000), attempt_id, "kiosk-1", trust, NOW)


def test_a_revoked_or_expired_platform_key_settles_nothing(online, trust, attempt_id):
    import hashlib

    genuine = bytes.fromhex(online["answers"]["genuine"])
    prefix = hashlib.sha256(b"kidplatform\0" + key_id(verification_key())).digest()[:8]
    revoked = dataclasses.replace(trust, revoked=parse_revoked(prefix))
    with pytest.raises(VerificationInvalid, match="does not name"):
        read_verification(genuine, attempt_id, "kiosk-1", revoked, NOW)
    years_later = Interval(NOW_MS + 10 * 366 * 86_400_000, None)
    with pytest.raises(VerificationInvalid, match="does not name"):
        read_verification(genuine, attempt_id, "kiosk-1", trust, years_later)


@given(at=st.integers(0, 599), change=st.integers(1, 255))
def test_an_answer_changed_anywhere_is_not_believed(vectors, at, change):
    online = vectors("online")
    trust_list = parse_trust_list(json.dumps(online["trust_list"]).encode(), build_key)
    trust = Trust(trust_list, POLICY, None, None)
    changed = bytearray.fromhex(online["answers"]["genuine"])
    changed[at % len(changed)] ^= change
    with pytest.raises(VerificationInvalid):
        read_verification(bytes(changed), bytes.fromhex(online["attempt_id"]), "kiosk-1", trust, NOW)


@pytest.mark.parametrize(("off_ms", "is_believed"), [(-1, True), (1, False)])
@pytest.mark.parametrize("direction", [1, -1])
def test_an_answer_is_believed_for_five_minutes(online, trust, attempt_id, off_ms, is_believed, direction):
    at_ms = NOW_MS + direction * (ANSWER_AGE_MS_MAX + off_ms)
    signed = bytes.fromhex(online["answers"]["genuine"])
    now = Interval(at_ms, at_ms)
    if is_believed:
        assert read_verification(signed, attempt_id, "kiosk-1", trust, now).finding is Finding.GENUINE
    else:
        with pytest.raises(VerificationInvalid, match="about now"):
            read_verification(signed, attempt_id, "kiosk-1", trust, now)


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [
        ("张*", True), ("欧阳*", True), ("***", True), ("A*B", True), ("李四", False), ("张三丰*", False),
        ("李", False), ("*" * 32, True), ("*" * 33, False), ("张" + "*" * 29, True), ("张" + "*" * 30, False),
        ("", False), ("*\u202e*", False), ("*\n", False), (7, False), (b"*", False), (None, False), (["*"], False),
    ],
)  # fmt: skip
def test_only_a_masked_name_is_shown(trust, attempt_id, name, is_shown):
    fields = {1: attempt_id, 2: "kiosk-1", 3: 0, 4: "ok", 5: NOW_MS, 6: name}
    signed = sign(verification_key(), "scanward-verification-1", fields)
    answer = read_verification(signed, attempt_id, "kiosk-1", trust, NOW)
    assert answer.masked_name == (name if is_shown else None)


def test_genuine_is_verified_by_the_platforms_word_and_accepted(online, trust, attempt_id):
    before = verdict_of(online["code"], trust)
    after = settled(before, attempt_id, Verification(Finding.GENUINE, "ok", NOW_MS, "张*"))
    assert (after.outcome, after.reason, after.proof) == (Outcome.VERIFIED, "ok", "online")
    assert "张" not in repr(after)
    assert after.claims.card == before.claims.card
    decision = decide(after, "payment", trust, History(), NOW)
    assert (decision.answer, decision.reason) == (Answer.ACCEPT, "ok")
    draft = draft_decision(scan_of(online["code"]), decision, trust)
    assert (draft.body[13], draft.body[19], draft.body[28]) == (3, 2, attempt_id)
    assert "张" not in repr(draft) + str(draft.sealed_fields)


def test_what_the_platform_calls_genuine_proves_no_issuer(online, trust, attempt_id):
    code = online["code"] + ":5101"
    verdict = settled(verdict_of(code, trust), attempt_id, Verification(Finding.GENUINE, "ok", NOW_MS))
    draft = draft_decision(scan_of(code), decide(verdict, "payment", trust, History(), NOW), trust)
    assert 17 not in draft.body


@pytest.mark.parametrize(("said", "reason"), [("online.used", "online.used"), ("gone", "online.not-genuine")])
def test_not_genuine_is_refused_and_carries_nothing_of_the_code(online, trust, attempt_id, said, reason):
    verdict = settled(
        verdict_of(online["code"] + ":5101", trust), attempt_id, Verification(Finding.NOT_GENUINE, said, NOW_MS)
    )
    assert (verdict.outcome, verdict.reason, verdict.proof) == (Outcome.REFUSED, reason, None)
    claims = verdict.claims
    assert (claims.card, claims.token, claims.text, claims.replay_id) == (None, None, None, None)
    decision = decide(verdict, "registration", trust, History(), NOW)
    assert (decision.answer, decision.reason, decision.claim) == (Answer.REFUSE, reason, None)
    assert draft_decision(scan_of(online["code"]), decision, trust).body[28] == attempt_id


@pytest.mark.parametrize(("said", "reason"), [("online.issuer-silent",) * 2, ("busy", "online.undecided")])
def test_undecided_stays_unverifiable_and_policy_decides(online, trust, attempt_id, said, reason):
    verdict = settled(verdict_of(online["code"], trust), attempt_id, Verification(Finding.UNDECIDED, said, NOW_MS))
    assert (verdict.outcome, verdict.reason, verdict.unchecked) == (Outcome.UNVERIFIABLE, reason, ("online",))
    provisional = decide(verdict, "registration", trust, History(), NOW)
    assert (provisional.answer, provisional.reason) == (Answer.PROVISIONAL, reason)
    refused = decide(verdict, "payment", trust, History(), NOW)
    assert (refused.answer, refused.reason, refused.claim) == (Answer.REFUSE, reason, None)


def test_where_nobody_was_asked_no_attempt_is_named(online, trust):
    verdict = unanswered(verdict_of(online["code"], trust), "online.no-answer")
    decision = decide(verdict, "registration", trust, History(), NOW)
    body = draft_decision(scan_of(online["code"]), decision, trust).body
    assert (body[13], body[14], body[21]) == (1, "online.no-answer", ["online"])
    assert 28 not in body


@pytest.mark.parametrize(
    ("step", "is_asked"),
    [("payment", True), ("registration", True), ("report", False), ("surgery", False)],
)
def test_only_a_step_that_lists_the_kind_as_verified_asks(online, trust, step, is_asked):
    assert is_worth_asking(verdict_of(online["code"], trust), step, trust, History(), NOW) is is_asked


def test_a_static_code_is_asked_about_where_policy_wants_it(online, trust):
    static = verdict_of(online["code"][:64] + ":1", trust)
    assert is_worth_asking(static, "registration", trust, History(), NOW)
    assert not is_worth_asking(static, "payment", trust, History(), NOW)


def test_nobody_asks_about_a_code_that_is_refused_anyway(online, trust):
    verdict = verdict_of(online["code"], trust)
    used = History({verdict.claims.replay_id: NOW_MS + 1})
    assert not is_worth_asking(verdict, "payment", trust, used, NOW)
    assert decide(verdict, "payment", trust, used, NOW).reason == "replay.used"
    assert not is_worth_asking(verdict, "payment", None, History(), NOW)
    old = dataclasses.replace(trust, expires_ms=NOW_MS - 8 * 86_400_000)
    assert not is_worth_asking(verdict, "payment", old, History(), NOW), "too old a list vouches for no platform key"
    stale = dataclasses.replace(trust, expires_ms=NOW_MS - 2 * 86_400_000)
    assert is_worth_asking(verdict, "payment", stale, History(), NOW)
    assert not is_worth_asking(verdict, "payment", stale, History({}, [1]), NOW), "the offline limit is reached"
    revoked = dataclasses.replace(trust, policy=None)
    assert not is_worth_asking(verdict, "payment", revoked, History(), NOW)


def test_a_trust_list_past_its_time_makes_the_platforms_word_provisional(online, trust, attempt_id):
    verdict = settled(verdict_of(online["code"], trust), attempt_id, Verification(Finding.GENUINE, "ok", NOW_MS))
    stale = dataclasses.replace(trust, expires_ms=NOW_MS - 2 * 86_400_000)
    decision = decide(verdict, "payment", stale, History(), NOW)
    assert (decision.answer, decision.reason) == (Answer.PROVISIONAL, "policy.trust-list-old")


def test_a_token_used_while_the_clock_was_behind_is_kept_from_the_time_somebody_signed(online, trust):
    verdict = verdict_of(online["code"], trust)
    in_1970 = Interval(0, 4_000)
    month_ms = 30 * 86_400_000
    issued_ms = trust.trust_list.issued_at_s * 1000
    claim = decide(verdict, "registration", trust, History(), in_1970).claim
    assert claim.keep_until_ms == issued_ms + month_ms
    claim = decide(verdict, "registration", trust, History(), in_1970, signed_ms=NOW_MS).claim
    assert claim.keep_until_ms == NOW_MS + month_ms
    claim = decide(verdict, "registration", trust, History(), NOW).claim
    assert claim.keep_until_ms == NOW.latest_ms + month_ms


def test_three_failures_in_a_row_begin_a_pause_and_one_question_tries_whether_it_is_over():
    breaker = Breaker()
    assert [breaker.failed(0.0) for _ in range(FAILURES_MAX)] == [False, False, True]
    assert not breaker.may_ask(PAUSE_S - 0.1)
    assert breaker.may_ask(PAUSE_S)
    assert not breaker.may_ask(PAUSE_S), "one tries, the others wait for it"
    assert not breaker.failed(PAUSE_S + 1.5), "it was said already"
    assert not breaker.may_ask(PAUSE_S + 2)
    assert breaker.may_ask(2 * PAUSE_S + 1.5)
    assert breaker.succeeded()
    assert breaker.may_ask(0.0)
    assert not breaker.succeeded()


def test_failures_that_are_not_in_a_row_begin_no_pause():
    breaker = Breaker()
    for _ in range(FAILURES_MAX):
        assert not breaker.failed(0.0)
        assert not breaker.failed(0.0)
        assert not breaker.succeeded()
    assert breaker.may_ask(0.0)
