"""A console served over real HTTP: real ledger, desk and sessions; the policy, the clock and the PIN are invented."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from agent.adapters.console.calls import Parts
from agent.adapters.console.console import Console
from agent.adapters.console.metrics import LedgerFigures
from agent.adapters.console.roles import COOKIE, Entrance
from agent.adapters.console.secret_files import PinHash
from agent.adapters.console.server import ConsoleServer, Settings
from agent.adapters.ledger.owner import InlineLedger
from agent.core.requests import Role
from agent.core.trust_list import Trust, TrustList
from agent.ports import Entered
from agent.tasks.requests import RequestDesk
from agent.tasks.requests import Settings as RequestSettings
from fakes.ledger_parts import CountedRandomness, open_ledger
from fakes.policies import POLICY
from fakes.world import FakeClock, FixedTrust

TOKEN = "t" * 43
PIN = "493817"
STATUS = {
    "terminal": "kiosk-1",
    "site": "demo",
    "ledger": {"id": "00" * 16, "head_seq": 0},
    "uplink": {"name": "http", "is_up": True, "cursor": 0, "waiting": 0},
    "trust": {"version": 7, "age_s": 60, "freshness": "fresh", "policy_version": 4},
    "scanners": [{"id": "desk", "step": "registration", "presence": "present"}],
}


class FakeEntrance:
    """ports.ScanEntrance that says what a test has it say, and keeps what it was told."""

    def __init__(self) -> None:
        self.says: Entered | None = None
        self.entered: list[tuple[str, bytes, str | None]] = []
        self.triggered: list[tuple[str, bool]] = []

    def enter(self, scanner: str, data: bytes, aim: str | None) -> Entered:
        self.entered.append((scanner, data, aim))
        return self.says or (Entered.TAKEN if scanner == "phone" else Entered.UNKNOWN)

    def trigger(self, scanner: str, *, on: bool) -> bool | None:
        self.triggered.append((scanner, on))
        return {"camera": True, "desk": False}.get(scanner)


class FakeValues:
    """ports.NamedValues in memory."""

    def __init__(self) -> None:
        self.kept = dict[str, bytes]()

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def set(self, name: str, value: bytes) -> None:
        self.kept[name] = value


def quick_pin(pin: str = PIN) -> PinHash:
    """Return a PIN's hash that costs next to nothing to check."""
    from agent.adapters.console.secret_files import _scrypt

    return PinHash(10, 1, 1, b"s" * 16, _scrypt(pin, b"s" * 16, 10, 1, 1, 32))


def trust_with_policy() -> Trust:
    return Trust(TrustList(version=7, issued_at_s=1_800_000_000), POLICY, None, None)


def entrance_of(clock: FakeClock, values: FakeValues | None = None, *, pin: PinHash | None = None) -> Entrance:
    return Entrance(
        token=TOKEN, pin=pin, link_s=300.0, staff_idle_s=600.0, values=values or FakeValues(), clock=clock,
        randomness=CountedRandomness("entrance"),
    )  # fmt: skip


async def next_event(stream) -> tuple[str, dict]:
    """Return topic and content of the next server-sent event."""
    topic, data = "", {}
    async with asyncio.timeout(5):
        async for line in stream.content:
            text = line.decode().rstrip("\r\n")
            if text.startswith("event: "):
                topic = text[7:]
            elif text.startswith("data: "):
                data = json.loads(text[6:])
            elif not text and topic:
                return topic, data
    raise AssertionError("the stream ended")


class Served:
    """What a test of the served console speaks to."""

    def __init__(
        self,
        console: Console,
        server: ConsoleServer,
        entrance: Entrance,
        desk: RequestDesk,
        ledger,
        scans: FakeEntrance,
    ) -> None:
        self.console = console
        self.server = server
        self.entrance = entrance
        self.desk = desk
        self.ledger = ledger
        self.scans = scans

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    async def headers(self, role: Role | None) -> dict[str, str]:
        """Return what a caller of that role sends: the token, or a cookie and its own origin."""
        if role is Role.PROGRAM:
            return {"Authorization": f"Bearer {TOKEN}"}
        if role is None:
            return {}
        entered = await self.entrance.enter(self.entrance.link(role))
        return {"Cookie": f"{COOKIE}={entered[1]}", "Origin": self.server.address}

    @asynccontextmanager
    async def client(self, role: Role | None = Role.PROGRAM) -> AsyncIterator[aiohttp.ClientSession]:
        jar = aiohttp.DummyCookieJar()
        headers = await self.headers(role)
        async with aiohttp.ClientSession(self.server.address, headers=headers, cookie_jar=jar) as client:
            yield client


@asynccontextmanager
async def served(
    folder: Path, *, pin: PinHash | None = None, silence_s_max: float = 10.0, program_may_confirm: bool = False
) -> AsyncIterator[Served]:
    clock = FakeClock()
    console = Console(lines_to=None)
    async with InlineLedger(open_ledger(folder / "console.sqlite")) as ledger:
        entrance = entrance_of(clock, pin=pin)
        desk = RequestDesk(
            ledger=ledger, trust_store=FixedTrust(trust_with_policy()), scanners=["desk", "till"], display=console,
            on_change=lambda request: console.request(request, desk.left_s(request)), clock=clock,
            randomness=CountedRandomness("desk"), settings=RequestSettings(),
        )  # fmt: skip

        async def status() -> dict[str, object]:
            return {**STATUS, "ledger": {"id": ledger.ledger_id.hex(), "head_seq": ledger.head_seq}}

        async def ledger_figures() -> LedgerFigures:
            return LedgerFigures(ledger.appended, ledger.commits_failed, None)

        scans = FakeEntrance()
        parts = Parts(
            console=console, entrance=entrance, requests=desk, scans=scans, parked=ledger, status=status,
            ledger_figures=ledger_figures, step="registration", program_may_confirm=program_may_confirm,
        )  # fmt: skip
        server = ConsoleServer(Settings(listen="127.0.0.1:0"), parts, silence_s_max=silence_s_max)
        await server.start()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(desk.run())
            try:
                yield Served(console, server, entrance, desk, ledger, scans)
            finally:
                await server.stop()
                task.cancel()
