"""What policy makes of verdicts: the table, the order of what can stand in the way, and one-time use."""

import dataclasses

import msgspec
import pytest

from agent.core.codes.replay import item_replay_id
from agent.core.decision import CLAIMS_MAX, ITEM_CLAIMS_MAX, Answer, History, ReplayClaim, decide, is_worth_asking
from agent.core.steps import parse_policy
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustList
from agent.core.verdict import Claims, CodeType, Outcome, Verdict

NOW = Interval(1_800_000_000_000, 1_800_000_004_000)
POLICY = parse_policy(b"""
format = "scanward-policy-1"
version = 1
[offline]
provisional_unsettled_max = 2
[steps.registration]
verified = ["ehc.static", "ehc.dynamic"]
provisional = ["national.static"]
[steps.payment]
verified = ["ehc.dynamic"]
[steps.dispensing]
verified = ["ehc.static", "ehc.dynamic"]
provisional = ["national.any", "gs1.any"]
confirm = "pharmacist"
[steps.closed]
""")
TRUST = Trust(TrustList(1, 1_799_999_000), POLICY, None, None)


def verified(type_: CodeType, *, replay_id: bytes | None = None, unchecked: tuple[str, ...] = ()) -> Verdict:
    claims = Claims(type=type_, issuer="4420", replay_id=replay_id, expires_at_s=1_800_000_060 if replay_id else None)
    return Verdict("ehc", Outcome.VERIFIED, "ok", claims, unchecked)


STATIC = verified(CodeType.STATIC)
DYNAMIC = verified(CodeType.DYNAMIC, replay_id=b"r" * 16)
NATIONAL = Verdict("national", Outcome.UNVERIFIABLE, "family.no-offline-proof", Claims(type=CodeType.STATIC))
REFUSED = Verdict("ehc", Outcome.REFUSED, "signature.invalid")


@pytest.mark.parametrize(
    ("verdict", "step", "answer", "reason"),
    [
        (STATIC, "registration", Answer.ACCEPT, "ok"),
        (DYNAMIC, "registration", Answer.ACCEPT, "ok"),
        (STATIC, "payment", Answer.REFUSE, "policy.dynamic-required"),
        (DYNAMIC, "payment", Answer.ACCEPT, "ok"),
        (STATIC, "dispensing", Answer.ASK, "confirm.pharmacist"),
        (NATIONAL, "registration", Answer.PROVISIONAL, "family.no-offline-proof"),
        (NATIONAL, "payment", Answer.REFUSE, "policy.not-verifiable"),
        (NATIONAL, "dispensing", Answer.ASK, "family.no-offline-proof"),
        (REFUSED, "registration", Answer.REFUSE, "signature.invalid"),
        (STATIC, "surgery", Answer.REFUSE, "policy.step-unknown"),
        (STATIC, "closed", Answer.REFUSE, "policy.code-not-accepted"),
    ],
)
def test_the_policy_table(verdict, step, answer, reason):
    decision = decide(verdict, step, TRUST, History(), NOW)
    assert (decision.answer, decision.reason) == (answer, reason)


@pytest.mark.parametrize(
    "trust",
    [
        None,
        dataclasses.replace(TRUST, policy=None),
        dataclasses.replace(TRUST, policy=parse_policy(b'format = "scanward-policy-1"\nversion = 1')),
    ],
)
def test_a_missing_or_empty_policy_refuses(trust):
    decision = decide(STATIC, "registration", trust, History(), NOW)
    assert (decision.answer, decision.reason) == (Answer.REFUSE, "policy.none")


def test_a_one_time_code_is_accepted_once():
    history = History()
    first = decide(DYNAMIC, "payment", TRUST, history, NOW)
    second = decide(DYNAMIC, "registration", TRUST, history, NOW)
    assert first.claim == ReplayClaim(b"r" * 16, 1_800_000_075_000)
    assert (second.answer, second.reason, second.claim) == (Answer.REFUSE, "replay.used", None)


def test_a_one_time_code_refused_by_policy_is_not_used_up():
    history = History()
    assert decide(DYNAMIC, "surgery", TRUST, history, NOW).claim is None
    assert decide(DYNAMIC, "payment", TRUST, history, NOW).answer is Answer.ACCEPT


def test_a_decision_that_was_not_stored_gives_its_code_back():
    history = History()
    history.release(decide(DYNAMIC, "payment", TRUST, history, NOW))
    assert decide(DYNAMIC, "payment", TRUST, history, NOW).answer is Answer.ACCEPT


