"""The sentence: read, decide, store, show, in this order and no other."""

import asyncio
import dataclasses

import pytest

from agent.core.codes.hospital_card import read_patterns
from agent.core.decision import Answer
from agent.core.scan import ScanFault
from agent.ports import LedgerBroken, LedgerFull
from fakes.ledger_parts import WatchedDisk, draft, open_ledger
from fakes.neighbours import numbered
from fakes.world import ListScanner, RecordingDisplay, scan_of


@pytest.fixture
def codes(vectors):
    return {case["name"]: case["text"] for case in vectors("ehc1")["cases"]}


async def test_decision_is_stored_before_it_is_shown(tmp_path, terminal, codes):
    from agent.adapters.ledger.owner import ThreadedLedger

    disk = WatchedDisk()
    events = disk.events  # every fsync, in order, and between them what was shown
    display = RecordingDisplay(events=events)
    async with ThreadedLedger(open_ledger(tmp_path / "watched.sqlite", uplinks=("http",), vfs=disk.name)) as ledger:
        terminal.ledger, terminal.display = ledger, display
        events.clear()
        for name in ("static, ES256", "dynamic, ES256", "expired", "lower case"):
            await terminal.checkpoint().check(scan_of(codes[name]), "registration")
            synced = [i for i, event in enumerate(events) if not isinstance(event, tuple)]
            assert synced, "nothing was synced to disk"
            assert isinstance(events[-1], tuple), "something was synced after the showing"
            assert max(synced) < len(events) - 1
            events.clear()
    assert len(display.shown) == 4


async def test_every_shown_decision_is_in_the_ledger_with_its_hash(terminal, codes):
    scanner = ListScanner("desk", [scan_of(text) for text in codes.values()])
    await terminal.checkpoint().watch(scanner, "registration")
    assert len(terminal.display.shown) == len(codes)
    stored = {r.seq: r.hash for r in await terminal.ledger.read(0, records_max=200, bytes_max=10**7)}
    assert [stored[t.seq] for _, t in terminal.display.shown] == [t.hash for _, t in terminal.display.shown]


async def test_one_code_on_two_scanners_at_the_same_instant_is_accepted_once(terminal, codes):
    checkpoint, text = terminal.checkpoint(), codes["dynamic, ES256"]
    await asyncio.gather(
        *(checkpoint.watch(ListScanner(f"s{n}", [scan_of(text, f"s{n}")]), "payment") for n in range(8))
    )
    answers = sorted(d.answer for d, _ in terminal.display.shown)
    assert answers == [Answer.ACCEPT] + [Answer.REFUSE] * 7
    assert {d.reason for d, _ in terminal.display.shown} == {"ok", "replay.used"}


async def test_what_was_used_before_a_restart_stays_used(terminal, codes):
    await terminal.checkpoint().check(scan_of(codes["dynamic, ES256"]), "payment")
    terminal.history = await terminal.ledger.history(terminal.clock.now().now)
    await terminal.checkpoint().check(scan_of(codes["dynamic, ES256"]), "payment")
    assert terminal.display.shown[-1][0].reason == "replay.used"


async def test_a_code_the_ledger_knows_and_memory_does_not_is_refused(terminal, codes, vectors):
    replay_id = bytes.fromhex(vectors("ehc1")["replay_id_of_dynamic"])
    await terminal.ledger.append(draft(1, replay_id=replay_id))
    await terminal.checkpoint().check(scan_of(codes["dynamic, ES256"]), "payment")
    ((decision, _),) = terminal.display.shown
    assert (decision.answer, decision.reason) == (Answer.REFUSE, "replay.used")


@pytest.mark.parametrize("fault", list(ScanFault))
async def test_a_scan_that_was_not_read_whole_is_recorded_and_refused(terminal, codes, fault):
    import dataclasses

    scan = dataclasses.replace(scan_of(codes["static, ES256"]), fault=fault)
    await terminal.checkpoint().check(scan, "registration")
    ((decision, transaction),) = terminal.display.shown
    assert (decision.answer, decision.reason) == (Answer.REFUSE, f"scan.{fault}")
    assert transaction.seq == 1


async def test_without_a_trust_list_everything_is_refused_and_recorded(terminal, codes):
    terminal.trust_store.current = None
    await terminal.checkpoint().check(scan_of(codes["static, ES256"]), "registration")
    ((decision, _),) = terminal.display.shown
    assert (decision.answer, decision.reason) == (Answer.REFUSE, "key.no-trust-list")


class FailingLedger:
    """A ledger that fails in one way, then works."""

    def __init__(self, ledger, error):
        self._ledger, self._errors = ledger, [error]

    async def append(self, one):
        if self._errors:
            raise self._errors.pop()
        return await self._ledger.append(one)


async def test_a_full_ledger_shows_no_decision_and_gives_the_code_back(terminal, codes):
    terminal.ledger = FailingLedger(terminal.ledger, LedgerFull())
    checkpoint = terminal.checkpoint()
    await checkpoint.check(scan_of(codes["dynamic, ES256"]), "payment")
    assert terminal.display.shown == []
    assert [topic for topic, _ in terminal.display.notices] == ["ledger-full"]
    await checkpoint.check(scan_of(codes["dynamic, ES256"]), "payment")
    assert terminal.display.shown[0][0].answer is Answer.ACCEPT


async def test_a_broken_ledger_shows_nothing_keeps_the_claim_and_ends_the_task(terminal, codes):
    terminal.ledger = FailingLedger(terminal.ledger, LedgerBroken())
    checkpoint = terminal.checkpoint()
    with pytest.raises(LedgerBroken):
        await checkpoint.check(scan_of(codes["dynamic, ES256"]), "payment")
    assert terminal.display.events == []
    await checkpoint.check(scan_of(codes["dynamic, ES256"]), "payment")
    assert terminal.display.shown[0][0].reason == "replay.used", "whether it was stored is unknown, so it stays used"


async def test_how_long_a_scan_took_is_told_after_it_was_shown(terminal, codes):
    import dataclasses

    told = []
    checkpoint = dataclasses.replace(
        terminal.checkpoint(), on_passed=lambda took_ms: told.append((took_ms, len(terminal.display.shown)))
    )
    scan = scan_of(codes["static, ES256"], clock=terminal.clock)
    await checkpoint.watch(ListScanner("desk", [scan]), "registration")
    assert [shown for _, shown in told] == [1]
    assert 0 <= told[0][0] < 10_000


async def test_the_site_s_cards_are_known_and_a_pattern_takes_no_payment_code(terminal):
    checkpoint = dataclasses.replace(terminal.checkpoint(), cards=read_patterns([r"[0-9A-Z]{8,30}"]))
    for text in ("JZ123456", numbered("wechat-pay"), numbered("insurance")):
        await checkpoint.check(scan_of(text), "registration")
    assert [d.verdict.family for d, _ in terminal.display.shown] == ["hospital-card", "wechat-pay", "insurance"]
    assert {d.answer for d, _ in terminal.display.shown} == {Answer.REFUSE}
