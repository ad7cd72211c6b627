"""Draining a backlog to a real platform process, beside a raw sender of the same batches to the same ingest.

The raw sender posts batches made beforehand, eight at a time, and looks at no receipt: it is what the carrier and the
ingest can do. While the backlog drains, live appends are timed too.
"""

import asyncio
import json
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import aiohttp

from agent.adapters.clock import SystemClock, SystemRandomness
from agent.adapters.keys.sealing import new_data_key
from agent.adapters.keys.signing import load_or_create
from agent.adapters.keys.verification import build_key
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.uplinks.http import CBOR, HttpUplink, Settings
from agent.core.decision import History
from agent.core.delivery import BATCH_BYTES_MAX, BATCH_OVERHEAD_BYTES, BATCH_RECORDS_MAX, encode_batch
from agent.core.time_interval import SignedTime
from agent.core.transaction import Draft, Kind
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.tasks.delivery import Delivery, Identity
from agent.tasks.delivery import Settings as DeliverySettings
from bench.doubles import BODY, FixedTrust, SilentDisplay
from bench.line import Line
from demo.processes import Program, free_port

RECORDS = 10_000
ROUNDS = 3
IN_FLIGHT = 8
LIVE_EVERY_S = 0.003


def drafts(count: int) -> list[Draft]:
    """Return decisions as they come: about 400 bytes each once stored."""
    clock, randomness = SystemClock(), SystemRandomness()
    return [Draft(Kind.DECISION, clock.now(), {**BODY, 18: randomness.bytes(16)}) for _ in range(count)]


@asynccontextmanager
async def platform(folder: Path, *mqtt: str):  # type: ignore[no-untyped-def]
    """Run a platform process that knows the terminal kiosk-1; without a broker unless one is asked for."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve = ["-m", "platform_stub", "run", str(folder / "platform"), "--listen", f"127.0.0.1:{port}"]
    program = Program(
        "the platform",
        [*serve, *(mqtt or ("--no-mqtt",))],
        folder / "platform.log",
        f"{url}/healthz",
    )
    await program.start()
    try:
        key = load_or_create(folder / "key.pem")
        registration = folder / "platform" / "terminals" / "kiosk-1.json"
        registration.parent.mkdir(exist_ok=True)
        registration.write_text(json.dumps(key.registration("kiosk-1", "bench")))
        yield url, key
    finally:
        await program.stop()


def trust_of(folder: Path) -> Trust:
    """Return the platform's trust list, without its signatures: they are not what is measured."""
    (path,) = (folder / "platform" / "repository" / "targets").glob("*.trust-list.json")
    return Trust(parse_trust_list(path.read_bytes(), build_key), None, None, None)


def filled_ledger(path: Path, key: object, cursor: str = HttpUplink.name) -> LedgerFile:
    """Return a ledger with a backlog."""
    file = LedgerFile.open(
        path, terminal="kiosk-1", signer=key, new_data_key=new_data_key, randomness=SystemRandomness(),  # type: ignore[arg-type]
        uplinks=[cursor],
    )  # fmt: skip
    backlog = drafts(RECORDS)
    for start in range(0, RECORDS, 1_000):
        file.commit(backlog[start : start + 1_000])
    return file


async def drain(file: LedgerFile, url: str, trust: Trust, live_s: list[float] | None) -> float:
    """Return how long the agent's delivery takes for the backlog; time live appends meanwhile if asked."""
    async with ThreadedLedger(file) as ledger, HttpUplink(Settings(url=url), "kiosk-1") as uplink:
        delivery = Delivery(
            ledger=ledger, uplink=uplink, trust_store=FixedTrust(trust), identity=Identity("kiosk-1", "bench", "bench"),
            history=History(), display=SilentDisplay(), clock=SystemClock(), randomness=SystemRandomness(),
            signed_time=SignedTime(), settings=DeliverySettings(rate_per_s=1e6, burst=1e6),
        )  # fmt: skip
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(delivery.run())
            while delivery.cursor < RECORDS:
                await asyncio.sleep(LIVE_EVERY_S)
                if live_s is not None:
                    before = time.perf_counter()
                    await ledger.append(drafts(1)[0])
                    live_s.append(time.perf_counter() - before)
            elapsed_s = time.perf_counter() - started
            task.cancel()
        return elapsed_s


def batches_of(file: LedgerFile) -> list[bytes]:
    """Return a backlog as batches, and close its ledger."""
    randomness, batches, after = SystemRandomness(), list[bytes](), 0
    while records := file.read(after, records_max=BATCH_RECORDS_MAX, bytes_max=BATCH_BYTES_MAX - BATCH_OVERHEAD_BYTES):
        head = file.sign_head_of(records[-1])
        batches.append(encode_batch(randomness.bytes(16), "kiosk-1", file.chain.ledger_id, records, head))
        after = records[-1].seq
    file.close()
    return batches


async def send_raw(file: LedgerFile, url: str) -> float:
    """Return how long the carrier and the ingest take for the same backlog, made into batches beforehand."""
    waiting = iter(batches_of(file))

    async def sender(client: aiohttp.ClientSession) -> None:
        for batch in waiting:
            async with client.post(
                f"{url}/v1/terminals/kiosk-1/batches", data=batch, headers={"Content-Type": CBOR}
            ) as answer:
                if answer.status != 200:
                    raise RuntimeError(f"the platform answers {answer.status}")
                await answer.read()

    async with aiohttp.ClientSession() as client:
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(sender(client))
        return time.perf_counter() - started


async def measure(folder: Path) -> list[Line]:
    """Take turns, and compare medians."""
    raw_s, drain_s, live_s = list[float](), list[float](), list[float]()
    async with platform(folder) as (url, key):
        trust = trust_of(folder)
        for number in range(ROUNDS):
            raw_s.append(await send_raw(filled_ledger(folder / f"raw-{number}.sqlite", key), url))
            drain_s.append(await drain(filled_ledger(folder / f"drain-{number}.sqlite", key), url, trust, None))
        await drain(filled_ledger(folder / "live.sqlite", key), url, trust, live_s)
    rates = RECORDS / median(drain_s), RECORDS / median(raw_s)
    live_p99_ms = sorted(live_s)[int(len(live_s) * 0.99)] * 1000
    return [
        Line(
            "drain over HTTP / raw sender to the same ingest", rates[0] / rates[1], 0.5, "at least", "x",
            f"{rates[0]:,.0f}/s against {rates[1]:,.0f}/s",
        ),
        Line(
            "live append while a backlog drains, p99", live_p99_ms, 100, "at most", "ms", f"{len(live_s)} appends"
        ),
    ]  # fmt: skip


def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as folder:
        return asyncio.run(measure(Path(folder)))
