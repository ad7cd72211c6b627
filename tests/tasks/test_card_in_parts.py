"""A card in several codes before a checkpoint: told what is missing, decided once, never lost."""

import asyncio
import dataclasses

import pytest

from agent.core.decision import Answer
from agent.core.steps import parse_policy
from agent.core.transaction import record_of
from agent.ports import LedgerFull
from fakes.ehc_issuer import trust_of
from fakes.shc_issuer import ShcIssuer, parts_of
from fakes.world import ListScanner, scan_of

pytestmark = pytest.mark.looptime

ISSUER = ShcIssuer()
ONE, TWO, THREE = parts_of(ISSUER.jws(), 3)
POLICY = b"""
format = "scanward-policy-1"
version = 1
[steps.registration]
verified = ["shc.any", "ehc.any"]
"""


@pytest.fixture
def desk(terminal):
    trust = trust_of(ISSUER.entry())
    terminal.trust_store.current = dataclasses.replace(trust, policy=parse_policy(POLICY), laboratory=False)
    return terminal


def said(desk):
    return [(decision.answer, decision.reason) for decision, _ in desk.display.shown]


async def stored(desk):
    """What the ledger holds: answer and reason of each record."""
    records = [record_of(record.envelope) for record in await desk.ledger.read(0, records_max=9, bytes_max=10**6)]
    return [(fields[11], fields[12]) for fields in records if 11 in fields]


async def test_a_card_is_accepted_once_its_last_code_was_shown_and_nothing_is_recorded_before(desk):
    scanner = ListScanner("desk", [scan_of(text, clock=desk.clock) for text in (THREE, ONE, ONE, TWO)])
    passed = []
    checkpoint = dataclasses.replace(desk.checkpoint(), on_passed=passed.append)
    await checkpoint.watch(scanner, "registration")
    assert [event[0] for event in desk.display.events] == ["notice"] * 3 + ["shown"]
    assert said(desk) == [(Answer.ACCEPT, "ok")]
    assert (scanner.answers, len(passed)) == ([Answer.ASK] * 3 + [Answer.ACCEPT], 1), "who has no screen hears it"
    assert [topic for topic, _ in desk.display.notices] == ["parts"] * 3
    assert "show 1, 2 too" in desk.display.notices[0][1]
    assert "show 2 too" in desk.display.notices[2][1]
    assert await stored(desk) == [(Answer.ACCEPT, "ok")]


async def test_other_codes_between_the_parts_are_decided_and_the_card_goes_on(desk, vectors):
    codes = {case["name"]: case["text"] for case in vectors("ehc1")["cases"]}
    checkpoint = desk.checkpoint()
    for text in (ONE, codes["static, ES256"], TWO, THREE):
        await checkpoint.check(scan_of(text, clock=desk.clock), "registration")
    assert [reason for _, reason in said(desk)] == ["key.unknown-issuer", "ok"]


async def test_a_card_that_is_left_is_refused_and_recorded_when_another_begins(desk):
    checkpoint = desk.checkpoint()
    for text in (ONE, *parts_of(ISSUER.jws(), 2)):
        await checkpoint.check(scan_of(text, clock=desk.clock), "registration")
    assert await stored(desk) == [(Answer.REFUSE, "decode.parts-missing"), (Answer.ACCEPT, "ok")]
    assert said(desk) == [(Answer.ACCEPT, "ok")]


async def test_a_card_that_is_left_is_refused_and_recorded_after_a_while(desk):
    checkpoint = desk.checkpoint()
    await checkpoint.check(scan_of(ONE, clock=desk.clock), "registration")
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(checkpoint.give_up_parts())
        await asyncio.sleep(59)
        assert await stored(desk) == []
        await asyncio.sleep(10)
        assert await stored(desk) == [(Answer.REFUSE, "decode.parts-missing")]
        assert said(desk) == [], "who stands there now may be somebody else"
        looking.cancel()


async def test_parts_of_two_cards_that_look_alike_are_refused_as_one(desk):
    other = parts_of(ShcIssuer(b"another").jws(), 3)
    checkpoint = desk.checkpoint()
    for text in (ONE, other[1], other[2]):
        await checkpoint.check(scan_of(text, clock=desk.clock), "registration")
    ((answer, reason),) = said(desk)
    assert answer is Answer.REFUSE
    assert reason.startswith(("decode.", "signature."))


async def test_a_part_that_is_damaged_is_refused_at_once(desk):
    checkpoint = desk.checkpoint()
    await checkpoint.check(scan_of(ONE[:-1], clock=desk.clock), "registration")
    await checkpoint.check(scan_of("shc:/4/3/56", clock=desk.clock), "registration")
    assert [reason for _, reason in said(desk)] == ["decode.digits", "decode.parts"]


class OneErrand:
    """Errands of a desk that waits for one scan: what was asked and told."""

    def __init__(self):
        self.asked = []

    def step_for(self, scanner, step):
        self.asked.append(scanner)
        return step

    async def decided(self, scanner, decision, transaction):
        self.asked.append(decision.reason)


async def test_a_card_given_up_is_no_requests_business(desk):
    errands = OneErrand()
    checkpoint = dataclasses.replace(desk.checkpoint(), errands=errands)
    for text in (ONE, *parts_of(ISSUER.jws(), 2)):
        await checkpoint.check(scan_of(text, clock=desk.clock), "registration")
    assert errands.asked == ["desk", "ok"]


async def test_a_full_ledger_is_told_when_a_card_is_given_up(desk):
    class FullLedger:
        async def append(self, draft):
            raise LedgerFull

    checkpoint = desk.checkpoint()
    await checkpoint.check(scan_of(ONE, clock=desk.clock), "registration")
    await dataclasses.replace(checkpoint, ledger=FullLedger()).check(
        scan_of(parts_of(ISSUER.jws(), 2)[0], clock=desk.clock), "registration"
    )
    assert [topic for topic, _ in desk.display.notices] == ["parts", "ledger-full", "parts"]


async def test_more_missing_codes_than_anybody_keeps_in_mind_are_counted(desk):
    await desk.checkpoint().check(scan_of(parts_of(ISSUER.jws(), 16)[3], clock=desk.clock), "registration")
    ((_, text),) = desk.display.notices
    assert "show the other 15 too" in text
    assert "其余 15 个" in text
