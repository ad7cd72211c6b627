"""From a scan to a durable decision, beside what no implementation can do without.

That is: the bare signature check, one Ed25519 signature, and one SQLite commit with synchronous=FULL through a thread
hop, by themselves and in turn with the whole path, so that a busy machine slows both.
"""

import asyncio
import secrets
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import apsw
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

from agent.adapters.clock import SystemClock, SystemRandomness
from agent.adapters.keys.sealing import new_data_key
from agent.adapters.keys.signing import load_or_create
from agent.adapters.keys.verification import build_key
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import ThreadedLedger
from agent.core.decision import Answer, Decision, History
from agent.core.revocation import parse_revoked
from agent.core.scan import Scan
from agent.core.steps import parse_policy
from agent.core.transaction import Transaction
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.tasks.checkpoint import Checkpoint
from bench.doubles import FixedTrust, SilentDisplay
from bench.line import Line
from platform_stub.issuing.issuer import Issuer
from platform_stub.platform import make_platform

SCANS = 600
WARM_UP = 50
ROW_BYTES = 450
RATIO_MAX = 1.5


class Stopwatch(SilentDisplay):
    """A display that notes when a decision could first be seen."""

    def __init__(self) -> None:
        self.shown_at = 0.0
        self.accepted = 0

    async def show(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Note the time."""
        self.shown_at = time.perf_counter()
        self.accepted += decision.answer is Answer.ACCEPT


class Bare:
    """The three costs nobody escapes, by themselves."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._message = secrets.token_bytes(150)
        self._signature = key.sign(self._message, ec.ECDSA(SHA256()))
        self._public = key.public_key()
        self._es256 = ec.ECDSA(SHA256())
        self._signer = ed25519.Ed25519PrivateKey.generate()
        self._row = secrets.token_bytes(ROW_BYTES)
        self._connection = apsw.Connection(str(folder / "bare.sqlite"))
        self._connection.pragma("journal_mode", "WAL")
        self._connection.pragma("synchronous", "FULL")
        self._connection.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT")
        self._thread = ThreadPoolExecutor(1)

    async def once(self) -> None:
        """Check, sign, write durably."""
        self._public.verify(self._signature, self._message, self._es256)
        self._signer.sign(self._row)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write)

    def _write(self) -> None:
        self._connection.execute("INSERT INTO record (envelope) VALUES (?)", (self._row,))

    def close(self) -> None:
        """Close the file."""
        self._thread.shutdown()
        self._connection.close()


def trust_of(folder: Path) -> Trust:
    """Return the platform's trust list and policy, without their signatures: they are not what is measured."""
    (path,) = (folder / "repository" / "targets").glob("*.trust-list.json")
    policy = parse_policy((folder / "policy.toml").read_bytes())
    return Trust(parse_trust_list(path.read_bytes(), build_key), policy, parse_revoked(b""), None)


async def measure(folder: Path) -> Line:
    """Take turns, and compare medians."""
    clock, randomness = SystemClock(), SystemRandomness()
    now_s = clock.now().now.earliest_ms // 1000
    make_platform(folder / "platform", "4420", now_s)
    issuer, trust = Issuer(folder / "platform"), trust_of(folder / "platform")
    file = LedgerFile.open(
        folder / "ledger.sqlite", terminal="kiosk-1", signer=load_or_create(folder / "key.pem"),
        new_data_key=new_data_key, randomness=randomness, uplinks=["http"],
    )  # fmt: skip
    bare, watch = Bare(folder), Stopwatch()
    whole_s, bare_s = list[float](), list[float]()
    async with ThreadedLedger(file) as ledger:
        checkpoint = Checkpoint(
            ledger=ledger, trust_store=FixedTrust(trust), history=History(), display=watch, clock=clock
        )  # fmt: skip
        codes = [issuer.mint_dynamic(secrets.token_bytes(32), now_s, 120) for _ in range(SCANS + WARM_UP)]
        for code in codes:
            scan = Scan(data=code.encode(), scanner="till", at=clock.now())
            started = time.perf_counter()
            await checkpoint.check(scan, "payment")
            whole_s.append(watch.shown_at - started)
            started = time.perf_counter()
            await bare.once()
            bare_s.append(time.perf_counter() - started)
    bare.close()
    if watch.accepted != len(codes):
        raise RuntimeError(f"only {watch.accepted} of {len(codes)} codes were accepted")
    whole_p50_s, bare_p50_s = median(whole_s[WARM_UP:]), median(bare_s[WARM_UP:])
    return Line(
        "scan to durable decision / bare check + sign + FULL commit through a thread, p50",
        whole_p50_s / bare_p50_s, RATIO_MAX, "at most", "x",
        f"{whole_p50_s * 1e6:.0f} us against {bare_p50_s * 1e6:.0f} us, {SCANS} scans",
    )  # fmt: skip


def lines() -> list[Line]:
    """Measure, on the disk the checkout is on."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as folder:
        return [asyncio.run(measure(Path(folder)))]
