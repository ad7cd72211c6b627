"""Real MQTT brokers for tests: NATS (the platform's embedded one) and Debian's Mosquitto, each a child process.

Both listen on a loopback port of their own and let a user in by name and password. Credentials here are for tests only.
"""

import asyncio
import contextlib
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

LISTENING_S_MAX = 15.0
BROKERS = ("nats", "mosquitto")


@dataclass(frozen=True)
class User:
    """Who may do what: MQTT topic filters."""

    name: str
    password: str
    publish: Sequence[str] = ("#",)
    subscribe: Sequence[str] = ("#",)


ANYONE = User("anyone", "anyone-in-a-test")


@dataclass
class Broker:
    """One broker's process. `port` stays the same over restarts."""

    kind: str
    folder: Path
    users: Sequence[User] = (ANYONE,)
    port: int = 0
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        command = _nats(self) if self.kind == "nats" else _mosquitto(self)
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, cwd=self.folder)
        async with asyncio.timeout(LISTENING_S_MAX):
            while not await _is_listening(self.port):
                if self.process.returncode is not None:
                    raise RuntimeError((self.folder / "log").read_text()[-2_000:])
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def forget(self) -> None:
        """Delete all that a killed broker had kept."""
        shutil.rmtree(self.folder)


@contextlib.asynccontextmanager
async def running(kind: str, folder: Path, users: Sequence[User] = (ANYONE,)) -> AsyncIterator[Broker]:
    """Run a broker; skips the test where its program is missing."""
    require(kind)
    broker = Broker(kind, folder, users)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.kill()


def require(kind: str) -> str:
    """Return the program of a broker, or skip."""
    name = "nats-server" if kind == "nats" else "mosquitto"
    beside = Path(sys.executable).parent / name
    found = (
        str(beside)
        if beside.is_file()
        else shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin")
    )
    if found is None:
        pytest.skip(f"{name} is not installed (tests/debian-packages.txt)")
    return found


def _nats(broker: Broker) -> list[str]:
    def subjects(filters: Sequence[str]) -> str:
        # MQTT's x/# also means x itself; no right to $MQTT.>, over which another's messages could be slipped in.
        both = [g for f in filters for g in ([f, f[:-2]] if f.endswith("/#") else [f])]
        names = [f.replace("/", ".").replace("+", "*").replace("#", ">") for f in both]
        return "[" + ", ".join(f'"{name}"' for name in names) + "]"

    users = "\n".join(
        f'{{user: "{u.name}", password: "{u.password}", '
        f"permissions: {{publish: {subjects(u.publish)}, subscribe: {subjects(u.subscribe)}}}}}"
        for u in broker.users
    )
    (broker.folder / "nats.conf").write_text(
        f'server_name: "test"\nlisten: "127.0.0.1:-1"\njetstream {{store_dir: "{broker.folder}/js"}}\n'
        f'mqtt {{listen: "127.0.0.1:{broker.port}"}}\nauthorization {{users: [\n{users}\n]}}\n'
    )
    return [require("nats"), "-c", str(broker.folder / "nats.conf")]


def _mosquitto(broker: Broker) -> list[str]:
    rules = [
        line
        for u in broker.users
        for line in (
            f"user {u.name}",
            *(f"topic write {f}" for f in u.publish),
            *(f"topic read {f}" for f in u.subscribe),
        )
    ]
    (broker.folder / "acl").write_text("\n".join(rules) + "\n")
    (broker.folder / "passwords").write_text("".join(f"{u.name}:{u.password}\n" for u in broker.users))
    (broker.folder / "mosquitto.conf").write_text(
        f"listener {broker.port} 127.0.0.1\nset_tcp_nodelay true\nallow_anonymous false\nuser root\n"
        f"password_file {broker.folder}/passwords\nacl_file {broker.folder}/acl\n"
        f"persistence true\npersistence_location {broker.folder}/\nmax_inflight_messages 100\n"
    )
    program = require("mosquitto")
    return [
        "/bin/sh",
        "-c",
        f"mosquitto_passwd -U {broker.folder}/passwords && exec {program} -c {broker.folder}/mosquitto.conf",
    ]


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def _is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
