"""The task that keeps the trust list fresh: when it asks, what it tells, what it never does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from agent.adapters.trust_store.store import Settings
from agent.core.steps import Policy
from agent.core.time_interval import Stamp
from agent.core.trust_list import Trust, TrustList
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle
from agent.tasks.trust import ANNOUNCED_GAP_S_MIN, SCHEDULE_JITTER, keep_trust_fresh
from fakes.trust_refresher import FakeRefresher, FakeTrustStore, verified
from fakes.world import EPOCH_MS, FakeClock, RecordingDisplay, SeededRandomness

pytestmark = pytest.mark.looptime
DAY_MS = 86_400_000
UNREACHABLE = TrustTrouble("unreachable", "no connection")


def trust_of(name: str, expires_ms: int | None = None) -> Trust:
    policy = Policy(format="scanward-policy-1", version=1)
    return Trust(TrustList(int(name), EPOCH_MS // 1000), policy, None, expires_ms)


@dataclass
class Scene:
    refresher: FakeRefresher
    store: FakeTrustStore
    display: RecordingDisplay = field(default_factory=RecordingDisplay)
    announced: asyncio.Event = field(default_factory=asyncio.Event)
    settings: Settings = field(default_factory=Settings)
    clock: FakeClock = field(default_factory=FakeClock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(
                keep_trust_fresh(
                    self.refresher,
                    self.store,
                    self.clock,
                    SeededRandomness(),
                    self.settings,
                    self.display.notice,
                    self.announced,
                )
            )
            yield
            task.cancel()

    @property
    def asked_at(self) -> list[float]:
        return [at for at, _, offline in self.refresher.asked if not offline]


def scene(answer: Callable[[bool], VerifiedBundle | TrustTrouble], **store) -> Scene:
    return Scene(FakeRefresher(answer), FakeTrustStore(**({"trust": trust_of} | store)))


async def test_what_was_verified_before_is_in_use_before_anything_is_asked():
    running = scene(lambda _: verified(8), kept="7")
    async with running.running():
        await running.refresher.called.wait()
        assert running.store.current is not None
        assert running.store.current.trust_list.version == 7
        await asyncio.sleep(1)
    assert running.store.current.trust_list.version == 8
    assert [offline for _, _, offline in running.refresher.asked] == [False]


async def test_a_store_that_is_loaded_already_is_not_loaded_again():
    running = scene(lambda _: UNREACHABLE, kept="7")
    running.store.current = in_use = trust_of("9")
    async with running.running():
        await asyncio.sleep(5)
    assert running.store.current is in_use


@pytest.mark.parametrize("kept", [None, "damaged"])
async def test_what_cannot_be_restored_is_verified_offline_before_the_network_is_asked(kept):
    def trust(name: str) -> Trust | TrustTrouble:
        return TrustTrouble("bundle-damaged", "a bit flipped") if name == "damaged" else trust_of(name)

    running = scene(lambda offline: verified(7) if offline else UNREACHABLE, kept=kept, trust=trust)
    async with running.running():
        await asyncio.sleep(2)
    assert [offline for _, _, offline in running.refresher.asked][:2] == [True, False]
    assert running.store.current is not None
    assert running.store.current.trust_list.version == 7


async def test_it_refreshes_on_schedule_a_little_early_and_never_late():
    running = scene(lambda _: verified(1))
    async with running.running():
        await asyncio.sleep(24 * 3600)
    gaps = [b - a for a, b in zip(running.asked_at, running.asked_at[1:], strict=False)]
    interval_s = running.settings.refresh_interval_s + running.refresher.duration_s
    assert len(gaps) >= 24
    assert all(interval_s * (1 - SCHEDULE_JITTER) - 1 <= gap <= interval_s for gap in gaps)
    assert len({round(gap) for gap in gaps}) > 10  # spread


async def test_each_refresh_is_told_the_floor_of_the_one_before_and_the_time():
    versions = iter(range(5, 100))
    running = scene(lambda _: verified(next(versions)), kept="4")
    async with running.running():
        await asyncio.sleep(3 * 3600)
    floors = [floor for _, floor, _ in running.refresher.asked]
    assert floors[:3] == [TrustFloor(0, 0), TrustFloor(5, 1), TrustFloor(6, 1)]


async def test_failures_back_off_with_jitter_to_the_cap_and_keep_what_is_in_use():
    running = scene(lambda _: UNREACHABLE, kept="7")
    async with running.running():
        await asyncio.sleep(48 * 3600)
    gaps = [b - a for a, b in zip(running.asked_at, running.asked_at[1:], strict=False)]
    cap_s = running.settings.retry_delay_s_max + running.refresher.duration_s
    assert gaps[0] <= running.settings.retry_delay_s_first + running.refresher.duration_s
    assert all(1 <= gap <= cap_s for gap in gaps)
    assert max(gaps) > cap_s / 2
    assert len(gaps) < 48 * 3600 / (cap_s / 4)  # it is not hammering
    assert running.store.current is not None
    assert running.store.current.trust_list.version == 7


async def test_trouble_is_told_once_per_change():
    troubles = [UNREACHABLE, UNREACHABLE, TrustTrouble("unsigned", "by nobody"), TrustTrouble("unsigned", "again")]
    answers = iter([*troubles, verified(2), verified(3), UNREACHABLE])
    running = scene(lambda _: next(answers, UNREACHABLE), kept="1")
    async with running.running():
        await asyncio.sleep(12 * 3600)
    told = [text for topic, text in running.display.notices if topic == "trust"]
    assert [text.split(":")[1].strip() if ":" in text else "again" for text in told] == [
        "unreachable",
        "unsigned",
        "again",
        "unreachable",
    ]


async def test_what_the_store_will_not_take_is_told_like_any_other_trouble():
    running = scene(lambda _: verified(2), kept="1", trust=lambda name: trust_of(name) if name == "1" else UNREACHABLE)
    async with running.running():
        await asyncio.sleep(60)
    assert len(running.display.notices) == 1
    assert running.store.current is not None
    assert running.store.current.trust_list.version == 1
    assert running.store.adopted == []


async def test_each_rung_of_the_ladder_is_told_once():
    running = scene(lambda _: UNREACHABLE, kept="1", trust=lambda name: trust_of(name, EPOCH_MS + DAY_MS // 2))
    async with running.running():
        await asyncio.sleep(10 * 86_400)
    rungs = [text for _, text in running.display.notices if "in use is" in text]
    assert rungs == [f"the trust list in use is {rung}" for rung in ("warn", "provisional", "online-only")]


async def test_an_announcement_brings_the_next_refresh_forward_but_spread_out():
    running = scene(lambda _: verified(1))
    async with running.running():
        await asyncio.sleep(600)
        running.announced.set()
        await asyncio.sleep(running.settings.announced_delay_s_max + 1)
        assert len(running.asked_at) == 2
        assert not running.announced.is_set()
        await asyncio.sleep(1000)
    assert 600 <= running.asked_at[1] <= 600 + running.settings.announced_delay_s_max
    assert len(running.asked_at) == 2


async def test_an_announcement_ends_a_back_off():
    answers = iter([UNREACHABLE] * 12)
    running = scene(lambda _: next(answers, verified(2)))
    async with running.running():
        while len(running.asked_at) < 12:
            running.refresher.called.clear()
            await running.refresher.called.wait()
        before = len(running.asked_at)
        await asyncio.sleep(1)
        running.announced.set()
        await asyncio.sleep(ANNOUNCED_GAP_S_MIN + running.settings.announced_delay_s_max)
        assert len(running.asked_at) > before


async def test_a_flood_of_announcements_is_not_followed():
    running = scene(lambda _: verified(1))

    async def flood() -> None:
        while True:
            running.announced.set()
            await asyncio.sleep(0.1)

    async with running.running(), asyncio.TaskGroup() as tasks:
        flooding = tasks.create_task(flood())
        await asyncio.sleep(300)
        flooding.cancel()
    assert 10 < len(running.asked_at) <= 300 / ANNOUNCED_GAP_S_MIN + 1


async def test_time_is_asked_anew_for_each_refresh():
    seen: list[int] = []

    class Watched(FakeClock):
        def now(self) -> Stamp:
            stamp = super().now()
            seen.append(stamp.now.earliest_ms)
            return stamp

    running = scene(lambda _: verified(1))
    running.clock = Watched()
    async with running.running():
        await asyncio.sleep(3 * 3600)
    assert max(seen) - min(seen) > 2 * 2_800_000


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        (None, ["no trust list on this terminal yet, fetching one"]),
        ("7", []),
        (
            "damaged",
            [
                "the trust list on this terminal is verified anew: bundle-damaged: a bit flipped",
                "no trust list on this terminal yet, fetching one",
            ],
        ),
    ],
)
async def test_the_log_says_what_there_is_at_the_start(kept, says, caplog):
    def trust(name: str) -> Trust | TrustTrouble:
        return TrustTrouble("bundle-damaged", "a bit flipped") if name == "damaged" else trust_of(name)

    running = scene(
        lambda offline: TrustTrouble("no-cache", "there is no bundle") if offline else verified(7),
        kept=kept,
        trust=trust,
    )
    with caplog.at_level("INFO", "agent.tasks.trust"):
        async with running.running():
            await asyncio.sleep(2)
    assert [record.getMessage() for record in caplog.records] == says
