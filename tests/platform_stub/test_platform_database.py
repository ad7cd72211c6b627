"""The one writer: answers follow the commit, what gathers is committed together, an error ends it for everyone."""

import asyncio
import sqlite3

import pytest

from platform_stub.database import Database, DatabaseBroken

COUNT = "SELECT count(*) FROM forks"
INSERT = (
    "INSERT INTO forks (terminal, ledger_id, seq, held_hash, other_hash, found_at_ms) VALUES ('t', x'', ?, x'', x'', 0)"
)


def job(seq):
    async def insert(db):
        await db.execute(INSERT, (seq,))
        return seq

    return insert


async def test_an_answer_is_given_after_the_commit(tmp_path):
    path = tmp_path / "p.sqlite"
    async with Database.open(path) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())
        for seq in range(1, 4):
            assert await database.write(job(seq)) == seq
            outsider = sqlite3.connect(path)
            assert outsider.execute(COUNT).fetchone() == (seq,)
            outsider.close()
        writer.cancel()


async def test_what_waits_is_committed_together_and_each_gets_its_own_answer(tmp_path):
    async with Database.open(tmp_path / "p.sqlite") as database, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(database.write(job(seq))) for seq in range(100)]
        writer = tasks.create_task(database.run())
        assert await asyncio.gather(*waiting) == list(range(100))
        assert (await database.read(COUNT))[0][0] == 100
        writer.cancel()


async def test_an_error_stores_nothing_of_its_commit_and_ends_the_writer(tmp_path):
    async def broken(db):
        await db.execute("INSERT INTO no_such_table VALUES (1)")

    path = tmp_path / "p.sqlite"
    async with Database.open(path) as database:
        waiting = asyncio.gather(database.write(job(1)), database.write(broken), return_exceptions=True)
        await asyncio.sleep(0)
        with pytest.raises(DatabaseBroken, match="no_such_table"):
            await database.run()
        assert [type(answer) for answer in await waiting] == [DatabaseBroken] * 2
        with pytest.raises(DatabaseBroken, match="stopped"):
            await database.write(job(2))
    async with Database.open(path) as database:
        assert (await database.read(COUNT))[0][0] == 0


async def test_readers_cannot_write(tmp_path):
    async with Database.open(tmp_path / "p.sqlite") as database:
        with pytest.raises(DatabaseBroken, match="readonly"):
            await database.read(INSERT, (1,))


async def test_commits_are_synced_and_in_a_write_ahead_log(tmp_path):
    async with Database.open(tmp_path / "p.sqlite") as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run())

        async def settings(db):
            return [
                (await (await db.execute(f"PRAGMA {name}")).fetchone())[0] for name in ("journal_mode", "synchronous")
            ]

        assert await database.write(settings) == ["wal", 2]
        writer.cancel()


async def test_a_file_that_is_no_database_is_one_clear_error(tmp_path):
    (tmp_path / "p.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseBroken, match="not a database"):
        async with Database.open(tmp_path / "p.sqlite"):
            pytest.fail("opened")