def test_provisional_acceptances_stop_at_the_offline_limit_and_go_on_once_settled():
    history = History()
    for seq in (1, 2):
        decision = decide(NATIONAL, "registration", TRUST, history, NOW)
        assert decision.answer is Answer.PROVISIONAL
        history.stored(decision, seq)
    stopped = decide(NATIONAL, "registration", TRUST, history, NOW)
    assert (stopped.answer, stopped.reason) == (Answer.REFUSE, "policy.offline-limit")
    history.settled(1)
    assert decide(NATIONAL, "registration", TRUST, history, NOW).answer is Answer.PROVISIONAL


def test_a_provisional_acceptance_counts_before_it_is_stored_and_not_after_release():
    history = History()
    first = decide(NATIONAL, "registration", TRUST, history, NOW)
    decide(NATIONAL, "registration", TRUST, history, NOW)
    assert decide(NATIONAL, "registration", TRUST, history, NOW).reason == "policy.offline-limit"
    history.release(first)
    assert decide(NATIONAL, "registration", TRUST, history, NOW).answer is Answer.PROVISIONAL


def test_history_comes_back_from_the_ledger():
    history = History({b"r" * 16: 1_800_000_075_000}, [7, 9])
    assert history.provisional_unsettled == 2
    assert decide(DYNAMIC, "payment", TRUST, history, NOW).reason == "replay.used"


def test_replay_ids_are_forgotten_only_when_the_code_has_expired_beyond_doubt():
    history = History({b"r" * 16: 1_800_000_075_000})
    history.prune(Interval(1_800_000_075_000, None))
    assert history.has(b"r" * 16)
    history.prune(Interval(1_800_000_075_001, None))
    assert not history.has(b"r" * 16)


def test_an_uncertain_clock_makes_an_acceptance_provisional():
    decision = decide(verified(CodeType.STATIC, unchecked=("time",)), "registration", TRUST, History(), NOW)
    assert (decision.answer, decision.reason) == (Answer.PROVISIONAL, "policy.time-uncertain")


@pytest.mark.parametrize(
    ("past_s", "answer", "reason"),
    [
        (-10, Answer.ACCEPT, "ok"),
        (0, Answer.ACCEPT, "ok"),
        (86_400, Answer.ACCEPT, "ok"),
        (86_401, Answer.PROVISIONAL, "policy.trust-list-old"),
        (7 * 86_400, Answer.PROVISIONAL, "policy.trust-list-old"),
        (7 * 86_400 + 1, Answer.REFUSE, "policy.trust-list-too-old"),
    ],
)
def test_the_grace_ladder_of_an_expired_trust_list(past_s, answer, reason):
    trust = dataclasses.replace(TRUST, expires_ms=NOW.earliest_ms - past_s * 1000)
    decision = decide(STATIC, "registration", trust, History(), NOW)
    assert (decision.answer, decision.reason) == (answer, reason)


def test_the_offline_limit_binds_where_a_person_is_asked():
    history = History()
    for seq in (1, 2):
        decision = decide(NATIONAL, "dispensing", TRUST, history, NOW)
        assert (decision.answer, decision.is_provisional) == (Answer.ASK, True)
        history.stored(decision, seq)
    stopped = decide(NATIONAL, "dispensing", TRUST, history, NOW)
    assert (stopped.answer, stopped.reason) == (Answer.REFUSE, "policy.offline-limit")


def test_asking_about_a_proven_code_is_not_provisional():
    assert not decide(STATIC, "dispensing", TRUST, History(), NOW).is_provisional


def test_there_is_a_limit_to_the_one_time_codes_remembered(monkeypatch):
    monkeypatch.setattr("agent.core.decision.CLAIMS_MAX", 2)
    history = History({b"a" * 16: 1, b"b" * 16: 1})
    decision = decide(DYNAMIC, "payment", TRUST, history, NOW)
    assert (decision.answer, decision.reason, decision.claim) == (Answer.REFUSE, "policy.offline-limit", None)


DAY_MS = 86_400_000
UNPROVEN = (Outcome.UNVERIFIABLE, "family.no-offline-proof")


def package(serial: str, expires_at_s: int | None = None, *, is_single: bool = True) -> Verdict:
    return Verdict("gs1", *UNPROVEN, Claims(item=f"(21){serial}", is_single=is_single, expires_at_s=expires_at_s))


