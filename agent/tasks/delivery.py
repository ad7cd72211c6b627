"""Drain the ledger to one platform: hello, batches, receipts, cursor. One task per uplink and ledger.

The law: the cursor moves only behind what a valid receipt settled, and in the same commit as what is parked. Losing an
answer costs a batch sent twice, which the platform answers with "duplicate"; nothing is ever skipped. Salvaged records
of earlier ledgers go out between live ones (salvaged_delivery.py).
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import msgspec

from agent.core.backoff import Backoff, TokenBucket
from agent.core.decision import History
from agent.core.delivery import (
    BATCH_RECORDS_MAX,
    Receipt,
    ReceiptInvalid,
    Status,
    StoredRecord,
    decode_hello_answer,
    encode_batch,
    encode_hello,
    read_receipt,
    require_results_for,
)
from agent.core.time_interval import SignedTime
from agent.ports import (
    Clock,
    CommandSink,
    Display,
    Ledger,
    LedgerOvertaken,
    LinkBroke,
    PlatformLied,
    PlatformRejected,
    PlatformUnreachable,
    Randomness,
    TrustStore,
    Uplink,
)
from agent.tasks.salvaged_delivery import RECORDS_BYTES_MAX, Outcome, SalvagedDelivery

log = logging.getLogger(__name__)

REFUSALS_MIN = 5  # times a record is refused, beside receipts for its neighbours, before it is parked
CUT_DELAY_S_MAX = 0.25  # the pause after a link that broke, while such links bring receipts
CUTS_MAX = 10  # rounds in a row that ended so and brought none: then it is trouble like any other


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[delivery]. in_flight_max: batches sent at once. rate_per_s, burst: how fast a backlog may be drained.

    hello_interval_s: how often to say hello while nothing goes wrong.
    """

    in_flight_max: int = 8
    rate_per_s: float = 20_000.0
    burst: float = 4_000.0
    retry_delay_s_first: float = 0.5
    retry_delay_s_max: float = 60.0
    stable_s: float = 30.0
    hello_interval_s: float = 300.0

    def __post_init__(self) -> None:
        if not 1 <= self.in_flight_max <= 8:
            raise ValueError("in_flight_max must lie in [1, 8] (docs/protocol/batch.cddl)")
        for name in ("rate_per_s", "burst", "retry_delay_s_first", "retry_delay_s_max", "hello_interval_s"):
            if not 0 < getattr(self, name) < 1e9:  # also false for nan
                raise ValueError(f"{name} must lie in (0, 1e9)")
        if not 0 <= self.stable_s < 1e9:
            raise ValueError("stable_s must lie in [0, 1e9)")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: terminal and site ids, and the software's name and version."""

    terminal: str
    site: str
    software: str


