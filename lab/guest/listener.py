"""The agent's real scanners in a process of their own, as the agent builds them, and what they emit.

It is forked off before anything else runs, so that it costs no second start of Python; it can be stopped and continued
like a machine that stalls. What comes out goes to the journal line by line; the driver looks at it only to keep pace.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from agent.adapters.clock import SystemClock
from agent.adapters.scanners import lookout
from agent.adapters.scanners.hotplug import KernelEvents
from agent.adapters.scanners.presence import Presence
from agent.composition.scanners import build_scanner
from agent.config import ScannerSettings
from lab.guest.waiting import until
from lab.journal import Heard, heard_line

PRESENT_S_MAX = 30.0
CLOCK_S = 2 * PRESENT_S_MAX  # a device that only the lookouts' clock would find is not found in time
BEGUN_S_MAX = 20.0
STOPPED_S_MAX = 10.0
LOOK_S = 0.02
ASK_BYTES_MAX = 4_096


class Listener:
    """The driver's end: knows how often each scanner was present or absent and how much it emitted."""

    def __init__(self, settings: Sequence[dict[str, Any]], journal: Path, log: Path) -> None:
        self._heard: Counter[str] = Counter()
        self._presence: Counter[tuple[str, str]] = Counter()
        self._begun: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._log = log
        mine, theirs = os.pipe()
        self._asking, asked = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(mine)
            self._asking.close()
            _listen_and_exit(settings, theirs, asked)
        os.close(theirs)
        asked.close()
        self._thread = threading.Thread(target=self._follow, args=(os.fdopen(mine), journal), daemon=True)
        self._thread.start()

    def heard(self, scanner: str) -> int:
        """Return how many scans, faulty ones too, this scanner has emitted."""
        return self._heard[scanner]

    def until_heard(self, scanner: str, count: int, s_max: float) -> bool:
        """Wait for that many scans; say whether they came. The verdict does not ask this."""
        return self._until(lambda: self._heard[scanner] >= count, s_max)

    def presences(self, scanner: str, presence: str = "present") -> int:
        """Return how often the scanner said so."""
        return self._presence[scanner, presence]

    def until_presence(self, scanner: str, presence: str, times: int, s_max: float = PRESENT_S_MAX) -> None:
        """Wait until the scanner has said that so often. Raises TimeoutError."""
        if not self._until(lambda: self._presence[scanner, presence] >= times, s_max):
            raise TimeoutError(f"{scanner} did not become {presence}")

    def until_begun(self, scanner: str) -> None:
        """Wait until the agent itself holds part of a scan that has not ended. Raises TimeoutError.

        What the kernel still has of it when the plug is pulled, nobody could have read.
        """
        before = self._begun[scanner]
        self._asking.sendall(scanner.encode() + b"\n")
        if not self._until(lambda: self._begun[scanner] > before, BEGUN_S_MAX):
            raise TimeoutError(f"{scanner} has read nothing of the half scan")

    def stall(self) -> None:
        """Stop the whole process, as a machine does that is busy with something else; return when all of it stands."""
        os.kill(self.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        until(lambda: all(map(_is_stopped, tasks.iterdir())), STOPPED_S_MAX, "the agent's scanners stop", LOOK_S / 10)

    def go_on(self) -> None:
        """Let it run again."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int:
        """End it in order; return its exit status."""
        os.kill(self.pid, signal.SIGTERM)
        end_s = time.monotonic() + PRESENT_S_MAX
        while time.monotonic() < end_s:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._thread.join(PRESENT_S_MAX)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return -signal.SIGKILL

    def _until(self, condition: Callable[[], bool], s_max: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, s_max)

    def _follow(self, pipe: IO[str], journal: Path) -> None:
        with pipe, journal.open("a", encoding="ascii") as file, self._log.open("a") as log:
            for line in pipe:
                match json.loads(line):
                    case ["scan", scanner, data, aim, fault]:
                        file.write(heard_line(Heard(scanner, bytes.fromhex(data), aim, fault)))
                        file.flush()
                        self._count(self._heard, scanner)
                    case ["presence", scanner, presence, why]:
                        log.write(f"{time.monotonic():.3f} {scanner} is {presence}: {why}\n")
                        log.flush()
                        self._count(self._presence, (scanner, presence))
                    case ["begun", scanner]:
                        self._count(self._begun, scanner)

    def _count(self, counter: Counter[Any], what: object) -> None:
        with self._changed:
            counter[what] += 1
            self._changed.notify_all()


def _is_stopped(task: Path) -> bool:
    """Say whether a thread stands still; its state is behind its name (proc(5))."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"


def _listen_and_exit(settings: Sequence[dict[str, Any]], out: int, asked: socket.socket) -> None:
    status = 1
    try:
        asyncio.run(_listen(settings, out, asked))
        status = 0
    except BaseException:  # noqa: BLE001 — told and ended with; a fork must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


async def _listen(settings: Sequence[dict[str, Any]], out: int, asked: socket.socket) -> None:
    """Run every scanner until SIGTERM, and write what they say as lines.

    Their clock is slowed, so that each plug that is put in proves that the kernel's event was heard and followed.
    """
    lookout.REOPEN_DELAY_S_FIRST = lookout.REOPEN_DELAY_S_MAX = CLOCK_S

    def tell(*what: object) -> None:
        os.write(out, json.dumps(what).encode() + b"\n")

    def on_presence(scanner: str, presence: Presence, why: str) -> None:
        tell("presence", scanner, presence.value, why)

    clock, events = SystemClock(), KernelEvents()
    events.start()
    built = [build_scanner(msgspec.convert(one, ScannerSettings), clock, on_presence, events) for one in settings]

    async def listen(scanner: Any) -> None:
        async for scan in scanner.scans():
            tell("scan", scan.scanner, scan.data.hex(), scan.aim, scan.fault)

    by_id: dict[str, Any] = {scanner.id: scanner for scanner in built}

    async def tell_begun() -> None:
        asked.setblocking(False)
        while names := await asyncio.get_running_loop().sock_recv(asked, ASK_BYTES_MAX):
            for name in names.decode().split():
                while (assembler := by_id[name]._assembler) is None or assembler.due_at_ms is None:  # noqa: SLF001
                    await asyncio.sleep(LOOK_S)
                tell("begun", name)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(listen(scanner)) for scanner in built]
        tasks.append(group.create_task(tell_begun()))
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: [task.cancel() for task in tasks] and None
        )