@pytest.mark.parametrize(
    ("expires_at_s", "keep_until_ms"),
    [
        (None, NOW.latest_ms + 30 * DAY_MS),
        (1_900_000_000, NOW.latest_ms + 30 * DAY_MS),
        (1_800_100_000, 1_800_100_015_000),
    ],
)
def test_a_package_is_claimed_for_thirty_days_or_until_it_expires(expires_at_s, keep_until_ms):
    decision = decide(package("A", expires_at_s), "dispensing", TRUST, History(), NOW)
    assert decision.claim == ReplayClaim(item_replay_id("dispensing", "(21)A"), keep_until_ms)


def test_a_package_taken_twice_has_its_own_reason_and_one_of_many_is_not_claimed():
    history = History()
    assert decide(package("A"), "dispensing", TRUST, history, NOW).answer is Answer.ASK
    assert decide(package("A"), "dispensing", TRUST, history, NOW).reason == "replay.item"
    for _ in range(2):
        assert decide(package("B", is_single=False), "dispensing", TRUST, history, NOW).claim is None


def test_packages_leave_room_for_the_codes_of_patients():
    history = History({number.to_bytes(16): NOW.latest_ms for number in range(ITEM_CLAIMS_MAX)})
    assert decide(package("A"), "dispensing", TRUST, history, NOW).reason == "policy.offline-limit"
    assert decide(DYNAMIC, "payment", TRUST, history, NOW).answer is Answer.ACCEPT
    assert ITEM_CLAIMS_MAX < CLAIMS_MAX


@pytest.mark.parametrize(
    ("checked", "unchecked", "reason"),
    [
        ('"revocation"', (), "ok"),
        ('"revocation"', ("revocation",), "policy.unchecked"),
        ('"revocation"', ("time", "revocation"), "policy.unchecked"),
        ('"revocation"', ("time",), "policy.time-uncertain"),
        ('"time"', ("time",), "policy.unchecked"),
        ('"time", "revocation"', ("revocation",), "policy.unchecked"),
        ("", ("revocation",), "ok"),
    ],
)
def test_a_step_refuses_a_code_of_which_something_it_needs_was_left_unchecked(checked, unchecked, reason):
    step = f'[steps.payment]\nverified = ["ehc.any"]\nchecked = [{checked}]'
    policy = parse_policy(b'format = "scanward-policy-1"\nversion = 1\n' + step.encode())
    trust = dataclasses.replace(TRUST, policy=policy)
    assert decide(verified(CodeType.STATIC, unchecked=unchecked), "payment", trust, History(), NOW).reason == reason


def test_what_a_step_needs_checked_holds_for_provisional_answers_too():
    policy = POLICY.narrowed({}, {"registration": frozenset({"revocation"})})
    vague = Verdict(NATIONAL.family, NATIONAL.outcome, NATIONAL.reason, NATIONAL.claims, ("revocation",))
    trust = dataclasses.replace(TRUST, policy=policy)
    assert decide(NATIONAL, "registration", trust, History(), NOW).answer is Answer.PROVISIONAL
    assert decide(vague, "registration", trust, History(), NOW).reason == "policy.unchecked"
    assert decide(vague, "dispensing", trust, History(), NOW).reason != "policy.unchecked"


def test_a_site_that_asks_nobody_loosens_nothing_of_what_the_platform_has_to_settle():
    """Without a platform to ask no verdict says that it was not asked."""
    step = b'[steps.registration]\nverified = ["national.any"]\nprovisional = ["national.any", "gs1.any"]\n'
    policy = parse_policy(b'format = "scanward-policy-1"\nversion = 1\n' + step + b'checked = ["online"]')
    trust = dataclasses.replace(TRUST, policy=policy)
    unasked = msgspec.structs.replace(NATIONAL, needs_online=True)
    assert decide(unasked, "registration", trust, History(), NOW).reason == "policy.unchecked"
    assert is_worth_asking(unasked, "registration", trust, History(), NOW)
    genuine = msgspec.structs.replace(unasked, outcome=Outcome.VERIFIED, needs_online=False)
    assert decide(genuine, "registration", trust, History(), NOW).answer is Answer.ACCEPT
    package = Verdict("gs1", Outcome.UNVERIFIABLE, "family.no-offline-proof", Claims(item="01"))
    assert decide(package, "registration", trust, History(), NOW).answer is Answer.PROVISIONAL