class Delivery:
    """Delivers one ledger over one uplink until it is cancelled."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        uplink: Uplink,
        trust_store: TrustStore,
        identity: Identity,
        history: History,
        display: Display,
        clock: Clock,
        randomness: Randomness,
        signed_time: SignedTime,
        settings: Settings,
        commands: CommandSink | None = None,
        linked: asyncio.Event | None = None,
    ) -> None:
        """linked: set by whoever makes a link to the platform; it ends a pause."""
        self._ledger = ledger
        self._uplink = uplink
        self._trust_store = trust_store
        self._identity = identity
        self._history = history
        self._display = display
        self._clock = clock
        self._randomness = randomness
        self._signed_time = signed_time
        self._settings = settings
        self._commands = commands
        self._linked = linked or asyncio.Event()
        self._cuts = 0  # in a row, without a receipt in between
        self._head: int | None = None  # the highest contiguous head that the platform has signed in this connection
        self._receipts = 0  # for batches, all of them valid
        self._bucket = TokenBucket(settings.rate_per_s, settings.burst)
        self._salvaged = SalvagedDelivery(
            ledger=ledger,
            uplink=uplink.name,
            display=display,
            randomness=randomness,
            bucket=self._bucket,
            backoff=_backoff(settings),
            try_batch=self._try_batch,
            receipts=lambda: self._receipts,
        )
        self._hello_due_s = 0.0
        self._resting: asyncio.Timeout | None = None  # while there is nothing to send
        self.is_up: bool | None = None
        self.cursor = 0

    async def run(self) -> None:
        """Deliver for ever. Raises LedgerOvertaken, LedgerBroken."""
        backoff = _backoff(self._settings)
        self.cursor = await self._ledger.cursor(self._uplink.name)
        while True:
            self._linked.clear()
            receipts = self._receipts
            try:
                await self._greet()
                backoff.succeeded(self._now_s())
                await self._report(True, "the platform answers")
                await self._resend()
                await self._drain_until_next_hello()
            except LinkBroke as error:
                self._cuts = 0 if self._receipts > receipts else self._cuts + 1
                if self._cuts < CUTS_MAX:  # no fault of the platform, and no news: the next hello shows what is
                    await self._pause(CUT_DELAY_S_MAX * self._randomness.uniform())
                    continue
                await self._report(False, str(error))
            except PlatformUnreachable as error:
                await self._report(False, str(error))
            except PlatformRejected as error:
                await self._report(False, f"the platform refuses this terminal: {error.reason}")
            except PlatformLied as error:
                await self._report(False, f"the answer is not the platform's and was ignored: {error}")
            except LedgerOvertaken as error:
                await self._report(False, str(error))
                raise
            else:
                continue
            await self._pause(backoff.delay_s(self._now_s(), self._randomness.uniform()))

    async def _pause(self, delay_s: float) -> None:
        """Wait, until a link stands again at most: records do not lie here meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._linked.wait()

    def greet_soon(self) -> None:
        """Say hello as soon as nothing is in flight: a way to the platform seems to have gone, or come back."""
        self._hello_due_s = 0.0
        if self._resting is not None and not self._resting.expired():
            self._resting.reschedule(self._now_s())

    async def _greet(self) -> None:
        """Say hello, and go back where the platform's contiguous head says that it lost records."""
        hello_id = self._randomness.bytes(16)
        who, ledger = self._identity, self._ledger
        hello = encode_hello(
            hello_id, who.terminal, who.site, who.software, ledger.ledger_id, await ledger.signed_head(), self.cursor
        )
        answer = await self._uplink.hello(hello)
        with self._doubting(answer):
            signed, commands = decode_hello_answer(answer)
            receipt = self._read(signed, hello_id, ledger.ledger_id)
        if self._commands is not None:
            for command in commands:
                self._commands.offer(command)
        first = await ledger.first_seq()
        await self._require_same_history(receipt, first)
        is_restored = self._head is None or receipt.head_seq < self._head
        self._head = receipt.head_seq
        # A head beyond the cursor means a lost receipt. What it said of each record is asked by sending them again:
        # going on behind it would lose the word "rejected".
        if is_restored and receipt.head_seq < self.cursor:
            # Only then: a head that merely stays behind has a hole, which sending everything again would not fill.
            if receipt.head_seq < first - 1:
                lost = f"records {receipt.head_seq + 1} to {first - 1}"
                log.error("the platform lacks records that are no longer kept", extra={"records": lost})
                await self._display.notice("ledger", f"the platform lacks {lost}, which are no longer kept here")
            await self._go_back_to(min(self.cursor, max(receipt.head_seq, first - 1)))

    async def _go_back_to(self, seq: int) -> None:
        log.info("cursor moved by the platform", extra={"from_seq": self.cursor, "to_seq": seq})
        await self._settle(seq, [])

    async def _require_same_history(self, receipt: Receipt, first: int) -> None:
        """Compare the platform's head with ours: another hash there means one of the two was restored from an image.

        What lies before our first record cannot be compared: it is long delivered and no longer kept.
        """
        ours = await self._ledger.hash_at(receipt.head_seq)
        if ours is None and receipt.head_seq < first:
            return
        if ours is None or ours != receipt.head_hash:
            if receipt.head_seq < self.cursor:
                await self._settle(receipt.head_seq, [])  # what the platform no longer has is undelivered again
            raise LedgerOvertaken(receipt.head_seq, receipt.head_hash)

    async def _resend(self) -> None:
        """Try the parked records again that a person asked for (`scanward queue retry`)."""
        for record in await self._ledger.resend(self._uplink.name):
            outcome = await self._try_batch([record])
            if isinstance(outcome, PlatformRejected) and not outcome.whole:
                outcome = [(record.seq, outcome.reason)]  # parked it was, parked it stays: live records must not wait
            if isinstance(outcome, Exception):
                raise outcome
            await self._ledger.settle(self._uplink.name, self.cursor, outcome, resent=[record.seq])

    async def _drain_until_next_hello(self) -> None:
        self._hello_due_s = self._now_s() + self._settings.hello_interval_s
        self._salvaged.look_again()
        while (now_s := self._now_s()) < self._hello_due_s:
            if now_s >= self._salvaged.due_s:
                await self._salvaged.send_next()
            else:
                try:
                    async with asyncio.timeout(min(self._hello_due_s, self._salvaged.due_s) - now_s) as self._resting:
                        await self._ledger.wait_for_records(self.cursor)
                except TimeoutError:
                    continue
                finally:
                    self._resting = None
            await self._send_window()

    async def _send_window(self) -> None:
        """Send up to in_flight_max batches at once, then settle the prefix that came through."""
        batches = await self._next_batches()
        count = sum(len(records) for records in batches)
        if (wait_s := self._bucket.wait_s(self._now_s(), count)) > 0:
            await asyncio.sleep(wait_s)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._try_batch(records)) for records in batches]
        cursor, parked, trouble = self.cursor, list[tuple[int, str]](), None
        for records, task in zip(batches, tasks, strict=True):
            outcome = task.result()
            if isinstance(outcome, PlatformRejected) and not outcome.whole:
                # One poison record never blocks the rest: find it by sending its neighbours one by one.
                outcome = await self._send_singly(records)
            if isinstance(outcome, Exception):
                trouble = outcome
                break
            parked += outcome
            cursor = records[-1].seq
        if cursor != self.cursor:
            await self._settle(cursor, parked)
        for seq, reason in parked:
            await self._display.notice("parked", f"the platform rejected record {seq}: {reason}")
        if trouble is not None:
            raise trouble

    async def _next_batches(self) -> list[list[StoredRecord]]:
        """Read the next window, cut into batches."""
        batches = list[list[StoredRecord]]()
        after = self.cursor
        for _ in range(max(1, self._settings.in_flight_max >> self._cuts)):  # less, so that something comes through
            records = await self._ledger.read(after, records_max=BATCH_RECORDS_MAX, bytes_max=RECORDS_BYTES_MAX)
            if not records:
                break
            batches.append(list(records))
            after = records[-1].seq
            if len(records) < BATCH_RECORDS_MAX // 2:
                break
        return batches

    async def _try_batch(self, records: Sequence[StoredRecord], ledger_id: bytes | None = None) -> Outcome:
        """Send one batch; trouble is a value, so that one batch's does not cancel its neighbours'."""
        try:
            return await self._send(records, ledger_id or self._ledger.ledger_id)
        except (PlatformUnreachable, PlatformRejected, PlatformLied) as error:
            return error

    async def _send(self, records: Sequence[StoredRecord], ledger_id: bytes) -> list[tuple[int, str]]:
        """Send one batch and return what the receipt asks to park, as (seq, reason)."""
        batch_id = self._randomness.bytes(16)
        head = await self._ledger.sign_head_of(records[-1], ledger_id=ledger_id)
        batch = encode_batch(batch_id, self._identity.terminal, ledger_id, records, head)
        answer = await self._uplink.send(batch)
        with self._doubting(answer):
            receipt = self._read(answer, batch_id, ledger_id)
            require_results_for(records, receipt)
        of = "" if ledger_id == self._ledger.ledger_id else f" of ledger {ledger_id.hex()}"
        self._receipts += 1
        if ledger_id == self._ledger.ledger_id:
            self._head = max(self._head or 0, receipt.head_seq)
        for result in receipt.results:
            if result.status is Status.CONFLICT:
                log.warning("the platform reports a conflict", extra={"seq": result.seq, "reason": result.reason})
                await self._display.notice("conflict", f"record {result.seq}{of}: {result.reason}")
        return [(r.seq, r.reason) for r in receipt.results if r.status is Status.REJECTED]

    async def _send_singly(self, records: Sequence[StoredRecord]) -> Outcome:
        """Find what the platform cannot take. A refusal is not signed: it counts only beside a receipt that is.

        Where every record is refused, something in between may say so: then nothing is parked and nothing moves.
        """
        parked, receipts, waiting = list[tuple[int, str]](), self._receipts, list(records)
        refused = list[tuple[StoredRecord, str]]()
        for _ in range(REFUSALS_MIN):  # a proxy that fails now and then must not throw records into the drawer
            refused = []
            for record in waiting:
                outcome = await self._try_batch([record])
                match outcome:
                    case list():
                        parked += outcome
                    case PlatformRejected(whole=False):
                        refused.append((record, outcome.reason))
                    case _:
                        return outcome
            if refused and self._receipts == receipts:
                return PlatformUnreachable(f"every record is refused, without a signature: {refused[0][1]}")
            waiting = [record for record, _ in refused]
        return parked + [(record.seq, reason) for record, reason in refused]

    async def _settle(self, cursor: int, parked: Sequence[tuple[int, str]]) -> None:
        await self._ledger.settle(self._uplink.name, cursor, parked)
        self.cursor = cursor
        self._history.settled(cursor)

    def _read(self, signed: bytes, about: bytes, ledger_id: bytes) -> Receipt:
        trust = self._trust_store.current
        if trust is None:
            raise PlatformUnreachable("no trust list yet, so no receipt could be believed")
        receipt = read_receipt(signed, about, self._identity.terminal, ledger_id, trust, self._clock.now().now)
        self._signed_time.saw(receipt.at_ms)
        return receipt

    @contextmanager
    def _doubting(self, answer: bytes) -> Iterator[None]:
        """Tell the uplink of an answer that turns out not to be the platform's: another carrier may fare better."""
        try:
            yield
        except ReceiptInvalid as error:
            self._uplink.distrust(answer)
            raise PlatformLied(str(error)) from error

    async def _report(self, is_up: bool, text: str) -> None:
        """Tell people when the link comes or goes, not at every try."""
        if is_up == self.is_up:
            return
        self.is_up = is_up
        log.log(logging.INFO if is_up else logging.WARNING, "uplink", extra={"uplink": self._uplink.name, "why": text})
        await self._display.notice("uplink", text)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _backoff(settings: Settings) -> Backoff:
    return Backoff(
        first_s=settings.retry_delay_s_first, delay_s_max=settings.retry_delay_s_max, stable_s=settings.stable_s
    )
