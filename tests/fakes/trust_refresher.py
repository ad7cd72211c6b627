"""A refresher and a store that do as they are told, on the loop's clock, and keep what they were asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle


def verified(timestamp_version: int) -> VerifiedBundle:
    """Return a bundle that differs from others in its versions."""
    return VerifiedBundle(str(timestamp_version), f"{timestamp_version:064x}", timestamp_version, 1, 0)


@dataclass
class FakeRefresher:
    """answer: what it says, by whether it is asked offline. asked: (seconds, floor, offline) of each call."""

    answer: Callable[[bool], VerifiedBundle | TrustTrouble]
    duration_s: float = 0.5
    asked: list[tuple[float, TrustFloor, bool]] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def refresh(
        self, now: Interval, floor: TrustFloor, *, offline: bool = False
    ) -> VerifiedBundle | TrustTrouble:
        self.asked.append((asyncio.get_running_loop().time(), floor, offline))
        self.called.set()
        await asyncio.sleep(self.duration_s)
        return self.answer(offline)


@dataclass
class FakeTrustStore:
    """trust: what a bundle, by its name, holds. kept: the name of the bundle the agent had verified before."""

    trust: Callable[[str], Trust | TrustTrouble]
    kept: str | None = None
    current: Trust | None = None
    known_floor: TrustFloor = field(default_factory=TrustFloor)
    adopted: list[VerifiedBundle] = field(default_factory=list)

    async def restore(self) -> TrustTrouble | None:
        if self.kept is None:
            return TrustTrouble("never-verified", "nothing yet")
        return self._use(self.kept)

    async def floor(self) -> TrustFloor:
        return self.known_floor

    async def adopt(self, bundle: VerifiedBundle) -> TrustTrouble | None:
        trouble = self._use(bundle.name)
        if trouble is None:
            self.adopted.append(bundle)
            self.known_floor = TrustFloor(bundle.timestamp_version, bundle.root_version)
        return trouble

    def _use(self, name: str) -> TrustTrouble | None:
        trust = self.trust(name)
        if isinstance(trust, TrustTrouble):
            return trust
        self.current = trust
        return None


@dataclass
class DictValues:
    """Named values in memory; `sets` keeps the order in which they became durable."""

    values: dict[str, bytes] = field(default_factory=dict)
    sets: list[str] = field(default_factory=list)

    async def get(self, name: str) -> bytes | None:
        return self.values.get(name)

    async def set(self, name: str, value: bytes) -> None:
        await asyncio.sleep(0)
        self.values[name] = value
        self.sets.append(name)
