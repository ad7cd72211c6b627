"""The composition root: builds the adapters, gives each task what it needs, and runs them in one task group.

An unexpected exception ends the process, and the service manager starts it again; the ledger makes that safe.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.clock import SystemClock, SystemRandomness
from agent.adapters.console.console import Console
from agent.adapters.console.lines import Lines
from agent.adapters.console.server import ConsoleServer
from agent.adapters.keys.sealing import new_data_key
from agent.adapters.keys.signing import TerminalKey, load_or_create
from agent.adapters.keys.verification import build_key
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.adapters.scanners.replay import ReplayScanner
from agent.adapters.scanners.replay import Settings as ReplaySettings
from agent.adapters.scanners.serial import SerialScanner
from agent.adapters.service import Service
from agent.adapters.trust_store.refresher_process import RefresherProcess
from agent.adapters.trust_store.store import TrustStore
from agent.composition.link import Parts, PlatformLink, Reload, open_link
from agent.config import Config, ScannerSettings
from agent.core.time_interval import SignedTime
from agent.ports import Clock, Randomness, Scanner
from agent.tasks.carriers import Carriers
from agent.tasks.checkpoint import Checkpoint
from agent.tasks.housekeeping import keep_house
from agent.tasks.trust import keep_trust_fresh

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything is inside the state directory."""

    state: Path

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.state / "ledger.sqlite"

    @property
    def signing_key(self) -> Path:
        """The terminal's private key."""
        return self.state / "signing-key.pem"

    @property
    def registration(self) -> Path:
        """The terminal's public key, as the platform registers it."""
        return self.state / "terminal.json"

    @property
    def trust(self) -> Path:
        """The trust store."""
        return self.state / "trust"


class LedgerValues:
    """The ledger's small values as ports.NamedValues."""

    def __init__(self, ledger: ThreadedLedger) -> None:
        self._ledger = ledger

    async def get(self, name: str) -> bytes | None:
        """Return a value, or None where it was never set."""
        value = await self._ledger.state(name)
        return value if isinstance(value, bytes) else None

    async def set(self, name: str, value: bytes) -> None:
        """Set a value; return once it is durable. Raises LedgerFull."""
        await self._ledger.put_state(name, value)


async def run(
    config: Config,
    *,
    service: Service,
    lines_to: Lines | None,
    stop: asyncio.Event,
    reload: Reload | None = None,
) -> None:
    """Run the agent until `stop` is set. Raises what ports.py lists for start-up; anything else is a bug."""
    paths = Paths(config.state_directory)
    paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock, randomness, signed_time = SystemClock(), SystemRandomness(), SignedTime()
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(ThreadedLedger(open_ledger(config, paths, randomness)))
        history = await ledger.history(clock.now().now)
        console = Console(lines_to=lines_to)
        store = await open_store(config, paths, LedgerValues(ledger), console)
        checkpoint = Checkpoint(ledger=ledger, trust_store=store, history=history, display=console, clock=clock)
        scanners = {s.id: (build_scanner(s, clock, presence_of(console)), config.step_of(s)) for s in config.scanners}
        announced = asyncio.Event()

        async def said() -> dict[str, object]:
            return await status()  # which tells of the link, and is made behind it

        parts = Parts(
            signer=load_or_create(paths.signing_key),
            ledger=ledger,
            history=history,
            store=store,
            values=LedgerValues(ledger),
            console=console,
            clock=clock,
            randomness=randomness,
            signed_time=signed_time,
            announced=announced,
            said=said,
            reload=reload,
        )
        link = await open_link(stack, config, parts)
        status = status_of(config, ledger, store, link, scanners, clock)
        server = ConsoleServer(config.console, console, status)
        await server.start()
        stack.push_async_callback(server.stop)
        tasks: dict[str, Coroutine[None, None, None]] = {
            f"checkpoint:{name}": checkpoint.watch(scanner, step) for name, (scanner, step) in scanners.items()
        }
        if link is not None:
            tasks |= link.tasks()
        if (refresher := build_refresher(config, paths)) is not None:
            tasks["trust"] = keep_trust_fresh(
                refresher, store, clock, randomness, config.trust, console.notice, announced=announced
            )
        tasks["housekeeping"] = keep_house(ledger, history, store, signed_time, clock)
        await console.notice("agent", f"ready; local API at {server.address}")
        await run_until(stop, tasks, service, farewell=None if link is None else link.heartbeat.say_goodbye)


async def open_store(config: Config, paths: Paths, values: LedgerValues, console: Console) -> TrustStore:
    """Return the trust store with what was verified before; say aloud where that cannot be used."""
    store = TrustStore(
        paths.trust,
        build_key=build_key,
        values=values,
        narrow=lambda policy: policy.narrowed(config.policy.refuse),
    )
    if (trouble := await store.restore()) is not None:
        await console.notice("trust", trouble.detail)
    return store


