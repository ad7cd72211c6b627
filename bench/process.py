"""The whole agent as a process: what starting costs, and what it holds after the demonstration."""

import asyncio
import contextlib
import io
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.line import Line
from demo.__main__ import play
from demo.processes import service_environment
from demo.setting import usage_of

STARTS = 5
READY_S_MAX = 20.0

CONFIG = """\
[terminal]
id = "kiosk-1"
[state]
directory = "{state}"
[[scanners]]
id = "front"
type = "serial"
path = "{state}/no-scanner"
[uplink.http]
url = "http://127.0.0.1:9"
[console]
listen = "127.0.0.1:0"
"""


async def cpu_to_ready_s(folder: Path) -> float:
    """Start the agent as the service manager does; return user and system time it had used when it said READY."""
    config = folder / "agent.toml"
    config.write_text(CONFIG.format(state=folder))
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent", "run", "--quiet", "--config", str(config),
            env={"PATH": os.defpath, "NOTIFY_SOCKET": address, **service_environment()},
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(READY_S_MAX):
                while b"READY=1" not in await asyncio.get_running_loop().sock_recv(manager, 4_096):
                    pass
            used_s = usage_of(process.pid).cpu_s
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    Path(address).unlink()
    return used_s


def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="scanward-bench-") as name:
        folder = Path(name)
        starts_s = [asyncio.run(cpu_to_ready_s(folder)) for _ in range(STARTS + 1)][1:]  # the first fills the caches
        with contextlib.redirect_stdout(io.StringIO()) as said:
            verdict, usage = asyncio.run(play(folder / "demo"))
        if not verdict.is_good:
            raise RuntimeError(f"the demonstration failed:\n{said.getvalue()}")
    return [
        Line("start to READY, CPU", median(starts_s), 0.7, "at most", "s", f"median of {STARTS} starts"),
        Line("agent's resident memory after the demonstration", usage.resident_bytes / 1e6, 60, "at most", "MB"),
    ]
