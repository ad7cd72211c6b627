"""Runs the refresher as a process of its own, so that TUF's imports and parsers never sit in the agent.

The law: when `refresh` returns or is cancelled, the process is gone; what it says is bounded, and checked by the store
against the disk before it counts.
"""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path

from agent.adapters.trust_store.report import REPORT_BYTES_MAX, decode_report
from agent.core.time_interval import Interval
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle

STOP_GRACE_S = 5.0  # beyond the time budget it was given, before it is killed


class RefresherProcess:
    """Implements ports.TrustRefresher with `scanward trust refresh`; for the arguments see Settings in store.py."""

    def __init__(
        self,
        directory: Path,
        *,
        url: str,
        root: Path,
        ca: Path | None = None,
        timeout_s: float,
        program: Sequence[str] = (sys.executable, "-m", "agent"),
    ) -> None:
        self._program = program
        self._timeout_s = timeout_s
        self._arguments = ["--state", str(directory), "--url", url, "--root", str(root)]
        self._arguments += ["--timeout", str(timeout_s)]
        if ca is not None:
            self._arguments += ["--ca", str(ca)]

    async def refresh(
        self, now: Interval, floor: TrustFloor, *, offline: bool = False
    ) -> VerifiedBundle | TrustTrouble:
        """Run it once. A process that says nothing usable is a trouble like any other ("crashed", "slow")."""
        latest = "" if now.latest_ms is None else now.latest_ms
        arguments = [*self._arguments, "--now", f"{now.earliest_ms},{latest}"]
        arguments += ["--floor", str(floor.timestamp_version), "--root-floor", str(floor.root_version)]
        if offline:
            arguments.append("--offline")
        try:
            process = await asyncio.create_subprocess_exec(
                *self._program,
                "trust",
                "refresh",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,  # standard error goes where the agent's goes: a traceback is a bug
                limit=REPORT_BYTES_MAX,
            )
        except OSError as error:
            return TrustTrouble("crashed", f"the refresher cannot be started: {error.strerror}")
        try:
            async with asyncio.timeout(self._timeout_s + STOP_GRACE_S):
                line = await _first_line(process)
        except TimeoutError:
            return TrustTrouble("slow", f"the refresher did not end within {self._timeout_s + STOP_GRACE_S:g} s")
        finally:
            await _end(process)
        try:
            return decode_report(line)
        except ValueError:
            return TrustTrouble("crashed", f"the refresher ended with status {process.returncode} and no report")


async def _first_line(process: Process) -> bytes:
    """Return the process's report once it has ended; empty where it is no line within the limit."""
    assert process.stdout is not None  # noqa: S101  (it was asked for)
    try:
        line = await process.stdout.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""
    await process.wait()
    return line


async def _end(process: Process) -> None:
    """Kill what still runs, and wait for it: no zombie, no open pipe."""
    if process.returncode is None:
        process.kill()
    await process.communicate()