async def run_until(
    stop: asyncio.Event,
    tasks: dict[str, Coroutine[None, None, None]],
    service: Service,
    farewell: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run the tasks in one group until `stop` is set; the first unexpected exception ends them all.

    farewell: what is done at the stop while the tasks still run; it bounds itself.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for name, task in tasks.items():
                group.create_task(task, name=name)
            group.create_task(end_when(stop, farewell), name="stop")
            for _ in range(2):  # one turn of the loop for each task to begin, one to hear of those that failed at once
                await asyncio.sleep(0)
            service.ready()
    except* Stopped:
        service.stopping()


def open_ledger(config: Config, paths: Paths, randomness: Randomness) -> LedgerFile:
    """Open the ledger under this terminal's key, and leave what the platform registers the terminal by."""
    key = load_or_create(paths.signing_key)
    publish_registration(key, config, paths.registration)
    return LedgerFile.open(
        paths.ledger,
        terminal=config.terminal.id,
        signer=key,
        new_data_key=new_data_key,
        randomness=randomness,
        uplinks=[Carriers.name] if config.uplink.http or config.uplink.mqtt else [],
        settings=config.ledger,
    )


class Stopped(Exception):
    """Ends the task group in order."""


async def end_when(stop: asyncio.Event, farewell: Callable[[], Awaitable[None]] | None = None) -> None:
    """Wait for the stop, say goodbye, then end every other task."""
    await stop.wait()
    if farewell is not None:
        await farewell()
    raise Stopped


def build_scanner(settings: ScannerSettings, clock: Clock, on_presence: OnPresence) -> Scanner:
    """Return the scanner that these settings describe."""
    if isinstance(settings, ReplaySettings):
        return ReplayScanner(settings, clock, on_presence)
    return SerialScanner(settings, clock, on_presence)


def build_refresher(config: Config, paths: Paths) -> RefresherProcess | None:
    """Return what fetches the trust list; None where nothing says from where, or by which root."""
    url = config.trust.url or (f"{config.uplink.http.url.rstrip('/')}/v1/trust" if config.uplink.http else None)
    if url is None or config.trust.root is None:
        log.warning("no trust list can be fetched: trust.root and trust.url or uplink.http.url are needed")
        return None
    return RefresherProcess(
        paths.trust,
        url=url,
        root=Path(config.trust.root),
        ca=Path(config.trust.ca) if config.trust.ca else None,
        timeout_s=config.trust.refresh_timeout_s,
        program=(sys.executable, "-m", "agent"),
    )


def presence_of(console: Console) -> OnPresence:
    """Return what tells log and console that a scanner came or went."""

    def tell(scanner: str, presence: Presence, why: str) -> None:
        log_presence(scanner, presence, why)
        console.tell("scanner", f"{scanner} is {presence.value}: {why}")

    return tell


def publish_registration(key: TerminalKey, config: Config, path: Path) -> None:
    """Write what the platform registers this terminal by; nothing in it is secret."""
    data = (json.dumps(key.registration(config.terminal.id, config.terminal.site), indent=1) + "\n").encode()
    if path.is_file() and path.read_bytes() == data:
        return
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def status_of(
    config: Config,
    ledger: ThreadedLedger,
    store: TrustStore,
    link: PlatformLink | None,
    scanners: dict[str, tuple[Scanner, str]],
    clock: SystemClock,
) -> Callable[[], Awaitable[dict[str, object]]]:
    """Return what GET /v1/status asks: counts, ids and ages, nothing of a person."""

    async def status() -> dict[str, object]:
        trust, now = store.current, clock.now().now
        delivery = link.succession.delivery if link is not None else None
        return {
            "terminal": config.terminal.id,
            "site": config.terminal.site,
            "ledger": {"id": ledger.ledger_id.hex(), "head_seq": ledger.head_seq},
            "uplink": None
            if link is None or delivery is None
            else {
                "name": link.carriers.in_use.kind,
                **link.carriers.status(),
                "is_up": delivery.is_up,
                "cursor": delivery.cursor,
                "waiting": ledger.head_seq - delivery.cursor,
            },
            "trust": None
            if trust is None
            else {
                "version": trust.trust_list.version,
                "age_s": trust.age_s(now),
                "freshness": trust.freshness(now).value,
                "policy_version": trust.policy.version if trust.policy else None,
            },
            "scanners": [
                {"id": name, "step": step, "presence": scanner.presence} for name, (scanner, step) in scanners.items()
            ],
        }

    return status
