"""The agent as a process under a service manager that watches it: when it is fed, and when it no longer is."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from demo.processes import free_port

ROOT = Path(__file__).parents[2]
HANGING = Path(__file__).with_name("hanging_agent.py")
WATCHDOG_S = 2.0
WAIT_S_MAX = 30.0
MESSAGE_BYTES_MAX = 4_096


class Watched:
    """An agent's process, and what it tells its manager."""

    def __init__(self, process: asyncio.subprocess.Process, manager: socket.socket) -> None:
        self.process = process
        self._manager = manager

    async def next(self, wait_s: float = WAIT_S_MAX) -> str:
        async with asyncio.timeout(wait_s):
            return (await asyncio.get_running_loop().sock_recv(self._manager, MESSAGE_BYTES_MAX)).decode()

    async def said(self, what: str) -> list[str]:
        """Wait until it says something that begins so; return all it said, that included."""
        heard = list[str]()
        async with asyncio.timeout(WAIT_S_MAX):
            while not heard or not heard[-1].startswith(what):
                heard.append(await self.next())
        return heard

    async def silent_for(self, span_s: float) -> bool:
        """Say whether no beat comes for that long, once those already sent are read; other messages may."""
        end_s = time.monotonic() + span_s
        try:
            while (left_s := end_s - time.monotonic()) > 0:
                if await self.next(left_s) == "WATCHDOG=1":
                    return False
        except TimeoutError:
            return True
        return True

    async def starved(self) -> None:
        """Wait until there was no beat for a whole watchdog time: the moment when systemd sends SIGABRT."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not await self.silent_for(WATCHDOG_S):
                pass


@asynccontextmanager
async def watched(
    folder: Path, *program: str, watchdog_s: float = WATCHDOG_S, **environment: str
) -> AsyncIterator[Watched]:
    path = folder / "agent.toml"
    path.write_text(
        f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{folder / "none"}"\n'
        f'[state]\ndirectory = "{folder}"\n[console]\nlisten = "127.0.0.1:{free_port()}"\n'
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *(program or ("-m", "agent", "run", "--quiet", "--config")), str(path), cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.defpath, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": str(folder / "notify"),
                "WATCHDOG_USEC": str(round(watchdog_s * 1_000_000)), **environment,
            },
        )  # fmt: skip
        try:
            yield Watched(process, manager)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_it_is_ready_then_fed_at_less_than_half_the_watchdog_time_then_says_that_it_stops(tmp_path):
    async with watched(tmp_path) as agent:
        before = await agent.said("READY=1")
        assert any(said.startswith("EXTEND_TIMEOUT_USEC=") for said in before)
        assert "WATCHDOG=1" not in before
        await agent.said("WATCHDOG=1")
        beats_at_s = [time.monotonic()]
        while len(beats_at_s) < 8:
            await agent.said("WATCHDOG=1")
            beats_at_s.append(time.monotonic())
        gaps = [later - earlier for earlier, later in pairwise(beats_at_s)]
        assert sorted(gaps)[len(gaps) // 2] < WATCHDOG_S / 2, "the middle one: a busy machine may delay this reader"
        agent.process.send_signal(signal.SIGTERM)
        await agent.said("STOPPING=1")
        assert await asyncio.wait_for(agent.process.wait(), WAIT_S_MAX) == 0


async def test_its_status_is_a_line_for_a_technician(tmp_path):
    async with watched(tmp_path) as agent:
        assert (await agent.said("STATUS="))[-1] == "STATUS=running; 0 of 1 scanners present"


async def test_a_watchdog_meant_for_another_process_is_not_fed(tmp_path):
    async with watched(tmp_path, watchdog_s=0.2, WATCHDOG_PID="1") as agent:
        await agent.said("READY=1")
        assert await agent.silent_for(1.0)


async def hung(agent: Watched) -> str:
    """Hang it where it was told to, wait until it starves, end it as systemd does; return what it wrote."""
    await agent.said("WATCHDOG=1")
    agent.process.send_signal(signal.SIGUSR1)
    await agent.starved()
    agent.process.send_signal(signal.SIGABRT)
    out, _ = await asyncio.wait_for(agent.process.communicate(), WAIT_S_MAX)
    assert agent.process.returncode == -signal.SIGABRT
    return out.decode()


async def test_a_hung_loop_is_no_longer_fed_for_and_the_log_says_where_it_hangs(tmp_path):
    async with watched(tmp_path, str(HANGING), "loop") as agent:
        out = await hung(agent)
    assert "hang_in_the_loop" in out


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("ledger", "the watchdog is not fed: the ledger has not answered"),
        ("reader", "the watchdog is not fed: scanner front is not read: nobody looks for the device"),
        ("task", "the watchdog is not fed: ended though they must not: housekeeping"),
    ],
)
async def test_what_is_dead_is_no_longer_fed_for_and_the_log_says_what(tmp_path, what, says):
    async with watched(tmp_path, str(HANGING), what) as agent:
        out = await hung(agent)
    assert says in out


async def test_the_doctor_sees_the_running_agent_and_takes_nothing_from_it(tmp_path):
    async with watched(tmp_path) as agent:
        await agent.said("WATCHDOG=1")
        doctor = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent", "doctor", "--json", "--config", str(tmp_path / "agent.toml"), cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(doctor.communicate(), WAIT_S_MAX)
        await agent.said("WATCHDOG=1")
        assert agent.process.returncode is None
        pid = agent.process.pid
    (found,) = [finding for finding in json.loads(out)["findings"] if finding["topic"] == "agent"]
    assert found["level"] == "ok"
    assert found["what"] == f"runs (pid {pid}), answers, and systemd watches it"
