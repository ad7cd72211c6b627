"""The desk over a real ledger and virtual time: life cycle, lapses, restarts, full storage, calls whose caller left."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from agent.core.decision import Answer
from agent.core.requests import Event, Refusal, RequestRefused, Role, State
from agent.core.transaction import record_of
from agent.ports import LedgerFull
from agent.tasks.requests import CHANGES_WAITING_MAX, FINISHED_MAX, WAITING_MAX, RequestDesk, Settings
from fakes.policies import POLICY
from fakes.world import ListScanner, scan_of

pytestmark = pytest.mark.looptime


@dataclass
class Desk:
    """A terminal with a desk; `codes` by name."""

    terminal: object
    codes: dict[str, str]
    desk: RequestDesk = None
    changes: list = field(default_factory=list)

    def build(self) -> RequestDesk:
        self.desk = RequestDesk(
            ledger=self.terminal.ledger, trust_store=self.terminal.trust_store, scanners=["desk", "till"],
            display=self.terminal.display, on_change=self.changes.append, clock=self.terminal.clock,
            randomness=self.terminal.randomness, settings=Settings(open_s=60.0, ask_s=600.0),
        )  # fmt: skip
        return self.desk

    @asynccontextmanager
    async def running(self):
        """A run of the agent, from its start to the moment it is killed."""
        await self.build().restore()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.desk.run())
            yield self.desk
            task.cancel()

    async def scan(self, name: str, step: str = "registration", scanner: str = "desk"):
        checkpoint = replace(self.terminal.checkpoint(), errands=self.desk)
        await checkpoint.watch(ListScanner(scanner, [scan_of(self.codes[name], scanner)]), step)
        return self.terminal.display.shown[-1]

    async def events(self) -> list[Event]:
        records = [record_of(r.envelope) for r in await self.terminal.ledger.read(0, records_max=500, bytes_max=10**7)]
        return [Event(record[25]) for record in records if record[5] == 1]


@pytest.fixture
def desk(terminal, vectors):
    terminal.trust_store.current = replace(terminal.trust_store.current, policy=POLICY)
    return Desk(terminal, {case["name"]: case["text"] for case in vectors("ehc1")["cases"]})


STATIC, DYNAMIC = "static, ES256", "dynamic, ES256"


async def test_the_next_scan_is_for_the_step_that_was_asked_for_and_the_one_after_is_not(desk):
    async with desk.running() as requests:
        opened = await requests.open(Role.PROGRAM, "payment", "desk", {"amount": "12.00"})
        assert (await desk.scan(STATIC, scanner="till"))[0].step == "registration", "another scanner"
        decision, transaction = await desk.scan(DYNAMIC)
        assert (decision.step, decision.answer) == ("payment", Answer.ACCEPT)
        done = requests.get(opened.id)
        assert (done.state, done.decision_seq, dict(done.details)) == (
            State.DONE, transaction.seq, {"amount": "12.00"},
        )  # fmt: skip
        assert (await desk.scan(STATIC))[0].step == "registration"
    assert await desk.events() == [Event.OPENED, Event.SCANNED]


async def test_a_refused_scan_leaves_the_request_open_for_another_code(desk):
    async with desk.running() as requests:
        opened = await requests.open(Role.KIOSK, "payment", None, {})
        assert (await desk.scan(STATIC))[0].reason == "policy.dynamic-required"
        assert requests.get(opened.id).state is State.OPEN
        assert (await desk.scan(DYNAMIC))[0].step == "payment"
        assert requests.get(opened.id).state is State.DONE


async def test_two_scanners_at_once_do_not_both_get_a_request_for_any(desk):
    async with desk.running() as requests:
        await requests.open(Role.PROGRAM, "payment", None, {})
        await asyncio.gather(desk.scan(DYNAMIC, scanner="desk"), desk.scan(STATIC, scanner="till"))
    steps = sorted(decision.step for decision, _ in desk.terminal.display.shown)
    assert steps == ["payment", "registration"]


async def test_an_open_request_lapses_by_record_and_its_scan_is_then_for_the_usual_step(desk):
    async with desk.running() as requests:
        opened = await requests.open(Role.PROGRAM, "payment", None, {})
        await asyncio.sleep(59)
        assert requests.left_s(opened) == 1
        await asyncio.sleep(2)
        assert requests.get(opened.id).state is State.LAPSED
        assert (await desk.scan(STATIC))[0].step == "registration"
        with pytest.raises(RequestRefused) as refused:
            await requests.change(Role.STAFF, opened.id, Event.CONFIRMED)
        assert refused.value.why is Refusal.REQUEST_OVER
    assert await desk.events() == [Event.OPENED, Event.LAPSED]


async def test_a_decision_that_asks_opens_a_request_by_itself_and_is_confirmed_once(desk):
    async with desk.running() as requests:
        decision, transaction = await desk.scan(STATIC, "dispensing")
        assert decision.answer is Answer.ASK
        (asking,) = requests.waiting()
        assert (asking.state, asking.asks, asking.decision_seq) == (State.ASKING, "pharmacist", transaction.seq)
        await requests.change(Role.STAFF, asking.id, Event.ITEMS_ADDED, ["81234567890123456789"])
        with pytest.raises(RequestRefused, match="not-a-package"):
            await requests.change(Role.STAFF, asking.id, Event.ITEMS_ADDED, ["134567890123456789"])
        first = await requests.change(Role.STAFF, asking.id, Event.CONFIRMED)
        again = await requests.change(Role.STAFF, asking.id, Event.CONFIRMED)
        assert first == again
        assert first.items == ("81234567890123456789",)
    assert await desk.events() == [Event.OPENED, Event.ITEMS_ADDED, Event.CONFIRMED]
    shown = [name for name, _ in desk.terminal.display.events]
    assert shown == ["shown"]


async def test_the_request_is_recorded_before_its_decision_is_shown(desk):
    async with desk.running():
        seen = []
        desk.changes = seen
        desk.desk._on_change = lambda request: seen.append(len(desk.terminal.display.shown))
        await desk.scan(STATIC, "dispensing")
        assert seen == [0]


async def test_nobody_confirms_what_nobody_went_on_with(desk):
    async with desk.running() as requests:
        await desk.scan(STATIC, "dispensing")
        (asking,) = requests.waiting()
        await asyncio.sleep(601)
        assert requests.waiting() == []
        with pytest.raises(RequestRefused):
            await requests.change(Role.STAFF, asking.id, Event.CONFIRMED)
    assert await desk.events() == [Event.OPENED, Event.LAPSED]


async def test_after_a_kill_what_asked_still_asks_for_the_rest_of_its_time_and_what_was_open_has_lapsed(desk):
    async with desk.running() as requests:
        await desk.scan(STATIC, "dispensing")
        (asking,) = requests.waiting()
        await asyncio.sleep(400)
        opened = await requests.open(Role.PROGRAM, "payment", None, {})
    async with desk.running() as requests:
        assert requests.get(opened.id).state is State.LAPSED
        assert [one.id for one in requests.waiting()] == [asking.id]
        assert requests.get(asking.id).asks == "pharmacist"
        assert 195 <= requests.left_s(requests.get(asking.id)) <= 200
        confirmed = await requests.change(Role.STAFF, asking.id, Event.CONFIRMED)
    async with desk.running() as requests:
        assert (await requests.change(Role.STAFF, asking.id, Event.CONFIRMED)).state is confirmed.state
    assert await desk.events() == [Event.OPENED, Event.OPENED, Event.LAPSED, Event.CONFIRMED]


async def test_after_a_long_stop_what_asked_has_lapsed(desk):
    async with desk.running():
        await desk.scan(STATIC, "dispensing")
    await asyncio.sleep(601)
    async with desk.running() as requests:
        assert requests.waiting() == []
    assert await desk.events() == [Event.OPENED, Event.LAPSED]


async def test_a_kill_between_the_decision_and_its_request_leaves_a_request_behind(desk):
    checkpoint = desk.terminal.checkpoint()  # whose errands do nothing: the record of the request was not written
    await checkpoint.check(scan_of(desk.codes[STATIC]), "dispensing")
    async with desk.running() as requests:
        (asking,) = requests.waiting()
        assert (asking.state, asking.decision_seq, asking.asks) == (
            State.ASKING,
            desk.terminal.display.shown[-1][1].seq,
            "pharmacist",
        )
    async with desk.running() as requests:
        assert [one.id for one in requests.waiting()] == [asking.id], "opened once"


async def test_who_may_open_what(desk):
    async with desk.running() as requests:
        for by, step, scanner, why in (
            (Role.KIOSK, "dispensing", None, Refusal.STAFF_NEEDED),
            (Role.PROGRAM, "surgery", None, Refusal.STEP_UNKNOWN),
            (Role.PROGRAM, "payment", "cellar", Refusal.SCANNER_UNKNOWN),
        ):
            with pytest.raises(RequestRefused) as refused:
                await requests.open(by, step, scanner, {})
            assert refused.value.why is why
        await requests.open(Role.KIOSK, "record-query", "desk", {})
        for scanner in ("desk", None):
            with pytest.raises(RequestRefused) as refused:
                await requests.open(Role.PROGRAM, "payment", scanner, {})
            assert refused.value.why is Refusal.REQUEST_OPEN
        await requests.open(Role.PROGRAM, "payment", "till", {})
        desk.terminal.trust_store.current = None
        with pytest.raises(RequestRefused) as refused:
            await requests.open(Role.PROGRAM, "payment", None, {})
        assert refused.value.why is Refusal.NO_POLICY


async def test_a_change_goes_on_although_its_caller_has_left(desk):
    async with desk.running() as requests:
        await desk.scan(STATIC, "dispensing")
        (asking,) = requests.waiting()
        async with asyncio.TaskGroup() as group:
            call = group.create_task(requests.change(Role.STAFF, asking.id, Event.CONFIRMED))
            await asyncio.sleep(0)
            call.cancel()
        await asyncio.sleep(1)
        assert requests.get(asking.id).state is State.CONFIRMED


class FullLedger:
    """A ledger without space for requests."""

    def __init__(self, ledger):
        self._ledger = ledger
        self.is_full = True

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    async def append(self, one):
        if one.kind == 1 and self.is_full:
            raise LedgerFull("no space")
        return await self._ledger.append(one)


async def test_with_full_storage_nothing_is_confirmed_and_the_decision_is_shown_all_the_same(desk):
    async with desk.running() as requests:
        await desk.scan(STATIC, "dispensing")
        (asking,) = requests.waiting()
        full = requests._ledger = FullLedger(requests._ledger)
        with pytest.raises(LedgerFull):
            await requests.change(Role.STAFF, asking.id, Event.CONFIRMED)
        assert requests.get(asking.id).state is State.ASKING
        with pytest.raises(LedgerFull):
            await requests.open(Role.PROGRAM, "payment", None, {})
        shown = len(desk.terminal.display.shown)
        await desk.scan("static, EdDSA", "dispensing")
        assert len(desk.terminal.display.shown) == shown + 1
        assert "ledger-full" in [topic for topic, _ in desk.terminal.display.notices]
        await asyncio.sleep(601)
        assert requests.get(asking.id).state is State.LAPSED
        full.is_full = False
    async with desk.running() as requests:
        assert requests.waiting() == []


async def test_what_waits_and_what_is_kept_is_bounded(desk):
    async with desk.running() as requests:
        for _ in range(WAITING_MAX + 3):
            await desk.scan(STATIC, "dispensing")
        assert len(requests.waiting()) == WAITING_MAX
        for _ in range(FINISHED_MAX + 3):
            opened = await requests.open(Role.PROGRAM, "payment", None, {})
            await requests.change(Role.PROGRAM, opened.id, Event.CANCELLED)
        assert len(requests._requests) <= WAITING_MAX + FINISHED_MAX


async def test_with_too_many_calls_at_once_the_last_are_told_so(desk):
    async with desk.running() as requests:
        calls = [requests.change(Role.STAFF, b"x", Event.CONFIRMED) for _ in range(CHANGES_WAITING_MAX + 5)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    whys = [answer.why for answer in answers]
    assert whys.count(Refusal.BUSY) == 5
    assert whys.count(Refusal.REQUEST_UNKNOWN) == CHANGES_WAITING_MAX


async def test_a_request_does_not_lapse_while_its_scan_is_being_judged(desk):
    async with desk.running() as requests:
        opened = await requests.open(Role.PROGRAM, "payment", None, {})
        await asyncio.sleep(59)
        assert requests.step_for("desk", "registration") == "payment"
        await asyncio.sleep(5)
        assert requests.get(opened.id).state is State.OPEN
        await asyncio.sleep(6)
        assert requests.get(opened.id).state is State.LAPSED, "the scan came to nothing"
