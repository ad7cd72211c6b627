"""The setting: a platform and an agent as processes of their own, two scanners on real ttys, a display to look at."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from demo.display import Display, program
from demo.processes import Program, free_port, service_environment
from demo.tty import TtyScanner

START_S_MAX = 20.0

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

[uplink.http]
url = "{platform}"

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
    platform_url: str
    console_url: str

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
async def running(folder: Path, *platform_arguments: str) -> AsyncIterator[Setting]:
    """Start everything, wait until the agent trusts its first trust list, and stop everything at the end."""
    setting = _build(folder, platform_arguments)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(setting.registration))
        stack.enter_context(closing(setting.payment))
        stack.push_async_callback(setting.platform.stop)
        await setting.platform.start()
        stack.push_async_callback(setting.agent.stop)
        await setting.agent.start()
        await _register(folder / "state" / "terminal.json", setting.platform_folder / "terminals")
        await stack.enter_async_context(_beside(setting.display.listen))
        await setting.display.connected()
        await _trusted(setting.console_url, folder / "state" / "console-token")
        yield setting


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
    platform_port, console_port = free_port(), free_port()
    platform_url, console_url = f"http://127.0.0.1:{platform_port}", f"http://127.0.0.1:{console_port}"
    registration = TtyScanner("registration", folder / "tty-registration")
    payment = TtyScanner("payment", folder / "tty-payment")
    config = folder / "agent.toml"
    config.write_text(
        CONFIG.format(
            state=folder / "state",
            registration=registration.path,
            payment=payment.path,
            platform=platform_url,
            root=folder / "platform" / "root.json",
            console_port=console_port,
        )
    )
    serve = ["-m", "platform_stub", "run", str(folder / "platform"), "--listen", f"127.0.0.1:{platform_port}"]
    serve += platform_arguments
    return Setting(
        folder=folder,
        platform=Program("the platform", serve, folder / "platform.log", f"{platform_url}/healthz"),
        agent=Program(
            "the agent",
            ["-m", "agent", "run", "--config", str(config)],
            folder / "agent.log",
            f"{console_url}/healthz",
            service_environment(),
        ),
        registration=registration,
        payment=payment,
        display=Display(f"{console_url}/v1/events", folder / "state" / "console-token"),
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


async def _trusted(console_url: str, token: Path) -> None:
    """Wait until the agent has its first trust list."""
    async with asyncio.timeout(START_S_MAX), aiohttp.ClientSession() as client:
        while True:
            async with client.get(f"{console_url}/v1/status", headers=program(token)) as answer:
                if (await answer.json())["trust"] is not None:
                    return
            await asyncio.sleep(0.02)
