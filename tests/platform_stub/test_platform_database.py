"""The one writer, over each database: answers follow the commit, what gathers goes together, a failure stays alone."""

import asyncio
import sqlite3
import traceback

import pytest

from platform_stub.storage.database import DatabaseBroken, StatementRefused
from platform_stub.storage.database_sqlite import SqliteDatabase
from platform_stub.storage.databases import open_database
from platform_stub.storage.place import Server
from platform_stub.storage.schema import Schema

COUNT = "SELECT count(*) FROM forks"
INSERT = "INSERT INTO forks (terminal, ledger_id, seq, held_hash, other_hash, found_at_ms) VALUES (?, ?, ?, ?, ?, ?)"


def columns(seq):
    return ("t", b"", seq, b"", b"", 0)


def job(seq):
    async def insert(db):
        assert await db.execute(INSERT, columns(seq)) == 1
        return seq

    return insert


async def test_an_answer_is_given_after_the_commit(place, ask_outside):
    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())
        for seq in range(1, 4):
            assert await database.write(job(seq)) == seq
            assert ask_outside(COUNT) == [(seq,)]
        writer.cancel()


async def test_what_waits_is_committed_together_and_each_gets_its_own_answer(place):
    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(database.write(job(seq), f"subject {seq % 7}")) for seq in range(100)]
        writer = tasks.create_task(database.run())
        assert await asyncio.gather(*waiting) == list(range(100))
        assert await database.read(COUNT) == [(100,)]
        writer.cancel()


async def test_many_rows_go_in_one_statement_and_only_those_written_are_counted(place):
    async def insert(db):
        first = await db.executemany(INSERT, [columns(seq) for seq in range(50)])
        again = await db.executemany(f"{INSERT} ON CONFLICT DO NOTHING", [columns(seq) for seq in range(40, 60)])
        update = "UPDATE forks SET found_at_ms = ? WHERE seq = ?"
        return first, again, await db.executemany(update, [(1, 3), (1, 4), (1, 99)])

    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())
        assert await database.write(insert) == (50, 10, 2)
        rows = await database.read("SELECT seq FROM forks ORDER BY id")
        assert [row[0] for row in rows] == list(range(60))
        writer.cancel()


class OutOfOrder(Exception):
    """An error of a job's own."""


async def wrong_statement(db):
    await job(77)(db)
    await db.execute("INSERT INTO no_such_table VALUES (1)")


async def broken_rule(db):
    await job(78)(db)
    await db.execute(INSERT, columns(None))


async def own_error(db):
    await job(79)(db)
    raise OutOfOrder


@pytest.mark.parametrize(
    ("bad", "expected"),
    [(wrong_statement, StatementRefused), (broken_rule, StatementRefused), (own_error, OutOfOrder)],
    ids=lambda value: value.__name__,
)
@pytest.mark.parametrize("company", [0, 2])
async def test_a_job_that_fails_leaves_nothing_and_its_neighbours_are_stored(place, bad, expected, company):
    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        jobs = [*map(job, range(company)), bad, *map(job, range(10, 10 + company))]
        waiting = asyncio.gather(*map(database.write, jobs), return_exceptions=True)
        await asyncio.sleep(0)  # all of them wait now, and go into one commit
        writer = tasks.create_task(database.run())
        answers = await waiting
        assert type(answers.pop(company)) is expected
        assert answers == [*range(company), *range(10, 10 + company)]
        assert await database.read(COUNT) == [(2 * company,)]
        assert await database.write(job(1000)) == 1000
        writer.cancel()


async def test_a_refusal_names_no_value(place):
    invented = "terces detnevni na"[::-1]  # a traceback shows the line, not what it makes

    async def secret(db):
        await db.execute(INSERT, (invented, None, 1, b"", b"", 0))

    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())
        with pytest.raises(StatementRefused) as refused:
            await database.write(secret)
        assert invented not in "".join(traceback.format_exception(refused.value))
        writer.cancel()


async def test_a_text_with_a_nul_is_stored(place):
    async def insert(db):
        await db.execute(INSERT, ("a\0b", b"\0", 1, b"", b"", 0))
        await db.executemany(INSERT, [("c\0d", b"\0", seq, b"", b"", 0) for seq in range(2)])

    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())
        await database.write(insert)
        assert [row[0] for row in await database.read("SELECT ledger_id FROM forks")] == [b"\0"] * 3
        writer.cancel()


