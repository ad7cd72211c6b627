"""The sentence where the platform is asked: attempt before question, a verdict within the budget, nobody held up."""

import asyncio
import json

import cbor2
import pytest

from agent.adapters.keys.verification import build_key
from agent.core.decision import Answer
from agent.core.online import FAILURES_MAX, PAUSE_S
from agent.core.steps import parse_policy
from agent.core.transaction import Kind, record_of
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.core.verdict import Outcome
from agent.ports import LedgerFull, PlatformRejected, PlatformUnreachable
from agent.tasks.checkpoint import Checkpoint
from agent.tasks.online import READY_EVERY_S, Asker, Online, Settings
from fakes.online_verifier import FakeVerifier
from fakes.world import ListScanner, scan_of

pytestmark = pytest.mark.looptime

POLICY = b"""
format = "scanward-policy-1"
version = 1
[steps.payment]
verified = ["ehc.dynamic", "national.dynamic"]
[steps.registration]
verified = ["national.any"]
provisional = ["national.any"]
[steps.report]
provisional = ["national.dynamic"]
"""
CARD = "AB" * 32
STATIC = f"{CARD}:1"


def token(number: int) -> str:
    return f"{CARD}:0:{number:032X}"


@pytest.fixture
def asking(terminal, vectors):
    """Return how to make a checkpoint that asks this verifier."""
    trust_list = parse_trust_list(json.dumps(vectors("online")["trust_list"]).encode(), build_key)
    terminal.trust_store.current = Trust(trust_list, parse_policy(POLICY), None, None)

    def make(verifier: FakeVerifier, **settings: float) -> Checkpoint:
        verifier.events = terminal.display.events
        online = Online(
            verifier=verifier,
            ledger=terminal.ledger,
            trust_store=terminal.trust_store,
            display=terminal.display,
            clock=terminal.clock,
            randomness=terminal.randomness,
            asker=Asker("kiosk-1", "demo"),
            settings=Settings(**settings),
        )
        checkpoint = terminal.checkpoint()
        return Checkpoint(
            checkpoint.ledger, checkpoint.trust_store, checkpoint.history, checkpoint.display, checkpoint.clock, online
        )

    return make


async def records(terminal) -> list[dict]:
    stored = await terminal.ledger.read(0, records_max=200, bytes_max=10**7)
    return [record_of(record.envelope) for record in stored]


def said(terminal) -> list[tuple[Answer, str]]:
    return [(decision.answer, decision.reason) for decision, _ in terminal.display.shown]


async def test_a_genuine_code_is_accepted_by_the_platforms_word(terminal, asking):
    verifier = FakeVerifier()
    await asking(verifier).check(scan_of(token(1)), "payment")
    ((decision, _),) = terminal.display.shown
    assert (decision.answer, decision.reason) == (Answer.ACCEPT, "ok")
    assert (decision.verdict.proof, decision.verdict.claims.masked_name) == ("online", "张*")
    attempt, decided = await records(terminal)
    assert (attempt[5], decided[5]) == (Kind.ATTEMPT, Kind.DECISION)
    assert attempt[28] == decided[28] == verifier.asked[0].attempt_id
    assert attempt[18] == decided[18]
    assert (decided[13], decided[19]) == (3, 2)
    assert "张".encode() not in b"".join(cbor2.dumps(record) for record in (attempt, decided))


class TellingLedger:
    """A ledger that says in `events` what became durable."""

    def __init__(self, ledger, events):
        self._ledger, self._events = ledger, events

    async def append(self, draft):
        transaction = await self._ledger.append(draft)
        self._events.append(("durable", draft.kind))
        return transaction


