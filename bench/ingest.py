"""Storing batches on PostgreSQL, beside SQLite and beside a bare insert of the same rows, in one run.

Batches are checked beforehand: what is measured is judging, writing and the durable commit. The bare insert sends the
rows as they were stored, 200 a commit, into a table of the same shape, over a bare connection. Where PostgreSQL is not
installed, that is what the line says.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import asyncpg  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.doubles import BODY
from bench.line import Line
from platform_stub.storage import archive
from platform_stub.storage.database import Database, Job, Transaction
from platform_stub.storage.databases import open_database
from platform_stub.storage.dialect import rows_insert_for_postgresql, rows_insert_of
from platform_stub.storage.place import Server
from platform_stub.storage.statements import INSERT_RECORD
from platform_stub.wire.chain import CheckedBatch, Item, hash_of, hash_of_nothing
from platform_stub.wire.cose import Signed
from platform_stub.wire.message import Batch, Head
from platform_stub.wire.record import Record
from tests.fakes import postgresql

TERMINALS = 8  # at once, each batch after batch
BATCHES = 12  # of each
RECORDS = 200  # in each
ENVELOPE_BYTES = 400
ROUNDS = 5
ROWS = TERMINALS * BATCHES * RECORDS
AT_MS = 1_800_000_000_000
SIGNED = Signed(-8, bytes(8), b"", b"", b"")
KEY = Ed25519PrivateKey.generate().public_key()


def batches_of(terminal: str) -> list[CheckedBatch]:
    """Return a terminal's ledger as checked batches, each record with a one-time code."""
    ledger_id, made, seq = os.urandom(16), list[CheckedBatch](), 0
    prev = hash_of_nothing(ledger_id)
    for _ in range(BATCHES):
        items = list[Item]()
        for _ in range(RECORDS):
            seq += 1
            envelope = os.urandom(ENVELOPE_BYTES)
            fields = {**BODY, 1: terminal, 2: ledger_id, 3: seq, 4: prev, 5: 0, 18: os.urandom(16)}
            items.append(Item(seq, hash_of(prev, seq, envelope), prev, envelope, Record(SIGNED, fields), None))
            prev = items[-1].hash
        head = Head(SIGNED, terminal, ledger_id, seq, prev)
        envelopes = tuple(item.envelope for item in items)
        batch = Batch(os.urandom(16), terminal, ledger_id, items[0].seq, envelopes, head)
        made.append(CheckedBatch(batch, KEY, tuple(items), whole=True))
    return made


def storing(checked: CheckedBatch) -> Job[archive.Stored]:
    """Return the job that stores a batch."""

    async def store(db: Transaction) -> archive.Stored:
        return await archive.store_batch(db, checked, AT_MS)

    return store


async def store_all(databases: list[Database]) -> float:
    """Return how long the workers take for fresh ledgers, each terminal waiting for its receipts."""
    ledgers = [batches_of(f"kiosk-{number}") for number in range(TERMINALS)]

    async def deliver(database: Database, ledger: list[CheckedBatch]) -> None:
        for checked in ledger:
            stored = await database.write(storing(checked), checked.batch.terminal)
            if stored.head.seq != checked.items[-1].seq:
                raise RuntimeError("a batch was not stored as a whole")

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, ledger in enumerate(ledgers):
            group.create_task(deliver(databases[number % len(databases)], ledger))
    return time.perf_counter() - started


async def insert_bare(server: Server) -> float:
    """Return how long a bare connection takes for the rows of the last round, 200 a commit."""
    insert = rows_insert_of(INSERT_RECORD)
    if insert is None:
        raise RuntimeError("the statement has changed its form")
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute("SET synchronous_commit = on")
        await connection.execute("DROP TABLE IF EXISTS bare; CREATE TABLE bare (LIKE records INCLUDING ALL)")
        rows = await connection.fetch(f"SELECT {insert[1]} FROM records ORDER BY id DESC LIMIT {ROWS}")  # noqa: S608
        prepared = await connection.prepare(f"SELECT {insert[1]} FROM records")  # noqa: S608
        types = [attribute.type.name for attribute in prepared.get_attributes()]
        sql = rows_insert_for_postgresql(INSERT_RECORD.replace("INTO records", "INTO bare"), types)
        chunks = [[list(c) for c in zip(*rows[at : at + RECORDS], strict=True)] for at in range(0, ROWS, RECORDS)]
        started = time.perf_counter()
        for columns in chunks:
            await connection.execute(sql, *columns)
        return time.perf_counter() - started
    finally:
        await connection.close()


async def measure(folder: Path, server: Server) -> list[Line]:
    """Take turns, and compare medians."""
    sqlite_s, one_s, two_s, bare_s = list[float](), list[float](), list[float](), list[float]()
    async with (
        open_database(folder / "platform.sqlite") as sqlite,
        open_database(server) as one,
        open_database(server) as other,
        asyncio.TaskGroup() as group,
    ):
        writers = [group.create_task(database.run()) for database in (sqlite, one, other)]
        for _ in range(ROUNDS):
            sqlite_s.append(await store_all([sqlite]))
            one_s.append(await store_all([one]))
            bare_s.append(await insert_bare(server))
            two_s.append(await store_all([one, other]))
        for writer in writers:
            writer.cancel()
    sqlite_rate, rate, two_rate, bare_rate = (ROWS / median(times) for times in (sqlite_s, one_s, two_s, bare_s))
    return [
        Line(
            "ingest on PostgreSQL / a bare insert of the same rows", rate / bare_rate, 0.5, "at least", "x",
            f"{rate:,.0f}/s against {bare_rate:,.0f}/s",
        ),
        Line(
            "ingest on PostgreSQL / ingest on SQLite", rate / sqlite_rate, 0.5, "at least", "x",
            f"{rate:,.0f}/s against {sqlite_rate:,.0f}/s; two writers of one process {two_rate:,.0f}/s",
        ),
    ]  # fmt: skip


def lines() -> list[Line]:
    """Measure."""
    if postgresql.programs() is None:
        return [Line("ingest on PostgreSQL", 0, 0.5, "at least", "x", "not measured: PostgreSQL is not installed")]
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as folder, postgresql.running() as cluster:
        return asyncio.run(measure(Path(folder), cluster.make_database()))
