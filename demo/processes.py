"""The two programs of the demonstration, as processes of their own: the platform and the agent."""

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp

START_S_MAX = 20.0
STOP_S_MAX = 10.0
UNIT = Path(__file__).parents[1] / "systemd" / "scanward.service"


class ProgramFailed(Exception):
    """A program ended or did not answer; the message carries the end of what it wrote."""


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def service_environment() -> dict[str, str]:
    """Return what the unit sets for the agent: where the agent is measured, it runs as it does in service."""
    lines = re.findall(r"^Environment=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(assignment.split("=", 1) for line in lines for assignment in line.split())


class Program:
    """One program: started, killed, started again; everything it writes goes to one file."""

    def __init__(
        self, name: str, arguments: list[str], log: Path, health_url: str, environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._log = log
        self._health_url = health_url
        self._environment = environment or {}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        if self._process is None:
            raise ProgramFailed(f"{self.name} is not running")
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it answers. Raises ProgramFailed."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, **self._environment},  # noqa: TID251
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_S_MAX), aiohttp.ClientSession() as client:
                while not await self._is_healthy(client):
                    if self._process.returncode is not None:
                        raise ProgramFailed(f"{self.name} ended with {self._process.returncode}:\n{self._tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise ProgramFailed(f"{self.name} does not answer:\n{self._tail()}") from error

    async def _is_healthy(self, client: aiohttp.ClientSession) -> bool:
        try:
            async with client.get(self._health_url) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        os.killpg(process.pid, number)
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2_000:]
