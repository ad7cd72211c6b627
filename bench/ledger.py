"""The ledger against the obvious way: one commit per call of the same work, through a thread hop, on the same disk."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.clock import SystemRandomness
from agent.adapters.keys.sealing import new_data_key
from agent.adapters.keys.signing import load_or_create
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import ThreadedLedger
from agent.core.decision import ReplayClaim
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import Draft, Kind, Recipient, Transaction, encode
from bench.doubles import BODY
from bench.line import Line

PRODUCERS = 64
ROUNDS = 5
SLOW_SYNC_S = 0.010
_ON_DISK = Path(__file__).parents[1] / "var"  # beside the code: on a disk, where /tmp may be memory


class SlowDisk(apsw.VFS):
    """The operating system's files with an fsync as slow as an SD card's."""

    NAME = "slow-disk"

    def __init__(self) -> None:
        super().__init__(self.NAME, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """Open a file that syncs slowly."""
        return _SlowFile("", name, flags)


class _SlowFile(apsw.VFSFile):
    def xSync(self, flags: int) -> None:  # noqa: N802
        time.sleep(SLOW_SYNC_S)
        super().xSync(flags)


def lines() -> list[Line]:
    """Measure; about 15 s. The two sides of a ratio take turns, so that a busy machine slows both down."""
    plain = [(_grouped(3_000), _per_call(500)) for _ in range(ROUNDS)]
    disk = SlowDisk()
    try:
        slow = [(_grouped(3_000, disk.NAME), _per_call(100, disk.NAME))]
    finally:
        disk.unregister()
    return [
        _ratio("ledger, 64 producers / one commit per call", plain, 5),
        _ratio("the same with a 10 ms fsync", slow, 10),
    ]


def _ratio(name: str, pairs: list[tuple[float, float]], bound: float) -> Line:
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return Line(name, ratio, bound, "at least", "x", f"{ours:,.0f}/s, {theirs:,.0f}/s, median of {len(pairs)}")


def _grouped(count: int, vfs: str | None = None) -> float:
    """Return records per second of 64 tasks appending through the threaded ledger."""

    async def measure(file: LedgerFile) -> float:
        async with ThreadedLedger(file) as ledger:

            async def produce(drafts: list[Draft]) -> None:
                for draft in drafts:
                    await ledger.append(draft)

            took_s = await _timed([produce(part) for part in _parts(count)])
            assert ledger.head_seq == count + 1  # and the data key
            return count / took_s

    with _folder() as folder:
        return asyncio.run(measure(_open(folder, vfs)))


def _per_call(count: int, vfs: str | None = None) -> float:
    """Return records per second of 64 tasks, each commit on its own through a thread hop."""

    async def measure(file: LedgerFile, executor: ThreadPoolExecutor) -> float:
        loop = asyncio.get_running_loop()

        async def produce(drafts: list[Draft]) -> None:
            for draft in drafts:
                (outcome,) = await loop.run_in_executor(executor, file.commit, [draft])
                assert isinstance(outcome, Transaction)

        return count / await _timed([produce(part) for part in _parts(count)])

    with _folder() as folder, ThreadPoolExecutor(1) as executor:
        file = _open(folder, vfs)
        try:
            return asyncio.run(measure(file, executor))
        finally:
            file.close()


async def _timed(producers: list[Coroutine[None, None, None]]) -> float:
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for producer in producers:
            group.create_task(producer)
    return time.perf_counter() - started


def _parts(count: int) -> list[list[Draft]]:
    drafts = _drafts(count)
    return [drafts[producer::PRODUCERS] for producer in range(PRODUCERS)]


def _drafts(count: int) -> list[Draft]:
    """Return accepted decisions as a payment step drafts them: a one-time code, a sealed card id."""
    private = x25519.X25519PrivateKey.generate()
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    recipients = (Recipient(bytes(8), spki),)
    at = Stamp(bytes(16), 1, Interval(1_800_000_000_000, 1_800_000_004_000), "os")
    ids = [os.urandom(16) for _ in range(count)]
    return [
        Draft(
            Kind.DECISION,
            at,
            {**BODY, 18: replay_id},
            sealed_fields=encode({1: os.urandom(32)}),
            recipients=recipients,
            claim=ReplayClaim(replay_id, 1_800_000_075_000),
        )
        for replay_id in ids
    ]


def _open(folder: Path, vfs: str | None) -> LedgerFile:
    return LedgerFile.open(
        folder / "ledger.sqlite",
        terminal="bench-1",
        signer=load_or_create(folder / "key.pem"),
        new_data_key=new_data_key,
        randomness=SystemRandomness(),
        uplinks=["platform"],
        vfs=vfs,
    )


@contextmanager
def _folder() -> Iterator[Path]:
    _ON_DISK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-ledger-", dir=_ON_DISK) as folder:
        yield Path(folder)
