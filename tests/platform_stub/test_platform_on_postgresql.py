"""What only a server's database brings: several workers on it, its absence and return, its passwords and settings."""

import asyncio
import json
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from vectors import generate

from fakes import postgresql
from fakes.platform_process import finish, post, receipt_of, start
from platform_stub.storage import archive
from platform_stub.storage.database import DatabaseBroken
from platform_stub.storage.database_postgresql import _lock_of
from platform_stub.storage.databases import open_database
from platform_stub.storage.place import Server
from platform_stub.wire.chain import check_batch
from platform_stub.wire.message import read_batch
from platform_stub.wire.receipt import Status

DEADLINE_S = 30
ACCEPTED, USED = (0, "ok"), (2, "replay.used-elsewhere")


@pytest.fixture
def place(postgresql_cluster):
    return postgresql_cluster.make_schema()


@pytest.fixture(scope="module")
def own_cluster():
    """A server that tests of this file may stop and set up wrongly."""
    with postgresql.running() as cluster:
        yield cluster


@asynccontextmanager
async def workers(place, count):
    """Run the writers of several workers on one database."""
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database(place)) for _ in range(count)]
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        writers = [tasks.create_task(database.run()) for database in databases]
        yield databases
        for writer in writers:
            writer.cancel()


def storing(terminal):
    """Return the job that stores all of a terminal's ledger as one batch."""
    checked = check_batch(read_batch(terminal.batch()), terminal.key.public_key(), None)

    async def store(db):
        return await archive.store_batch(db, checked, generate.NOW_S * 1000)

    return store


def statuses(stored):
    return [(int(result.status), result.reason) for result in stored.results]


