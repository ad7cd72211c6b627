"""The setting: a platform and an agent as processes of their own, two cables between, two real ttys, a display."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from demo.display import Display, program
from demo.link import Link
from demo.processes import Program, free_port, service_environment
from demo.tty import TtyScanner
from platform_stub.mqtt.credentials import password_file, password_of

START_S_MAX = 20.0
CHANGE_S_MAX = 45.0  # a busy machine's time-outs and pauses, one after another

CONFIG = """\
[terminal]
id = "kiosk-1"
site = "demo-clinic"

[state]
directory = "{state}"

[[scanners]]
id = "registration"
type = "serial"
path = "{registration}"
step = "registration"

[[scanners]]
id = "payment"
type = "serial"
path = "{payment}"
step = "payment"
same_code_interval_ms = 0  # in this play somebody tries a used code again at once, and is to see what is said

[uplink.mqtt]
url = "mqtt://127.0.0.1:{broker_port}"
password_file = "{password}"

[uplink.http]
url = "http://127.0.0.1:{http_port}"

[carriers]
return_interval_s = 1.0

[delivery]
retry_delay_s_max = 2.0

[trust]
root = "{root}"

[console]
listen = "127.0.0.1:{console_port}"
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: bytes resident now and at most, seconds of CPU."""

    resident_bytes: int
    peak_bytes: int
    cpu_s: float

    def __str__(self) -> str:
        """Return it for people."""
        resident_mb, peak_mb = self.resident_bytes / 1e6, self.peak_bytes / 1e6
        return f"{resident_mb:.1f} MB resident (at most {peak_mb:.1f}), {self.cpu_s:.2f} s of CPU since its last start"


def usage_of(pid: int) -> Usage:
    """Read what the kernel says of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
    return Usage(
        resident_bytes=int(status["VmRSS"].split()[0]) * 1024,
        peak_bytes=int(status["VmHWM"].split()[0]) * 1024,
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that runs, and where it keeps what."""

    folder: Path
    platform: Program
    agent: Program
    registration: TtyScanner
    payment: TtyScanner
    display: Display
    to_broker: Link
    to_platform: Link
    platform_url: str
    console_url: str

    @property
    def config(self) -> Path:
        """The agent's configuration."""
        return self.folder / "agent.toml"

    @property
    def token(self) -> Path:
        """What a program on the terminal shows the agent."""
        return self.folder / "state" / "console-token"

    async def status(self) -> dict[str, Any]:
        """Return what the agent says of itself."""
        async with (
            aiohttp.ClientSession(headers=program(self.token)) as client,
            client.get(f"{self.console_url}/v1/status") as answer,
        ):
            found: dict[str, Any] = await answer.json()
            return found

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the agent's status is so. Raises TimeoutError."""
        async with asyncio.timeout(CHANGE_S_MAX):
            while not is_so(await self.status()):
                await asyncio.sleep(0.05)

    async def link(self, role: str) -> str:
        """Return an address that lets one browser in, once, as a kiosk or as staff."""
        async with (
            aiohttp.ClientSession(headers=program(self.token)) as client,
            client.post(f"{self.console_url}/v1/links", json={"role": role}) as answer,
        ):
            answer.raise_for_status()
            return str((await answer.json())["url"])

    @property
    def platform_folder(self) -> Path:
        """The platform's directory."""
        return self.folder / "platform"

    @property
    def database(self) -> Path:
        """What the platform holds."""
        return self.platform_folder / "platform.sqlite"

    @property
    def logs(self) -> list[Path]:
        """What the two programs wrote."""
        return [self.folder / "agent.log", self.folder / "platform.log"]


@asynccontextmanager
async def running(folder: Path, *platform_arguments: str, more_config: str = "") -> AsyncIterator[Setting]:
    """Start everything, wait until the agent trusts its first trust list, and stop everything at the end.

    more_config: lines behind the agent's configuration, which ends with its [console] section.
    """
    setting = _build(folder, platform_arguments)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(setting.registration))
        stack.enter_context(closing(setting.payment))
        stack.push_async_callback(setting.platform.stop)
        await setting.platform.start()
        await stack.enter_async_context(setting.to_broker)
        await stack.enter_async_context(setting.to_platform)
        _configure(setting, more_config)
        stack.push_async_callback(setting.agent.stop)
        await setting.agent.start()
        await _register(folder / "state" / "terminal.json", setting.platform_folder / "terminals")
        await stack.enter_async_context(_beside(setting.display.listen))
        await setting.display.connected()
        await setting.until(lambda status: status["trust"] is not None)
        await setting.until(is_delivering_over("mqtt"))
        yield setting


def is_delivering_over(carrier: str) -> Callable[[dict[str, Any]], bool]:
    """Return a test of a status: the platform answers over this carrier."""
    return lambda status: bool(status["uplink"]["is_up"]) and status["uplink"]["carrier"] == carrier


@asynccontextmanager
async def _beside(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run endless work beside the body, and end it with the body."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_ended_quietly(work))
        try:
            yield
        finally:
            task.cancel()


async def _ended_quietly(work: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await work()


def _build(folder: Path, platform_arguments: Sequence[str]) -> Setting:
    (folder / "state").mkdir(parents=True, exist_ok=True)
    platform_port, broker_port, console_port = free_port(), free_port(), free_port()
    platform_url, console_url = f"http://127.0.0.1:{platform_port}", f"http://127.0.0.1:{console_port}"
    registration = TtyScanner("registration", folder / "tty-registration")
    payment = TtyScanner("payment", folder / "tty-payment")
    serve = ["-m", "platform_stub", "run", str(folder / "platform"), "--listen", f"127.0.0.1:{platform_port}"]
    serve += ["--mqtt", f"127.0.0.1:{broker_port}", *platform_arguments]
    return Setting(
        folder=folder,
        platform=Program("the platform", serve, folder / "platform.log", f"{platform_url}/healthz"),
        agent=Program(
            "the agent",
            ["-m", "agent", "run", "--config", str(folder / "agent.toml")],
            folder / "agent.log",
            f"{console_url}/healthz",
            service_environment(),
        ),
        registration=registration,
        payment=payment,
        display=Display(f"{console_url}/v1/events", folder / "state" / "console-token"),
        to_broker=Link("broker", broker_port),
        to_platform=Link("platform", platform_port),
        platform_url=platform_url,
        console_url=console_url,
    )


async def _register(made: Path, terminals: Path) -> None:
    """Hand the terminal's public key to the platform, as a technician would: by file."""
    async with asyncio.timeout(START_S_MAX):
        while not made.exists():
            await asyncio.sleep(0.02)
    terminals.mkdir(exist_ok=True)
    shutil.copy(made, terminals / "kiosk-1.json")


def _configure(setting: Setting, more_config: str) -> None:
    """Write the agent's configuration, as a technician would who was given the terminal's password for the broker."""
    password_of(setting.platform_folder / "mqtt", "kiosk-1")
    setting.config.write_text(
        CONFIG.format(
            state=setting.folder / "state",
            registration=setting.registration.path,
            payment=setting.payment.path,
            broker_port=setting.to_broker.port,
            password=password_file(setting.platform_folder / "mqtt", "kiosk-1"),
            http_port=setting.to_platform.port,
            root=setting.platform_folder / "root.json",
            console_port=setting.console_url.rpartition(":")[2],
        )
        + more_config
    )