async def test_a_disk_that_is_full_ends_the_writer_and_stores_nothing_of_its_commit(platform_directory):
    async def fill(db):
        await db.execute("PRAGMA max_page_count = 1")
        await db.executemany(INSERT, [("t" * 1000, b"", seq, b"", b"", 0) for seq in range(1000)])

    path = platform_directory / "p.sqlite"
    async with open_database(path) as database:
        waiting = asyncio.gather(database.write(job(1)), database.write(fill), return_exceptions=True)
        await asyncio.sleep(0)
        with pytest.raises(DatabaseBroken, match="full"):
            await database.run()
        assert [type(answer) for answer in await waiting] == [DatabaseBroken] * 2
        with pytest.raises(DatabaseBroken, match="stopped"):
            await database.write(job(2))
    async with open_database(path) as database:
        assert await database.read(COUNT) == [(0,)]


async def test_readers_cannot_write(place):
    async with open_database(place) as database:
        with pytest.raises(DatabaseBroken, match=r"(?i)read.?only"):
            await database.read(INSERT, columns(1))


async def test_commits_are_synced(place):
    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())

        async def settings(db):
            if isinstance(place, Server):
                return await db.rows("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            return [(await db.rows(f"PRAGMA {name}"))[0][0] for name in ("journal_mode", "synchronous")]

        assert await database.write(settings) == ([("on", "on")] if isinstance(place, Server) else ["wal", 2])
        writer.cancel()


async def test_a_file_that_is_no_database_is_one_clear_error(tmp_path):
    (tmp_path / "p.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseBroken, match="not a database"):
        async with open_database(tmp_path / "p.sqlite"):
            pytest.fail("opened")


OLD = Schema(1, ("CREATE TABLE records (id INTEGER PRIMARY KEY, said TEXT NOT NULL) STRICT;",), {})
NEW = Schema(
    3,
    ("CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, said TEXT, seen INTEGER, heard BLOB) STRICT;",),
    {
        2: "ALTER TABLE records ADD COLUMN seen INTEGER; -- a comment; with a semicolon\nUPDATE records SET seen = 5;",
        3: "ALTER TABLE records ADD COLUMN heard BLOB;",
    },
)


def opened(place, schema):
    if isinstance(place, Server):
        from platform_stub.storage.database_postgresql import PostgresqlDatabase

        return PostgresqlDatabase.at(place, schema)
    return SqliteDatabase.at(place, schema)


async def test_an_older_database_is_brought_up_to_date_step_by_step_and_once(place, ask_outside):
    async with opened(place, OLD):
        pass
    async with opened(place, OLD) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())

        async def insert(db):
            await db.execute("INSERT INTO records (said) VALUES (?)", ("something",))

        await database.write(insert)
        writer.cancel()
    for _ in range(2):
        async with opened(place, NEW) as database:
            assert await database.read("SELECT said, seen, heard FROM records") == [("something", 5, None)]
    assert ask_outside("SELECT version FROM schema_held") == [(3,)]


async def test_a_new_database_is_made_as_it_must_be_without_steps(place):
    async with opened(place, NEW) as database:
        assert await database.read("SELECT said, seen, heard FROM records") == []


async def test_a_step_that_fails_leaves_the_database_as_it_was(place, ask_outside):
    bad = Schema(2, OLD.files, {2: "ALTER TABLE records ADD COLUMN seen INTEGER; UPDATE no_such_table SET a = 1;"})
    async with opened(place, OLD):
        pass
    with pytest.raises(DatabaseBroken):
        async with opened(place, bad):
            pytest.fail("opened")
    assert ask_outside("SELECT version FROM schema_held") == [(1,)]
    async with opened(place, NEW) as database:
        assert await database.read("SELECT seen FROM records") == []


async def test_a_database_of_a_newer_program_is_left_alone(place):
    async with opened(place, NEW):
        pass
    with pytest.raises(DatabaseBroken, match=r"schema 3, this one knows 1\): update this program"):
        async with opened(place, OLD):
            pytest.fail("opened")


async def test_a_file_from_before_versions_were_noted_is_taken_as_the_first(tmp_path):
    with sqlite3.connect(tmp_path / "p.sqlite") as connection:
        connection.execute(OLD.files[0])
    connection.close()
    async with opened(tmp_path / "p.sqlite", NEW) as database:
        assert await database.read("SELECT seen, heard FROM records") == []
