"""A real platform process and a real agent process with a backlog, and what the platform's database says of both."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp

from agent.adapters.clock import SystemClock, SystemRandomness
from agent.app import Paths, open_ledger
from agent.config import load
from agent.core.transaction import Draft, Kind
from bench.doubles import BODY
from demo.processes import Program, free_port, service_environment
from fakes import brokers
from fakes.brokers import Broker, User
from platform_stub.mqtt.credentials import PLATFORM_USER, password_file, password_of

TERMINAL, SITE = "kiosk-1", "demo"
BASE = f"scanward/1/{SITE}/{TERMINAL}"
UP, DOWN = (f"{BASE}/up/#",), (f"{BASE}/down/#", "scanward/1/trust")
PASSWORD = "known to this test"
COMMIT_RECORDS = 1_000


@dataclass
class Drain:
    """platform_arguments: of `run`, beside directory and HTTP. The platform's HTTP port stays the same."""

    folder: Path
    platform_arguments: Sequence[str] = ("--no-mqtt",)
    http_port: int = field(default_factory=free_port)
    console_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        url = f"http://127.0.0.1:{self.http_port}"
        serve = ["-m", "platform_stub", "run", str(self.place), "--listen", url.removeprefix("http://")]
        self.platform = Program(
            "the platform", [*serve, *self.platform_arguments], self.folder / "platform.log", f"{url}/healthz"
        )
        self.agent = Program(
            "the agent", ["-m", "agent", "run", "--config", str(self.config)], self.folder / "agent.log",
            f"{self.console_url}/healthz", service_environment(),
        )  # fmt: skip

    @property
    def place(self) -> Path:
        """The platform's directory."""
        return self.folder / "platform"

    @property
    def state(self) -> Path:
        """The agent's."""
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def console_url(self) -> str:
        return f"http://127.0.0.1:{self.console_port}"

    def password(self, user: str = TERMINAL) -> str:
        """Return a user's password for the broker, made now where there is none."""
        return password_of(self.place / "mqtt", user)

    def configure(
        self, *, mqtt_port: int | None = None, http_port: int | None = None, mqtt: str = "", more: str = ""
    ) -> None:
        """Write the agent's configuration: which carriers, by which port."""
        text = (
            f'[terminal]\nid = "{TERMINAL}"\nsite = "{SITE}"\n[state]\ndirectory = "{self.state}"\n'
            f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{self.folder}/no-scanner"\n'
            f'[trust]\nroot = "{self.place / "root.json"}"\nurl = "http://127.0.0.1:{self.http_port}/v1/trust"\n'
            f'[console]\nlisten = "127.0.0.1:{self.console_port}"\n'
        )
        if mqtt_port is not None:
            self.password()
            text += f'[uplink.mqtt]\nurl = "mqtt://127.0.0.1:{mqtt_port}"\n'
            text += f'password_file = "{password_file(self.place / "mqtt", TERMINAL)}"\n{mqtt}'
        if http_port is not None:
            text += f'[uplink.http]\nurl = "http://127.0.0.1:{http_port}"\n'
        self.config.write_text(text + more)

    def fill(self, count: int) -> dict[int, bytes]:
        """Make the agent's ledger hold `count` more decisions, register its key, and return the hash of each record."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        paths, clock, randomness = Paths(self.state), SystemClock(), SystemRandomness()
        ledger = open_ledger(load(self.config), paths, randomness)
        drafts = [Draft(Kind.DECISION, clock.now(), {**BODY, 18: randomness.bytes(16)}) for _ in range(count)]
        for start in range(0, count, COMMIT_RECORDS):
            ledger.commit(drafts[start : start + COMMIT_RECORDS])
        hashes = {r.seq: r.hash for r in ledger.read(0, records_max=1_000_000, bytes_max=1 << 40)}
        ledger.close()
        (self.place / "terminals").mkdir(exist_ok=True)
        shutil.copy(paths.registration, self.place / "terminals" / f"{TERMINAL}.json")
        assert len(hashes) >= count
        return hashes

    def held(self) -> int:
        """Return up to which record the platform holds everything."""
        return max((row[0] for row in self.rows("SELECT head_seq FROM ledgers")), default=0)

    def rows(self, sql: str) -> list[tuple]:
        """Ask the platform's database."""
        with closing(sqlite3.connect(f"file:{self.place / 'platform.sqlite'}?mode=ro", uri=True, timeout=20)) as found:
            return found.execute(sql).fetchall()

    def assert_all_arrived(self, hashes: dict[int, bytes]) -> None:
        """Check that the platform holds each record once, accepted, with its hash, and has nothing to complain of."""
        rows = self.rows("SELECT seq, hash, status, forked FROM records")
        assert len(rows) == len(hashes), "each once"
        assert {seq: bytes(hash_) for seq, hash_, _, _ in rows} == hashes
        assert {(status, forked) for _, _, status, forked in rows} == {(0, 0)}
        assert self.rows("SELECT kind FROM alerts") == []
        assert self.rows("SELECT seq FROM forks") == []

    def gaps_s(self) -> list[float]:
        """Return the times between arrivals of records the platform had not, by its own clock, the longest first.

        It is the time at which a batch was checked, just before it is stored; batches of duplicates do not count.
        """
        times = [row[0] / 1000 for row in self.rows("SELECT DISTINCT received_at_ms FROM records ORDER BY 1")]
        return sorted((after - before for before, after in pairwise(times)), reverse=True)

    def said(self) -> str:
        """Return what the agent wrote: its log and the lines for people."""
        return (self.folder / "agent.log").read_text()

    def commanded(self, kind: str) -> bytes:
        """Ask something of the terminal, as a person would; return the command's id."""
        command = ["command", str(self.place), "--terminal", TERMINAL, "--kind", kind]
        said = subprocess.run(
            [sys.executable, "-m", "platform_stub", *command], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        return bytes.fromhex(said.split()[1])

    async def answered(self, command: bytes, timeout_s: float) -> tuple[int, str]:
        """Return outcome and text of the terminal's answer, as the platform holds it. Raises TimeoutError."""
        sql = f"SELECT outcome, said FROM commands WHERE command_id = x'{command.hex()}' AND outcome IS NOT NULL"  # noqa: S608
        async with asyncio.timeout(timeout_s):
            while not (rows := self.rows(sql)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return rows[0]

    async def status(self) -> dict[str, Any]:
        """Return what the agent says of itself."""
        headers = {"Authorization": f"Bearer {(self.state / 'console-token').read_text().strip()}"}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.get(f"{self.console_url}/v1/status") as answer,
        ):
            found: dict[str, Any] = await answer.json()
            return found

    async def until_held(self, count: int, timeout_s: float) -> None:
        """Return once the platform holds so many records. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self.held() < count:  # noqa: ASYNC110 - other processes take part
                await asyncio.sleep(0.1)

    async def until_said(self, text: str, timeout_s: float = 20.0) -> None:
        """Return once the agent has written this. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while text not in self.said():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def until_settled(self, count: int, timeout_s: float = 20.0) -> None:
        """Return once the agent, too, knows that so many records arrived. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while (uplink := (await self.status())["uplink"])["waiting"] or uplink["cursor"] < count:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


@asynccontextmanager
async def drain(folder: Path, *platform_arguments: str) -> AsyncIterator[Drain]:
    """Run a platform with these arguments; agent and platform are ended with the body."""
    made = Drain(folder, platform_arguments or ("--no-mqtt",))
    try:
        await made.platform.start()
        yield made
    finally:
        await made.agent.stop()
        await made.platform.stop()


@asynccontextmanager
async def on_a_broker(
    folder: Path, kind: str, *others: User, publish: Sequence[str] = UP, subscribe: Sequence[str] = DOWN
) -> AsyncIterator[tuple[Drain, Broker]]:
    """Run a platform on a broker that is not its own, and on which the terminal may do what it should, or else this."""
    password = folder / "password"
    password.write_text(PASSWORD)
    everything = ("scanward/1/#",)
    users = [User(PLATFORM_USER, PASSWORD, everything, everything), User(TERMINAL, PASSWORD, publish, subscribe)]
    async with brokers.running(kind, folder / "broker", [*users, *others]) as broker:
        url = f"mqtt://{PLATFORM_USER}@127.0.0.1:{broker.port}"
        async with drain(folder, "--mqtt-url", url, "--mqtt-password-file", str(password)) as field:
            place = field.place / "mqtt"
            place.mkdir(mode=0o700, exist_ok=True)
            password_file(place, TERMINAL).write_text(PASSWORD)
            yield field, broker
