"""What terminals say, and the platform's answers: the same over every carrier.

The law: a receipt is made only after its commit; what is refused is a Problem, whose status is that of HTTP. Who may
speak is decided here and in speakers.py, what is made of a batch in ingest.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub import commands, status
from platform_stub.changes import Changes
from platform_stub.registry import Terminal
from platform_stub.speakers import Speakers
from platform_stub.storage import archive
from platform_stub.storage.database import Database, Transaction
from platform_stub.web.problem import Problem
from platform_stub.wire.chain import CheckedBatch, check_batch, hash_of_nothing
from platform_stub.wire.message import (
    HEAD_AAD,
    PROTOCOL_VERSION,
    Batch,
    Hello,
    MessageInvalid,
    read_batch,
    read_hello,
)
from platform_stub.wire.receipt import ContiguousHead, hello_answer, sign_receipt


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message came in: its address names the terminal; over MQTT also the site."""

    carrier: str
    terminal: str
    site: str | None = None


class Conversation:
    """Answers terminals. now_ms: the platform's time."""

    def __init__(
        self,
        database: Database,
        speakers: Speakers,
        receipt_key: ed25519.Ed25519PrivateKey,
        changes: Changes,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._speakers = speakers
        self._receipt_key = receipt_key
        self._changes = changes
        self._now_ms = now_ms

    async def hello(self, body: bytes, place: Place) -> bytes:
        """Take a hello (hello.cddl) and return the answer. Raises Problem, DatabaseBroken."""
        try:
            hello = read_hello(body)
        except MessageInvalid as error:
            raise Problem(400, "message.malformed", str(error)) from error
        terminal = await self._who_sent(hello, place)
        if hello.site != terminal.site:
            raise Problem(409, "message.other-site", "The terminal is registered for another site.")
        if PROTOCOL_VERSION not in hello.versions:
            raise Problem(400, "message.version", f"The platform speaks version {PROTOCOL_VERSION}.")
        if hello.head.seq == 0 and hello.head.hash != hash_of_nothing(hello.ledger_id):
            raise Problem(400, "message.malformed", "The head of an empty ledger is the hash of its id.")
        at_ms = self._now_ms()

        async def store(db: Transaction) -> tuple[ContiguousHead, list[bytes]]:
            await status.store_carrier(db, terminal.id, place.carrier, at_ms)
            return await archive.store_hello(db, hello, at_ms), await commands.hand_out(db, terminal.id, at_ms)

        head, waiting = await self._database.write(store, terminal.id)
        self._changes.note()
        receipt = sign_receipt(self._receipt_key, hello.hello_id, terminal.id, hello.ledger_id, (), head, at_ms)
        return hello_answer(receipt, waiting)

    async def batch(self, body: bytes, place: Place) -> bytes:
        """Take a batch (batch.cddl), store it and return the signed receipt. Raises Problem, DatabaseBroken."""
        try:
            batch = read_batch(body)
            terminal = await self._who_sent(batch, place)
            checked = await self._check(batch, terminal)
        except MessageInvalid as error:
            raise Problem(400, "message.malformed", str(error)) from error
        at_ms = self._now_ms()
        stored = await self._database.write(lambda db: archive.store_batch(db, checked, at_ms), terminal.id)
        self._changes.note()
        return sign_receipt(
            self._receipt_key, batch.batch_id, terminal.id, batch.ledger_id, stored.results, stored.head, at_ms
        )

    async def status(self, body: bytes, place: Place) -> None:
        """Take a terminal's status (command.cddl) and keep it where it is news. Raises Problem, DatabaseBroken."""
        try:
            said = status.read_status(body)
        except MessageInvalid as error:
            raise Problem(400, "message.malformed", str(error)) from error
        _same_terminal(said.terminal, place)
        terminal = await self._speakers.who_signed(said.terminal, status.STATUS_AAD, said.signed)
        _same_site(terminal, place)
        if said.site != terminal.site:
            raise Problem(409, "message.other-site", "The terminal is registered for another site.")
        at_ms = self._now_ms()
        await self._database.write(lambda db: status.store_status(db, said, place.carrier, at_ms), terminal.id)
        self._changes.note()

    async def answer(self, body: bytes, place: Place) -> None:
        """Take the answer to a command (command.cddl); the first one counts. Raises Problem, DatabaseBroken."""
        try:
            said = commands.read_answer(body)
        except MessageInvalid as error:
            raise Problem(400, "message.malformed", str(error)) from error
        _same_terminal(said.terminal, place)
        terminal = await self._speakers.who_signed(said.terminal, commands.ANSWER_AAD, said.signed)
        _same_site(terminal, place)
        at_ms = self._now_ms()
        if not await self._database.write(lambda db: commands.store_answer(db, said, at_ms), terminal.id):
            raise Problem(404, "command.unknown", "The platform gave this terminal no such command.")
        self._changes.note()

    async def _check(self, batch: Batch, terminal: Terminal) -> CheckedBatch:
        before = None
        if batch.first_seq > 1:
            before = await archive.hash_at(self._database, terminal.id, batch.ledger_id, batch.first_seq - 1)
        return check_batch(batch, terminal.key, before)

    async def _who_sent(self, message: Hello | Batch, place: Place) -> Terminal:
        """Return the terminal that signed the head, having checked that everything names the same one."""
        head = message.head
        _same_terminal(message.terminal, place)
        if head.terminal != message.terminal or head.ledger_id != message.ledger_id:
            raise Problem(409, "message.other-ledger", "Message and signed head name different ledgers.")
        terminal = await self._speakers.who_signed(message.terminal, HEAD_AAD, head.signed)
        _same_site(terminal, place)
        return terminal


def _same_terminal(terminal_id: str, place: Place) -> None:
    if place.terminal != terminal_id:
        raise Problem(409, "message.other-terminal", "Address and message name different terminals.")


def _same_site(terminal: Terminal, place: Place) -> None:
    if place.site is not None and place.site != terminal.site:
        raise Problem(409, "message.other-site", "The terminal is registered for another site.")