async def until_one_waits(cluster):
    """Wait until a worker waits for another one's lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ? AND wait_event_type = 'Lock'"
    async with asyncio.timeout(DEADLINE_S):
        while await asyncio.to_thread(cluster.ask, sql, "scanward-platform") == [(0,)]:
            pass


async def test_a_code_two_workers_store_at_once_is_accepted_once_and_a_conflict_for_the_other(
    place, postgresql_cluster, make_terminal
):
    first, second = make_terminal(), make_terminal("kiosk-2", ledger="another")
    for terminal in (first, second):
        terminal.fill(3).add(f18=b"one-time-code-16", f19=0)
    stored, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(db):
        answer = await storing(first)(db)
        stored.set()
        await goes_on.wait()
        return answer

    async with workers(place, 2) as (one, other), asyncio.TaskGroup() as tasks:
        earlier = tasks.create_task(one.write(slow, first.id))
        await stored.wait()  # but not committed
        later = tasks.create_task(other.write(storing(second), second.id))
        await until_one_waits(postgresql_cluster)
        goes_on.set()
        assert statuses(await earlier) == [ACCEPTED] * 4
        assert statuses(await later) == [ACCEPTED] * 3 + [USED]
        assert await one.read("SELECT kind, terminal, other_terminal FROM alerts") == [
            ("replay.used-elsewhere", "kiosk-2", "kiosk-1")
        ]


async def test_one_batch_at_two_workers_at_once_is_stored_once(place, make_terminal):
    terminals = [make_terminal(f"kiosk-{n}", ledger=f"ledger {n}").fill(30) for n in range(20)]
    async with workers(place, 2) as databases:
        answers = await asyncio.gather(*(
            database.write(storing(terminal), terminal.id) for terminal in terminals for database in databases
        ))  # fmt: skip
        for pair in zip(answers[::2], answers[1::2], strict=True):
            assert {answer.head.seq for answer in pair} == {30}
            both = [{result.status for result in results} for results in zip(*(a.results for a in pair), strict=True)]
            assert both == [{Status.ACCEPTED, Status.DUPLICATE}] * 30
        assert await databases[0].read("SELECT count(*) FROM records") == [(600,)]
        assert await databases[0].read("SELECT count(*) FROM alerts") == [(0,)]


async def test_workers_that_wait_for_each_other_are_set_free_and_every_job_is_done(place, make_terminal):
    by_lock = sorted(
        (make_terminal(f"kiosk-{n}", ledger=f"ledger {n}") for n in range(8)), key=lambda t: _lock_of(t.id)
    )
    mine, others = by_lock[::2][:2], by_lock[1::2][:2]
    code_x, code_y = b"one-time-code-x.", b"one-time-code-y."
    for terminal, code in zip([*mine, *others], [code_x, code_y, code_y, code_x], strict=True):
        terminal.add(f18=code, f19=0)
    both = asyncio.Barrier(2)
    met = list[str]()

    def meeting(terminal):
        async def store(db):
            answer = await storing(terminal)(db)
            if terminal.id not in met:
                met.append(terminal.id)
                await both.wait()  # each worker holds one code now and wants the other's
            return answer

        return store

    async with open_database(place) as one, open_database(place) as other, asyncio.TaskGroup() as tasks:
        waiting = asyncio.gather(
            one.write(meeting(mine[0]), mine[0].id), one.write(storing(mine[1]), mine[1].id),
            other.write(meeting(others[0]), others[0].id), other.write(storing(others[1]), others[1].id),
        )  # fmt: skip
        await asyncio.sleep(0)
        writers = [tasks.create_task(database.run()) for database in (one, other)]
        async with asyncio.timeout(DEADLINE_S):
            answers = [statuses(answer)[0] for answer in await waiting]
        assert sorted(answers) == [ACCEPTED, ACCEPTED, USED, USED]
        accepted = await one.read("SELECT replay_id FROM records WHERE status = 0 ORDER BY replay_id")
        assert accepted == [(code_x,), (code_y,)]
        for writer in writers:
            writer.cancel()


def test_two_processes_on_one_directory_share_the_database(tmp_path, place, postgresql_cluster, make_terminal):
    rounds = 15
    pairs = [
        [make_terminal(f"kiosk-{n}-{side}", ledger=f"ledger {n} {side}").fill(4) for side in "ab"]
        for n in range(rounds)
    ]
    (tmp_path / "p" / "terminals").mkdir(parents=True)
    for n, pair in enumerate(pairs):
        for terminal in pair:
            terminal.add(f18=b"one-time-code-%02d" % n, f19=0)
            (tmp_path / "p" / "terminals" / f"{terminal.id}.json").write_text(json.dumps(terminal.registration()))
    one, address = start(tmp_path / "p", "--database", place.url)
    other, other_address = start(tmp_path / "p")

    async def send(address, terminal):
        return receipt_of(await asyncio.to_thread(post, address, terminal, "batches", terminal.batch()))

    async def race():
        for pair in pairs:
            receipts = await asyncio.gather(send(address, pair[0]), send(other_address, pair[1]))
            said = [[result[2:4] for result in receipt[4]] for receipt in receipts]
            assert [results[:4] for results in said] == [[[0, "ok"]] * 4] * 2
            assert sorted(results[4] for results in said) == [[0, "ok"], [2, "replay.used-elsewhere"]]
            again = await asyncio.gather(send(address, pair[1]), send(other_address, pair[0]))
            assert [receipt[5][0] for receipt in again] == [5, 5]

    asyncio.run(race())
    assert postgresql_cluster.ask("SELECT count(*) FROM records", place=place) == [(10 * rounds,)]
    assert postgresql_cluster.ask("SELECT kind, count(*) FROM alerts GROUP BY kind", place=place) == [
        ("replay.used-elsewhere", rounds)
    ]
    for process in (one, other):
        status, _, err = finish(process, signal.SIGTERM)
        assert (status, "Traceback" in err) == (0, False)


class TestAway:
    """The server goes and comes back."""

    @pytest.fixture
    def place(self, own_cluster):
        own_cluster.start()
        return own_cluster.make_schema()

    @pytest.fixture
    def ask_outside(self, own_cluster, place):
        return lambda sql, *parameters: own_cluster.ask(sql, *parameters, place=place)

    async def test_batches_are_told_to_come_later_and_are_taken_when_the_server_is_back(
        self, run_platform, terminal, own_cluster, caplog
    ):
        terminal.fill(10)
        caplog.set_level("INFO", "platform_stub")
        async with run_platform(terminal) as platform:
            assert (await platform.send(terminal, terminal.batch(1, 4)))[1] == 4
            events = await platform.client.get("/v1/events")
            await asyncio.to_thread(own_cluster.stop, signal.SIGQUIT)
            for what, body in (
                ("batches", terminal.batch(5, 8)),
                ("hello", terminal.hello()),
                ("batches", terminal.batch()),
            ):
                status, answer = await platform.post(terminal, what, body)
                assert (status, json.loads(answer)["code"]) == (503, "platform.database")
            async with platform.client.get("/") as answer:
                assert answer.status == 503
            await asyncio.to_thread(own_cluster.start)
            assert await platform.greet(terminal) == [4, terminal.hashes[4]]
            assert (await platform.send(terminal, terminal.batch(5, 10)))[1] == 10
            assert platform.ask("SELECT count(*) FROM records") == [(10,)]
            events.close()
        assert [r.getMessage().partition(",")[0] for r in caplog.records if "database" in r.name] == [
            "the database is away", "the database is back"
        ]  # fmt: skip

    async def test_what_was_receipted_survives_crashes_of_the_server_under_load(
        self, run_platform, make_terminal, own_cluster
    ):
        terminals = [make_terminal(f"kiosk-{n}", label=f"t {n}", ledger=f"ledger {n}").fill(150) for n in range(6)]
        receipted = dict.fromkeys((terminal.id for terminal in terminals), 0)
        refused = [0]

        async def deliver(platform, terminal):
            while (head := receipted[terminal.id]) < 150:
                status, answer = await platform.post(terminal, "batches", terminal.batch(head + 1, head + 5))
                if status == 503:
                    refused[0] += 1
                    await asyncio.sleep(0.01)
                    continue
                assert status == 200, answer
                receipt = platform.open_receipt(answer)
                assert {result[2] for result in receipt[4]} <= {0, 1}
                receipted[terminal.id] = receipt[5][0]

        async with run_platform(*terminals) as platform, asyncio.timeout(3 * DEADLINE_S), asyncio.TaskGroup() as tasks:
            deliveries = [tasks.create_task(deliver(platform, terminal)) for terminal in terminals]
            for crash in (150, 450):
                while sum(receipted.values()) < crash:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                await asyncio.to_thread(own_cluster.stop, signal.SIGQUIT)
                held = dict(receipted)
                await asyncio.to_thread(own_cluster.start)
                heads = dict(platform.ask("SELECT terminal, head_seq FROM ledgers"))
                assert {name: heads[name] for name in heads if heads[name] < held[name]} == {}
            await asyncio.gather(*deliveries)
            assert platform.ask("SELECT count(*), count(DISTINCT hash) FROM records") == [(900, 900)]
            assert platform.ask("SELECT count(*) FROM alerts") == [(0,)]
            assert refused[0] > 0

    async def test_a_worker_cut_off_in_the_middle_of_a_commit_leaves_nothing_of_it(self, place, own_cluster, terminal):
        stored, goes_on = asyncio.Event(), asyncio.Event()

        async def slow(db):
            await storing(terminal.fill(3))(db)
            stored.set()
            await goes_on.wait()
            return await db.rows("SELECT count(*) FROM records")

        async with workers(place, 1) as (database,), asyncio.TaskGroup() as tasks:
            cut = tasks.create_task(_error_of(database.write(slow)))
            await stored.wait()
            cutting = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scanward-platform'"
            )
            await asyncio.to_thread(own_cluster.ask, cutting)
            goes_on.set()
            assert await cut == "DatabaseAway"
            assert await database.read("SELECT count(*) FROM records") == [(0,)]
            assert statuses(await database.write(storing(terminal))) == [ACCEPTED] * 3


async def _error_of(awaitable):
    try:
        await awaitable
    except DatabaseBroken as error:
        return type(error).__name__


async def refusal_of(server):
    with pytest.raises(DatabaseBroken) as refused:
        async with open_database(server):
            pytest.fail("opened")
    assert "\n" not in str(refused.value)
    return str(refused.value)


async def test_a_start_without_its_database_is_one_clear_error_that_says_what_to_do(postgresql_cluster, tmp_path):
    port = postgresql_cluster.port
    absent = await refusal_of(Server(f"postgresql://owner@127.0.0.1:{postgresql._free_port()}/platform"))
    assert absent.endswith("Look at whether the server runs and listens there")
    assert "createdb" in await refusal_of(Server(f"postgresql://owner@127.0.0.1:{port}/no_such"))
    nobody = await refusal_of(Server(f"postgresql://nobody@127.0.0.1:{port}/postgres"))
    assert 'role "nobody" does not exist' in nobody
    assert "Look at the user" in nobody
    gone = Server(f"postgresql://owner@127.0.0.1:{port}/postgres", tmp_path / "absent")
    assert "No such file" in await refusal_of(gone)


async def test_a_database_that_is_not_in_utf8_is_refused(postgresql_cluster):
    postgresql_cluster.ask("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    assert "its encoding is LATIN1" in await refusal_of(Server(postgresql_cluster.url("latin")))


async def test_a_server_that_does_not_sync_is_refused(own_cluster):
    own_cluster.stop()
    configuration = own_cluster.folder / "data" / "postgresql.conf"
    sound = configuration.read_text()
    configuration.write_text(sound + "fsync = off\n")
    try:
        own_cluster.start()
        assert "a power cut would take back what was receipted" in await refusal_of(Server(own_cluster.url()))
    finally:
        configuration.write_text(sound)
        own_cluster.stop()
        own_cluster.start()


async def test_a_user_who_may_make_no_tables_is_told_so(postgresql_cluster):
    place = postgresql_cluster.make_database()
    name = place.url.rpartition("/")[2]
    postgresql_cluster.ask("DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'poor') THEN "
                           "CREATE ROLE poor LOGIN; END IF; END $$")  # fmt: skip
    refusal = await refusal_of(Server(f"postgresql://poor@127.0.0.1:{postgresql_cluster.port}/{name}"))
    assert "The user must own the database" in refusal


def test_the_password_is_read_from_its_file_and_said_nowhere(tmp_path, postgresql_cluster):
    password = "an-invented-password-7"
    name = postgresql_cluster.make_database().url.rpartition("/")[2]
    postgresql_cluster.ask(f"CREATE ROLE guarded LOGIN PASSWORD '{password}'")
    postgresql_cluster.ask(f"ALTER DATABASE {name} OWNER TO guarded")
    url = f"postgresql://guarded@127.0.0.1:{postgresql_cluster.port}/{name}"
    (tmp_path / "right").write_text(f"{password}\n")
    (tmp_path / "wrong").write_text("another\n")
    command = [sys.executable, "-m", "platform_stub", "run", str(tmp_path / "p"), "--listen", "127.0.0.1:0"]
    command += ["--database", url, "--database-password-file"]
    failed = subprocess.run([*command, str(tmp_path / "wrong")], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert 'password authentication failed for user "guarded"' in failed.stderr
    assert not (tmp_path / "p" / "database.toml").exists()  # what did not open is not remembered
    process, _ = start(tmp_path / "p", *command[7:], str(tmp_path / "right"))
    said = [failed.stderr, *finish(process, signal.SIGTERM)[1:], (tmp_path / "p" / "database.toml").read_text()]
    process, address = start(tmp_path / "p")
    assert address.startswith("http://")
    said += finish(process, signal.SIGTERM)[1:]
    assert password not in "".join(said)
    assert "another" not in failed.stderr


async def test_sixty_four_bits_are_enough_for_the_page(run_platform, terminal):
    highest = 2**63 - 1
    async with run_platform(terminal) as platform:
        await platform.greet(terminal, f7=terminal.head(0, f3=highest, f4=bytes(32)))
        async with platform.client.get("/") as answer:
            assert f"1–{highest - 1}" in await answer.text() or f"1–{highest}" in await answer.text()