async def test_the_attempt_is_durable_before_the_question_and_the_decision_before_it_is_shown(terminal, asking):
    terminal.ledger = TellingLedger(terminal.ledger, terminal.display.events)
    await asking(FakeVerifier()).check(scan_of(token(1)), "payment")
    assert [event[0] for event in terminal.display.events] == ["durable", "asked", "durable", "shown"]
    assert [event[1] for event in terminal.display.events if event[0] == "durable"] == [Kind.ATTEMPT, Kind.DECISION]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("silent", "online.no-answer"),
        (PlatformUnreachable("gone"), "online.no-answer"),
        (PlatformRejected("404", whole=True), "online.no-answer"),
        ("forged", "online.not-believed"),
        ("undecided", "online.issuer-silent"),
    ],
)
async def test_without_an_answer_policy_decides_and_says_why(terminal, asking, trouble, reason):
    checkpoint = asking(FakeVerifier(troubles=[trouble] * 2))
    await checkpoint.check(scan_of(token(1)), "registration")
    await checkpoint.check(scan_of(token(2)), "payment")
    assert said(terminal) == [(Answer.PROVISIONAL, reason), (Answer.REFUSE, reason)]
    decision, _ = terminal.display.shown[0]
    assert (decision.verdict.outcome, decision.verdict.unchecked) == (
        Outcome.UNVERIFIABLE,
        ("revocation", "online"),
    )
    assert all(28 in record for record in await records(terminal))


async def test_a_refused_code_is_refused_with_the_platforms_reason(terminal, asking):
    await asking(FakeVerifier(troubles=["unknown"])).check(scan_of(STATIC), "registration")
    assert said(terminal) == [(Answer.REFUSE, "online.unknown-card")]


async def test_nobody_waits_longer_than_the_budget(terminal, asking):
    checkpoint = asking(FakeVerifier(troubles=["silent"]), budget_s=1.5)
    loop = asyncio.get_running_loop()
    before_s = loop.time()
    await checkpoint.check(scan_of(token(1)), "registration")
    assert loop.time() - before_s == pytest.approx(1.5, abs=0.01)


async def test_while_one_scanner_waits_the_others_go_on(terminal, asking, vectors):
    checkpoint = asking(FakeVerifier(delay_s=1.4))
    waiting = ListScanner("slow", [scan_of(token(1), "slow")])
    other = ListScanner("quick", [scan_of("nothing we know", "quick")] * 3)
    await asyncio.gather(checkpoint.watch(waiting, "payment"), checkpoint.watch(other, "payment"))
    assert [decision.reason for decision, _ in terminal.display.shown] == ["family.unknown"] * 3 + ["ok"]


async def test_one_code_on_two_scanners_at_once_is_one_attempt_and_accepted_once(terminal, asking):
    verifier = FakeVerifier(delay_s=0.5)
    checkpoint = asking(verifier)
    scanners = [ListScanner(name, [scan_of(token(1), name)]) for name in ("left", "right")]
    await asyncio.gather(*(checkpoint.watch(scanner, "payment") for scanner in scanners))
    assert sorted(said(terminal)) == [(Answer.ACCEPT, "ok"), (Answer.REFUSE, "replay.used")]
    assert len({question.attempt_id for question in verifier.asked}) == 1


async def test_a_code_used_here_is_not_asked_about_again(terminal, asking):
    verifier = FakeVerifier()
    checkpoint = asking(verifier)
    await checkpoint.check(scan_of(token(1)), "payment")
    await checkpoint.check(scan_of(token(1)), "payment")
    assert said(terminal) == [(Answer.ACCEPT, "ok"), (Answer.REFUSE, "replay.used")]
    assert len(verifier.asked) == 1
    assert [record[5] for record in await records(terminal)] == [Kind.ATTEMPT, Kind.DECISION, Kind.DECISION]


@pytest.mark.parametrize(("text", "step"), [(STATIC, "payment"), (token(1), "report"), (token(1), "surgery")])
async def test_where_policy_does_not_go_by_it_the_platform_is_not_asked(terminal, asking, text, step):
    verifier = FakeVerifier()
    await asking(verifier).check(scan_of(text), step)
    assert verifier.asked == []
    assert len(terminal.display.shown) == 1


async def test_a_static_code_has_a_new_attempt_each_time(terminal, asking):
    verifier = FakeVerifier()
    checkpoint = asking(verifier)
    for _ in range(2):
        await checkpoint.check(scan_of(STATIC), "registration")
    assert said(terminal) == [(Answer.ACCEPT, "ok")] * 2
    assert len({question.attempt_id for question in verifier.asked}) == 2


