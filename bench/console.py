"""From a decision shown to the moment a program that reads raw server-sent events has it.

Eight programs listen in one process of their own, as a site's kiosk and desks would, at more decisions a second than
any site makes. The clock is the machine's monotonic one, which both processes share.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from agent.adapters.clock import SystemClock, SystemRandomness
from agent.adapters.console.console import Console
from agent.adapters.console.opening import open_server
from agent.adapters.console.server import Settings
from agent.adapters.keys.sealing import new_data_key
from agent.adapters.keys.signing import load_or_create
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import ThreadedLedger
from agent.composition.ledger import LedgerValues
from agent.composition.scanners import Entrance
from agent.core.decision import Answer, Decision
from agent.core.transaction import Transaction
from agent.core.verdict import Outcome, Verdict
from agent.tasks.requests import RequestDesk
from agent.tasks.requests import Settings as RequestSettings
from bench.line import Line

LISTENERS = 8
DECISIONS = 300
RATE_PER_S = 50
P99_S_MAX = 0.050
READ_S_MAX = 30.0
ACCEPTED = Decision(Answer.ACCEPT, "ok", "payment", Verdict("ehc", Outcome.VERIFIED, "ok"))

READERS = """\
import asyncio, sys, time
async def read(port, token, count):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /v1/events HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Bearer {token}\\r\\n\\r\\n"
    writer.write(head.encode())
    await reader.readuntil(b"\\r\\n\\r\\n")
    print("listening", flush=True)
    found = []
    while len(found) < count:
        line = await reader.readuntil(b"\\n")
        if line.startswith(b'data: {"seq":'):
            found.append((int(line[13:line.index(b",")]), time.monotonic_ns()))
    return found
async def main():
    port, token, listeners, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for found in await asyncio.gather(*(read(port, token, count) for _ in range(listeners))):
        for seq, at_ns in found:
            print(seq, at_ns)
asyncio.run(main())
"""


async def measure(folder: Path) -> list[float]:
    """Return seconds from each decision shown to each listener having it."""
    clock, randomness, console = SystemClock(), SystemRandomness(), Console(lines_to=None)
    file = LedgerFile.open(
        folder / "ledger.sqlite", terminal="kiosk-1", signer=load_or_create(folder / "key.pem"),
        new_data_key=new_data_key, randomness=randomness, uplinks=[],
    )  # fmt: skip

    async def status() -> dict[str, object]:
        return {}

    async with ThreadedLedger(file) as ledger:
        desk = RequestDesk(
            ledger=ledger, trust_store=_NoTrust(), scanners=[], display=console, on_change=lambda _: None, clock=clock,
            randomness=randomness, settings=RequestSettings(),
        )  # fmt: skip
        server = await open_server(
            Settings(listen="127.0.0.1:0"), folder / "token", console=console, requests=desk, scans=Entrance({}),
            ledger=ledger, values=LedgerValues(ledger), status=status, step="payment", clock=clock,
            randomness=randomness,
        )  # fmt: skip
        try:
            return await _shown_and_read(console, server.address.rpartition(":")[2], (folder / "token").read_text())
        finally:
            await server.stop()


class _NoTrust:
    """Implements ports.TrustStore."""

    current = None


async def _shown_and_read(console: Console, port: str, token: str) -> list[float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READERS, port, token.strip(), str(LISTENERS), str(DECISIONS),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READ_S_MAX):
            for _ in range(LISTENERS):
                await process.stdout.readline()
            shown_ns = dict[int, int]()
            for seq in range(1, DECISIONS + 1):
                shown_ns[seq] = time.monotonic_ns()
                await console.show("till", ACCEPTED, Transaction(bytes(16), seq, bytes(32)))
                await asyncio.sleep(1 / RATE_PER_S)
            read, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    pairs = [tuple(map(int, line.split())) for line in read.decode().splitlines()]
    if len(pairs) != LISTENERS * DECISIONS:
        raise RuntimeError(f"only {len(pairs)} of {LISTENERS * DECISIONS} events were read")
    return [(at_ns - shown_ns[seq]) / 1e9 for seq, at_ns in pairs]


def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="scanward-bench-") as folder:
        took_s = asyncio.run(measure(Path(folder)))
    p99_s = quantiles(took_s, n=100)[98]
    detail = (
        f"p50 {median(took_s) * 1e3:.1f} ms, worst {max(took_s) * 1e3:.1f} ms, {DECISIONS} decisions at {RATE_PER_S} a "
        f"second, {LISTENERS} listeners"
    )
    return [
        Line("decision shown to read by a raw event reader, p99", p99_s * 1e3, P99_S_MAX * 1e3, "at most", "ms", detail)
    ]
