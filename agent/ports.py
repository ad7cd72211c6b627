"""What the tasks need of the world, and the troubles it may report.

Adapters implement the protocols and raise the errors; tasks speak to nothing else. An error is named after what can be
done about it; anything not listed here is a bug and ends the process.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core.decision import Decision
from agent.core.delivery import SalvagedRun, StoredRecord
from agent.core.online import Question
from agent.core.requests import Event, Request, Role
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import Draft, Transaction
from agent.core.trust_list import Trust


class AddressInUse(Exception):
    """The local API cannot listen where it was told to."""


class SecretUnusable(Exception):
    """A file with a secret cannot be used as it is; the message says which, and what to do."""


class LedgerFull(Exception):
    """No space for this record: nothing was written. Refuse, keep delivering."""


class LedgerRefused(Exception):
    """This record was not written, for a reason of its own (e.g. its one-time code is already used)."""


class LedgerBroken(Exception):
    """Whether the record was written is unknown (failed fsync, I/O error): answer nothing, end the process."""


class LedgerUnusable(Exception):
    """This ledger cannot be opened as it is (another process owns it, another terminal's, made by a later version).

    The message says what a person can do.
    """


class LedgerOvertaken(Exception):
    """The platform's history of this ledger is not ours: this terminal was restored from an old image.

    Nothing more can be delivered from this ledger as it is; a new one must be begun, and people must be told.
    """

    def __init__(self, seq: int, hash_: bytes) -> None:
        super().__init__(f"the platform's head {seq} is not in this ledger's history")
        self.seq = seq
        self.hash = hash_


class PlatformUnreachable(Exception):
    """No answer: try again later."""


class CarrierDown(PlatformUnreachable):
    """There is no connection: nothing was sent. Another carrier may be tried at once with the same bytes."""


class PlatformRejected(Exception):
    """The platform answered and will not take this request.

    `whole`: it rejects the terminal or the protocol, not this batch: wait and tell people. Otherwise try the records
    one by one. `reason` is the platform's, cut to 200 characters and stripped of anything unprintable.
    """

    def __init__(self, reason: str, *, whole: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.whole = whole


class PlatformLied(Exception):
    """An answer that is not signed as it must be, or not about what was asked. Nothing moves; people are told."""


@dataclass(frozen=True, slots=True)
class TrustFloor:
    """What the agent has already believed: nothing older is taken, whatever is signed.

    root_version: of the root under which timestamp_version was seen. A root that replaces the timestamp's or the
    snapshot's keys starts a new count (TUF 5.3.11), so a stolen online key cannot shut a terminal out for good.
    """

    timestamp_version: int = 0
    root_version: int = 0


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A trust list, revocations and policy on disk whose signatures were verified just now.

    name: its folder; manifest_sha256: hex, of its manifest, which holds the hashes of all else; expires_at_ms: when the
    first of the signed metadata expires, which may be past.
    """

    name: str
    manifest_sha256: str
    timestamp_version: int
    root_version: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """A live record that a platform rejected. at_ms: the latest instant of its stamp; None while that is unbounded."""

    uplink: str
    seq: int
    reason: str
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class TrustTrouble:
    """Why there is no new trust list: a stable word (docs/trust.md) and what was seen. What is in use stays."""

    reason: str
    detail: str


class Clock(Protocol):
    """The only reader of clocks."""

    def now(self) -> Stamp:
        """Return the stamp of this instant."""
        ...


class Randomness(Protocol):
    """The only source of ids and draws."""

    def bytes(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        ...

    def uniform(self) -> float:
        """Return a draw from [0, 1)."""
        ...


class Scanner(Protocol):
    """One scanner, for the life of the agent: it handles unplugging itself."""

    @property
    def id(self) -> str:
        """The configured id."""
        ...

    @property
    def presence(self) -> str | None:
        """Say "present" or "absent"; None before it has looked."""
        ...

    def scans(self) -> AsyncIterator[Scan]:
        """Yield whole scans, and faulty ones with their fault."""
        ...


class Ledger(Protocol):
    """The durable record. All methods may raise LedgerBroken."""

    @property
    def ledger_id(self) -> bytes:
        """16 bytes, made with the file."""
        ...

    async def append(self, draft: Draft) -> Transaction:
        """Number, chain, seal, sign and store a draft; return once it is durable. Raises LedgerFull, LedgerRefused."""
        ...

    async def signed_head(self) -> bytes:
        """Return the signed head of the whole ledger (batch.cddl, signed-head)."""
        ...

    async def hash_at(self, seq: int) -> bytes | None:
        """Return h(seq), or None where no such record is kept."""
        ...

    async def first_seq(self) -> int:
        """Return the seq behind the last one pruned: from there on nothing is missing; 1 in a ledger never pruned."""
        ...

    async def cursor(self, uplink: str) -> int:
        """Return the last seq settled with that uplink; 0 at first."""
        ...

    async def read(self, after: int, *, records_max: int, bytes_max: int) -> Sequence[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits (at least one, if there is one)."""
        ...

    async def sign_head_of(self, record: StoredRecord, *, ledger_id: bytes | None = None) -> bytes:
        """Return the signed head of the ledger as of that record; ledger_id: of an earlier ledger of this terminal."""
        ...

    async def settle(
        self, uplink: str, cursor: int, parked: Sequence[tuple[int, str]], *, resent: Sequence[int] = ()
    ) -> None:
        """Move the uplink's cursor to `cursor` (it may go back) and park (seq, reason) pairs, in one commit.

        resent: records of `resend` that are answered; those parked again are in `parked` as well.
        """
        ...

    async def resend(self, uplink: str) -> Sequence[StoredRecord]:
        """Return the parked records a person wants sent again, at most 200, not consecutive: one batch for each."""
        ...

    async def salvaged(self, uplink: str, *, records_max: int, bytes_max: int) -> SalvagedRun | None:
        """Return the next consecutive records of a ledger set aside that this uplink has not settled, if any."""
        ...

    async def settle_salvaged(self, uplink: str, run: SalvagedRun, parked: Sequence[tuple[int, str]]) -> None:
        """Move the uplink's cursor in those records behind the run and park (seq, reason) pairs, in one commit.

        What all uplinks have settled is deleted. Raises LedgerFull: then the run is still waiting.
        """
        ...

    async def wait_for_records(self, after: int) -> None:
        """Return as soon as there is a record behind seq `after`."""
        ...

    async def begin_anew(self, overtaken: LedgerOvertaken) -> None:
        """Set the ledger aside and go on in a new one, with a new id, that salvages what is not delivered.

        Appends given before finish in the old one, later ones wait for the new one. Raises LedgerUnusable where nothing
        was changed, LedgerBroken where the next start must see to it.
        """
        ...


class Uplink(Protocol):
    """One way to one platform."""

    @property
    def name(self) -> str:
        """Names its cursor."""
        ...

    async def hello(self, hello: bytes) -> bytes:
        """Send a hello (hello.cddl); return the answer's bytes. Raises PlatformUnreachable, PlatformRejected."""
        ...

    async def send(self, batch: bytes) -> bytes:
        """Send a batch (batch.cddl); return the signed receipt. Raises PlatformUnreachable, PlatformRejected."""
        ...

    def distrust(self, answer: bytes) -> None:
        """Take note that this answer to a hello or a batch was not the platform's."""
        ...

    async def tell_status(self, status: bytes) -> None:
        """Hand over a signed status (command.cddl). Raises PlatformUnreachable, PlatformRejected."""
        ...

    async def tell_answer(self, answer: bytes) -> None:
        """Hand over the signed answer to a command. Raises PlatformUnreachable, PlatformRejected."""
        ...


class Carrier(Uplink, Protocol):
    """One of several ways to the same platform; all of them share its cursor."""

    @property
    def kind(self) -> str:
        """Say which it is, e.g. "mqtt"; for people and status."""
        ...


class CommandSink(Protocol):
    """Where commands of the platform go, whatever carried them."""

    def offer(self, signed: bytes) -> None:
        """Take a command (command.cddl) as it came, unverified; where too many wait, drop it: it comes again."""
        ...


class OnlineVerifier(Protocol):
    """Asks the platform about one code that has no offline proof."""

    async def verify(self, question: Question, *, budget_s: float) -> bytes:
        """Ask, signed by this terminal; return the signed answer (online.cddl, verification).

        Raises PlatformUnreachable, also when the budget is over; PlatformRejected.
        """
        ...

    async def make_ready(self) -> None:
        """Make or hold a connection, so that none of a budget is spent on it. Raises PlatformUnreachable."""
        ...


class Display(Protocol):
    """What people on the spot see. Never called before the ledger's commit returned."""

    async def show(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Show a decision for a scan of that scanner. A client that does not keep up is dropped, never waited for."""
        ...

    async def notice(self, topic: str, text: str) -> None:
        """Show something about the terminal itself (scanner, uplink, alert); never about a person."""
        ...


class TrustStore(Protocol):
    """The verified trust list, policy and revocations, swapped atomically."""

    @property
    def current(self) -> Trust | None:
        """What is trusted now; None before the first trust list."""
        ...


class RefreshableTrustStore(TrustStore, Protocol):
    """A trust store as the task sees it that keeps it fresh. All methods may raise LedgerBroken."""

    async def restore(self) -> TrustTrouble | None:
        """Load what the agent had verified before; say why not."""
        ...

    async def floor(self) -> TrustFloor:
        """Return what no new trust list may lie below."""
        ...

    async def adopt(self, bundle: VerifiedBundle) -> TrustTrouble | None:
        """Read a bundle, make its floor durable, then swap it in; on trouble keep what is there and say why."""
        ...


class TrustRefresher(Protocol):
    """Fetches and verifies the signed trust list, away from the agent's process."""

    async def refresh(
        self, now: Interval, floor: TrustFloor, *, offline: bool = False
    ) -> VerifiedBundle | TrustTrouble:
        """Publish the newest verified bundle; `offline`: verify what is on disk again, without any network."""
        ...


class NamedValues(Protocol):
    """Small durable values beside the ledger's records. Both may raise LedgerBroken; `set` may raise LedgerFull."""

    async def get(self, name: str) -> bytes | None:
        """Return a value, or None where it was never set."""
        ...

    async def set(self, name: str, value: bytes) -> None:
        """Set a value; return once it is durable. Raises LedgerFull: then nothing was written."""
        ...


class Errands(Protocol):
    """What a checkpoint asks and tells about requests (core/requests.py)."""

    def step_for(self, scanner: str, step: str) -> str:
        """Return the step that this scanner's scan is for: that of a request that waits for it, else `step`."""
        ...

    async def decided(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Record what a stored decision is to a request, before it is shown. Raises LedgerBroken."""
        ...


class Requests(Protocol):
    """Requests as programs and people see them. What changes one raises RequestRefused, LedgerFull."""

    def get(self, request_id: bytes) -> Request | None:
        """Return a request, also one that has been over for a little while."""
        ...

    def waiting(self) -> Sequence[Request]:
        """Return the requests that are open or asking, the oldest first."""
        ...

    def left_s(self, request: Request) -> int | None:
        """Return how many whole seconds a request still waits; None where it is over."""
        ...

    async def open(self, by: Role, step: str, scanner: str | None, details: Mapping[str, str]) -> Request:
        """Ask that the next scan (of that scanner; None: of any) be for a step; return once that is durable."""
        ...

    async def change(self, by: Role, request_id: bytes, event: Event, items: Sequence[str] = ()) -> Request:
        """Confirm, cancel or add items; return once that is durable. What has already happened is answered again."""
        ...


class ParkedRecords(Protocol):
    """What a platform rejected, for a person to look at. Both may raise LedgerBroken."""

    async def parked(self, records_max: int) -> tuple[int, Sequence[ParkedRecord]]:
        """Return how many records are parked, and the first of them."""
        ...

    async def retry_parked(self, seq: int) -> bool:
        """Have a parked record sent again after the next hello; False where it is not parked. Raises LedgerFull."""
        ...