async def test_a_code_whose_decision_was_never_stored_is_asked_about_as_the_same_attempt(terminal, asking):
    verifier, used = FakeVerifier(delay_s=0.5), scan_of(token(1))
    with pytest.raises(TimeoutError):  # cut off while it waits, as by a power cut
        async with asyncio.timeout(0.2):
            await asking(verifier).check(used, "payment")
    verifier.used[used.data] = ("kiosk-1", verifier.asked[0].attempt_id)  # the platform had used it up for this attempt
    assert terminal.display.shown == []
    await asking(verifier).check(used, "payment")
    assert said(terminal) == [(Answer.ACCEPT, "ok")]
    assert len({question.attempt_id for question in verifier.asked}) == 1


async def test_a_platform_that_is_gone_is_not_waited_for_scan_after_scan(terminal, asking):
    verifier = FakeVerifier(troubles=["silent"] * FAILURES_MAX)
    checkpoint = asking(verifier)
    loop = asyncio.get_running_loop()
    for number in range(FAILURES_MAX):
        await checkpoint.check(scan_of(token(number)), "registration")
    before_s = loop.time()
    for number in range(10, 20):
        await checkpoint.check(scan_of(token(number)), "registration")
    assert loop.time() - before_s < 0.1, "patients wait in vain"
    assert len(verifier.asked) == FAILURES_MAX
    assert {reason for _, reason in said(terminal)} == {"online.no-answer"}
    kinds = [record[5] for record in await records(terminal)]
    assert kinds.count(Kind.ATTEMPT) == FAILURES_MAX, "nobody was asked, so nothing says so"
    assert [topic for topic, _ in terminal.display.notices] == ["online"], "said aloud once"
    await asyncio.sleep(PAUSE_S)
    await checkpoint.check(scan_of(token(30)), "registration")
    assert said(terminal)[-1] == (Answer.ACCEPT, "ok")
    assert [topic for topic, _ in terminal.display.notices] == ["online", "online"]


class FullLedger:
    """A ledger without space."""

    async def append(self, _draft):
        raise LedgerFull


async def test_a_full_ledger_asks_nobody_and_shows_no_decision(terminal, asking):
    terminal.ledger = FullLedger()
    verifier = FakeVerifier()
    await asking(verifier).check(scan_of(token(1)), "payment")
    assert (verifier.asked, terminal.display.shown) == ([], [])
    assert [topic for topic, _ in terminal.display.notices] == ["ledger-full"]


async def test_an_answer_that_is_not_the_platforms_is_said_aloud(terminal, asking):
    await asking(FakeVerifier(troubles=["forged"])).check(scan_of(token(1)), "registration")
    ((topic, text),) = terminal.display.notices
    assert topic == "online"
    assert "not believed" in text


async def test_nothing_of_the_code_or_the_name_is_logged(terminal, asking, caplog):
    caplog.set_level(0)
    troubles = [None, "silent", "forged", "undecided", "unknown", PlatformUnreachable("gone")]
    checkpoint = asking(FakeVerifier(troubles=troubles))
    for number in range(len(troubles)):
        await checkpoint.check(scan_of(token(number + 0xABCDEF0)), "registration")
    assert CARD[:8] not in caplog.text
    assert "ABCDEF" not in caplog.text
    assert "张" not in caplog.text + str(terminal.display.notices)


async def test_a_connection_is_held_ready_only_while_policy_asks(terminal, asking):
    verifier = FakeVerifier()
    online = asking(verifier).online
    async with asyncio.TaskGroup() as group:
        task = group.create_task(online.keep_ready())
        await asyncio.sleep(2.5 * READY_EVERY_S)
        assert verifier.made_ready == 3
        quiet = b'format = "scanward-policy-1"\nversion = 1\n[steps.payment]\nverified = ["ehc.any"]\n'
        trust = terminal.trust_store.current
        terminal.trust_store.current = Trust(trust.trust_list, parse_policy(quiet), None, None)
        await asyncio.sleep(3 * READY_EVERY_S)
        assert verifier.made_ready == 3
        task.cancel()


@pytest.mark.parametrize("budget_s", [-1.0, 0.05, 11.0, float("nan")])
def test_an_absurd_budget_is_refused(budget_s):
    with pytest.raises(ValueError, match="budget_s"):
        Settings(budget_s=budget_s)
