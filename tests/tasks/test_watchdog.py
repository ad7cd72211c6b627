import asyncio
import threading
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from agent.ports import LedgerBroken
from agent.tasks.watchdog import ROUND_S_UNWATCHED, ROUNDS, Watchdog
from fakes.world import ListScanner

WATCHDOG_S = 30.0
ROUND_S = WATCHDOG_S / ROUNDS

pytestmark = pytest.mark.looptime(start=1_000)


@dataclass
class ListeningManager:
    """Keeps when it was fed, and the last status."""

    fed_at_s: list[float] = field(default_factory=list)
    told: str = ""
    fed: asyncio.Event = field(default_factory=asyncio.Event)
    starved: asyncio.Event = field(default_factory=asyncio.Event)

    def alive(self) -> None:
        self.fed_at_s.append(asyncio.get_running_loop().time())
        self.fed.set()

    def status(self, text: str) -> None:
        self.told = text
        if text.startswith("not well"):
            self.starved.set()


@dataclass
class SlowLedger:
    """Answers after a while, or with what it was given."""

    after_s: float = 0.0
    trouble: Exception | None = None

    async def answer(self) -> None:
        await asyncio.sleep(self.after_s)
        if self.trouble is not None:
            raise self.trouble


@dataclass
class SpeakingScanner(ListScanner):
    """Says of itself whether it is read."""

    silent: str | None = None

    def why_silent(self) -> str | None:
        return self.silent


async def for_ever() -> None:
    await asyncio.Event().wait()


async def watched(watchdog: Watchdog, span_s: float, **tasks: asyncio.Task[None]) -> None:
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(watchdog.keep(tasks))
        await asyncio.sleep(span_s)
        keeping.cancel()


async def test_beats_come_at_less_than_half_the_watchdog_time() -> None:
    manager = ListeningManager()
    await watched(Watchdog(manager, SlowLedger(), [], WATCHDOG_S), 10 * WATCHDOG_S)
    gaps = [later - earlier for earlier, later in pairwise(manager.fed_at_s)]
    assert len(gaps) >= 40
    assert max(gaps) < WATCHDOG_S / 2


async def test_a_ledger_that_answers_late_but_in_time_is_alive_and_the_beats_still_come_in_time() -> None:
    manager = ListeningManager()
    await watched(Watchdog(manager, SlowLedger(after_s=0.99 * ROUND_S), [], WATCHDOG_S), 10 * WATCHDOG_S)
    gaps = [later - earlier for earlier, later in pairwise(manager.fed_at_s)]
    assert gaps
    assert max(gaps) < WATCHDOG_S / 2


async def test_a_ledger_that_does_not_answer_is_not_fed_for_and_named(caplog: pytest.LogCaptureFixture) -> None:
    manager = ListeningManager()
    await watched(Watchdog(manager, SlowLedger(after_s=1e6), [], WATCHDOG_S), 2 * WATCHDOG_S)
    assert manager.fed_at_s == []
    assert "the watchdog is not fed: the ledger has not answered" in caplog.text
    assert manager.told.startswith("not well: the ledger")


async def test_a_broken_ledger_ends_the_agent_at_once() -> None:
    watchdog = Watchdog(ListeningManager(), SlowLedger(trouble=LedgerBroken("failed")), [], WATCHDOG_S)
    with pytest.raises(LedgerBroken):
        await watchdog.keep({})


async def test_a_scanner_nobody_reads_is_not_fed_for_until_it_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    manager, scanner = ListeningManager(), SpeakingScanner("front", [], "present", silent="nobody looks for the device")
    watchdog = Watchdog(manager, SlowLedger(), [scanner, ListScanner("file", [])], WATCHDOG_S)
    await watched(watchdog, WATCHDOG_S)
    assert manager.fed_at_s == []
    assert "scanner front is not read: nobody looks for the device" in caplog.text
    scanner.silent = None
    await watched(watchdog, WATCHDOG_S)
    assert len(manager.fed_at_s) >= ROUNDS
    assert manager.told == "running; 1 of 2 scanners present"


async def test_a_task_that_ended_is_not_fed_for_unless_it_may_end(caplog: pytest.LogCaptureFixture) -> None:
    manager = ListeningManager()
    async with asyncio.TaskGroup() as group:
        over = group.create_task(asyncio.sleep(0), name="over")
        lives = group.create_task(for_ever())
        await watched(Watchdog(manager, SlowLedger(), [], WATCHDOG_S), WATCHDOG_S, delivery=over, trust=lives)
        assert "ended though they must not: delivery" in caplog.text
        assert "trust" not in caplog.text
        fed = len(manager.fed_at_s)
        may_end = Watchdog(manager, SlowLedger(), [], WATCHDOG_S, may_end={"delivery"})
        await watched(may_end, WATCHDOG_S, delivery=over, trust=lives)
        assert len(manager.fed_at_s) > fed
        lives.cancel()


@pytest.mark.looptime(False)
async def test_a_loop_that_was_late_costs_a_beat_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    manager = ListeningManager()
    async with asyncio.TaskGroup() as group, asyncio.timeout(10):
        keeping = group.create_task(Watchdog(manager, SlowLedger(), [], watchdog_s=0.5).keep({}))
        await manager.fed.wait()
        threading.Event().wait(0.4)  # the loop stands still meanwhile
        await manager.starved.wait()
        manager.fed.clear()
        await manager.fed.wait()
        keeping.cancel()
    assert "the watchdog is not fed: the event loop was 0." in caplog.text


async def test_where_nobody_watches_nothing_is_fed_but_faults_are_said(caplog: pytest.LogCaptureFixture) -> None:
    manager, scanner = ListeningManager(), SpeakingScanner("front", [], silent="the port is open and nobody reads it")
    await watched(Watchdog(manager, SlowLedger(), [scanner]), 3 * ROUND_S_UNWATCHED)
    assert manager.fed_at_s == []
    assert "nobody reads it" in caplog.text
