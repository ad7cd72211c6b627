"""A terminal's tasks over a real ledger file, a fake platform and virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.adapters.keys.verification import build_key
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import InlineLedger
from agent.core.decision import History
from agent.core.steps import parse_policy
from agent.core.time_interval import SignedTime
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.tasks.checkpoint import Checkpoint
from agent.tasks.delivery import Delivery, Identity, Settings
from agent.tasks.succession import Succession
from fakes.ledger_parts import LabelSigner, draft, open_ledger
from fakes.platform import FakePlatform
from fakes.world import FakeClock, FixedTrust, RecordingDisplay, SeededRandomness

POLICY = parse_policy(b"""
format = "scanward-policy-1"
version = 1
[steps.registration]
verified = ["ehc.any"]
provisional = ["national.static"]
[steps.payment]
verified = ["ehc.dynamic"]
""")


@pytest.fixture
def trust(vectors) -> Trust:
    data = json.dumps(vectors("ehc1")["trust_list"]).encode()
    return Trust(parse_trust_list(data, build_key), POLICY, None, None)


@dataclass
class Terminal:
    """Everything of one terminal, by its ports."""

    ledger: InlineLedger
    file: LedgerFile
    history: History
    display: RecordingDisplay
    clock: FakeClock
    trust_store: FixedTrust
    signed_time: SignedTime = field(default_factory=SignedTime)
    randomness: SeededRandomness = field(default_factory=SeededRandomness)
    settings: Settings = field(default_factory=lambda: Settings(retry_delay_s_max=8.0))

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(
            ledger=self.ledger,
            trust_store=self.trust_store,
            history=self.history,
            display=self.display,
            clock=self.clock,
        )

    def delivery(self, platform: FakePlatform) -> Delivery:
        return Delivery(
            ledger=self.ledger,
            uplink=platform,
            trust_store=self.trust_store,
            identity=Identity("kiosk-1", "demo", "scanward/test"),
            history=self.history,
            display=self.display,
            clock=self.clock,
            randomness=self.randomness,
            signed_time=self.signed_time,
            settings=self.settings,
        )

    def succession(self, platform: FakePlatform) -> Succession:
        return Succession(
            ledger=self.ledger,
            history=self.history,
            display=self.display,
            new_delivery=lambda: self.delivery(platform),
        )

    async def fill(self, count: int, **kwargs: object) -> None:
        await asyncio.gather(*(self.ledger.append(draft(number, **kwargs)) for number in range(count)))


@pytest.fixture
async def terminal(tmp_path: Path, trust: Trust) -> AsyncIterator[Terminal]:
    file = open_ledger(tmp_path / "ledger.sqlite", uplinks=("http",))
    async with InlineLedger(file) as ledger:
        yield Terminal(ledger, file, History(), RecordingDisplay(), FakeClock(), FixedTrust(trust))


@pytest.fixture
def platform_key() -> object:
    return LabelSigner("platform receipt")._key
