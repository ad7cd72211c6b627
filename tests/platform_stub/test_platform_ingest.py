"""Ingest over HTTP: what is accepted, what is a duplicate, a gap, a fork, a double use, a reject, in receipts."""

import cbor2
import pytest
from vectors import generate

from platform_stub.storage import archive
from platform_stub.storage.databases import open_database

OK, DUPLICATE = (0, "ok"), (1, "ok")
FORK, USED = (2, "ledger.fork"), (2, "replay.used-elsewhere")
MALFORMED, BAD_SIGNATURE = (3, "record.malformed"), (3, "record.signature")
REPLAY = {"f18": b"one-time-code-16", "f19": 0}


def query(platform, sql, *parameters):
    """Ask the database as an outsider does."""
    return platform.ask(sql, *parameters)


def alerts(platform):
    return [row[0] for row in query(platform, "SELECT kind FROM alerts ORDER BY id")]


async def missing(platform, terminal):
    async with open_database(platform.place) as database:
        return await archive.gaps(database, terminal.id, terminal.ledger_id)


async def test_the_vectors_batch_is_accepted_and_its_fields_can_be_asked_for(run_platform, terminal, vectors):
    ledger = vectors("records")
    async with run_platform(terminal) as platform:
        results, head = await platform.send(terminal, bytes.fromhex(vectors("batch")["batch"]))
        assert (results, head) == ({1: OK, 2: OK, 3: OK}, 3)
        rows = query(platform, "SELECT terminal, ledger_id, seq, hash, kind, step, answer, reason, family, replay_id, "
                               "scanner, received_at_ms FROM records ORDER BY seq")  # fmt: skip
    assert [(row[0], row[1].hex(), row[3].hex()) for row in rows] == [
        ("kiosk-1", ledger["ledger_id"], record["hash"]) for record in ledger["records"]
    ]
    assert rows[0][4:] == (6, None, None, None, None, None, None, generate.NOW_S * 1000)
    assert rows[1][4:11] == (0, "payment", 0, "ok", "ehc", generate.REPLAY_ID, "cashier")
    assert rows[2][4:11] == (0, "payment", 3, "signature.invalid", "ehc", None, "cashier")


async def test_the_answer_to_the_vectors_hello_is_the_vectors_answer(run_platform, terminal, vectors):
    async with run_platform(terminal) as platform:
        status, answer = await platform.post(terminal, "hello", bytes.fromhex(vectors("hello")["hello"]))
    assert (status, answer.hex()) == (200, vectors("hello")["answer"])


async def test_a_batch_sent_again_is_a_duplicate_and_stored_once(run_platform, terminal):
    terminal.fill(5)
    async with run_platform(terminal) as platform:
        first, again = [await platform.send(terminal, terminal.batch()) for _ in range(2)]
        overlapping = await platform.send(terminal.clone(5).fill(2), terminal.clone(5).fill(2).batch(4))
        count = query(platform, "SELECT count(*) FROM records")
        assert alerts(platform) == []
    assert first == (dict.fromkeys(range(1, 6), OK), 5)
    assert again == (dict.fromkeys(range(1, 6), DUPLICATE), 5)
    assert overlapping == ({4: DUPLICATE, 5: DUPLICATE, 6: OK, 7: OK}, 7)
    assert count == [(7,)]


async def test_batches_out_of_order_are_stored_and_only_the_contiguous_prefix_is_countersigned(run_platform, terminal):
    terminal.fill(12)
    async with run_platform(terminal) as platform:
        heads = [(await platform.send(terminal, terminal.batch(a, b)))[1] for a, b in ((9, 10), (1, 3), (5, 5), (6, 8))]
        assert heads == [0, 3, 3, 3]
        assert await missing(platform, terminal) == [(4, 4)]
        assert (await platform.greet(terminal))[0] == 3
        assert await missing(platform, terminal) == [(4, 4), (11, 12)]  # the hello said that there is more
        page = await (await platform.client.get("/")).text()
        assert "<td>4, 11–12</td>" in page
        assert await platform.send(terminal, terminal.batch(4, 4)) == ({4: OK}, 10)
        assert await platform.send(terminal, terminal.batch(11, 12)) == ({11: OK, 12: OK}, 12)
        assert await missing(platform, terminal) == []
        assert alerts(platform) == []


async def test_a_long_tail_stored_early_is_followed_to_its_end(run_platform, terminal):
    terminal.fill(1300)
    async with run_platform(terminal) as platform:
        for first in range(2, 1301, 200):
            await platform.send(terminal, terminal.batch(first, min(first + 199, 1300)))
        assert await platform.send(terminal, terminal.batch(1, 1)) == ({1: OK}, 1300)


async def test_two_records_of_one_number_are_both_kept_as_a_fork(run_platform, terminal):
    clone = terminal.fill(3).clone(2)
    clone.add(f23="other")
    clone.add(f23="other")
    async with run_platform(terminal) as platform:
        await platform.send(terminal, terminal.batch())
        assert await platform.send(clone, clone.batch(3)) == ({3: FORK, 4: FORK}, 3)
        assert await platform.send(clone, clone.batch(3)) == ({3: FORK, 4: FORK}, 3)  # the same answer again
        terminal.fill(2)
        assert await platform.send(terminal, terminal.batch(4)) == ({4: OK, 5: OK}, 5)  # the first line goes on
        rows = query(platform, "SELECT seq, held_hash, other_hash FROM forks ORDER BY seq")
        kept = query(platform, "SELECT seq, scanner, forked FROM records WHERE seq IN (3, 4) ORDER BY seq, id")
        assert alerts(platform) == ["ledger.fork"]
    assert rows == [(3, terminal.hashes[3], clone.hashes[3])]
    assert kept == [(3, "desk", 0), (3, "other", 1), (4, "other", 1), (4, "desk", 0)]


async def test_a_fork_is_found_where_only_the_chain_tells(run_platform, terminal):
    clone = terminal.fill(3).clone(2)
    clone.add(f23="other")
    clone.add()
    async with run_platform(terminal) as platform:
        await platform.send(terminal, terminal.batch())
        assert await platform.send(clone, clone.batch(4)) == ({4: FORK}, 3)  # its prev is not what is held
        assert query(platform, "SELECT seq, held_hash, other_hash FROM forks") == [
            (3, terminal.hashes[3], clone.hashes[3])
        ]


async def test_a_fork_is_found_when_a_gap_is_filled_with_something_else(run_platform, terminal):
    clone = terminal.fill(4).clone(2)
    clone.add(f23="other")
    async with run_platform(terminal) as platform:
        await platform.send(terminal, terminal.batch(1, 2))
        await platform.send(terminal, terminal.batch(4, 4))
        assert await platform.send(clone, clone.batch(3)) == ({3: FORK}, 2)
        assert await platform.send(terminal, terminal.batch(3, 3)) == ({3: OK}, 4)


async def test_a_one_time_code_used_at_two_terminals_is_a_conflict_with_both_records(run_platform, make_terminal):
    first, second = make_terminal(), make_terminal("kiosk-2", label="another terminal", ledger="another ledger")
    first.add(**REPLAY)
    second.fill(1).add(**REPLAY)
    async with run_platform(first, second) as platform:
        assert (await platform.send(first, first.batch()))[0] == {1: OK}
        assert await platform.send(second, second.batch()) == ({1: OK, 2: USED}, 2)
        assert await platform.send(second, second.batch()) == ({1: DUPLICATE, 2: USED}, 2)  # the receipt was lost
        assert await platform.send(first, first.batch()) == ({1: DUPLICATE}, 1)
        rows = query(platform, "SELECT kind, terminal, seq, hash, other_terminal, other_seq, other_hash FROM alerts")
        assert query(platform, "SELECT count(*) FROM records WHERE replay_id = ?", REPLAY["f18"]) == [(2,)]
    assert rows == [("replay.used-elsewhere", "kiosk-2", 2, second.hashes[2], "kiosk-1", 1, first.hashes[1])]


async def test_a_one_time_code_used_twice_in_one_batch_is_a_conflict(run_platform, terminal):
    terminal.add(**REPLAY)
    terminal.add(**REPLAY)
    async with run_platform(terminal) as platform:
        assert await platform.send(terminal, terminal.batch()) == ({1: OK, 2: USED}, 2)


async def test_what_is_no_record_is_rejected_and_the_chain_goes_on_behind_it(run_platform, terminal):
    terminal.fill(1)
    terminal.add_raw(b"no record at all")
    terminal.add(f11=9)
    terminal.add(f3=77)
    terminal.fill(1)
    async with run_platform(terminal) as platform:
        expected = {1: OK, 2: MALFORMED, 3: MALFORMED, 4: MALFORMED, 5: OK}
        assert await platform.send(terminal, terminal.batch()) == (expected, 5)
        assert await platform.send(terminal, terminal.batch()) == (expected | {1: DUPLICATE, 5: DUPLICATE}, 5)
        assert await platform.send(terminal, terminal.batch(2, 2)) == ({2: MALFORMED}, 5)
        terminal.add_raw(b"first in its batch")
        terminal.fill(1)
        assert await platform.send(terminal, terminal.batch(6)) == ({6: MALFORMED, 7: OK}, 7)
        rows = query(platform, "SELECT seq, kind, status, envelope FROM records WHERE status = 3 ORDER BY seq")
        assert alerts(platform) == []
    assert rows[0] == (2, None, 3, b"no record at all")
    assert [row[0] for row in rows] == [2, 3, 4, 6]


async def test_a_record_damaged_on_the_way_is_rejected_by_its_signature_and_taken_when_it_comes_whole(
    run_platform, terminal
):
    terminal.fill(4)
    damaged = list(terminal.envelopes)
    damaged[1] = damaged[1][:-1] + bytes([damaged[1][-1] ^ 1])
    async with run_platform(terminal) as platform:
        batch = terminal.batch(f5=damaged)
        assert await platform.send(terminal, batch) == ({1: OK, 2: BAD_SIGNATURE, 3: OK, 4: OK}, 4)
        assert alerts(platform) == ["ledger.chain-broken"]
        assert query(platform, "SELECT hash, status FROM records WHERE seq = 2") == [(terminal.hashes[2], 3)]
        assert (await platform.send(terminal, terminal.batch()))[0] == {1: DUPLICATE, 2: OK, 3: DUPLICATE, 4: DUPLICATE}
        assert query(platform, "SELECT status, envelope FROM records WHERE seq = 2") == [(0, terminal.envelopes[1])]


async def test_a_record_that_nobody_vouches_for_is_not_kept(run_platform, terminal):
    terminal.fill(3)
    damaged = [terminal.envelopes[0], b"one", b"two"]
    async with run_platform(terminal) as platform:
        results = await platform.send(terminal, terminal.batch(f5=damaged))
        assert results == ({1: OK, 2: MALFORMED, 3: MALFORMED}, 1)
        assert query(platform, "SELECT seq FROM records ORDER BY seq") == [(1,), (3,)]  # the head vouches for 3
        assert await missing(platform, terminal) == [(2, 2)]
        assert await platform.send(terminal, terminal.batch()) == ({1: DUPLICATE, 2: OK, 3: OK}, 3)


async def test_a_head_of_another_record_leaves_the_records_to_their_own_signatures(run_platform, terminal):
    terminal.fill(3)
    async with run_platform(terminal) as platform:
        batch = terminal.batch(1, 2, f6=terminal.head(3))
        assert await platform.send(terminal, batch) == ({1: OK, 2: OK}, 2)
        assert alerts(platform) == ["ledger.chain-broken"]
        assert await missing(platform, terminal) == [(3, 3)]


async def test_authentic_records_in_the_wrong_order_make_no_batch(run_platform, terminal):
    terminal.fill(3)
    async with run_platform(terminal) as platform:
        status, _ = await platform.post(terminal, "batches", terminal.batch(f5=terminal.envelopes[::-1]))
        assert status == 400
        assert query(platform, "SELECT count(*) FROM records") == [(0,)]


async def test_a_disputed_record_must_stand_on_its_own_signature(run_platform, terminal):
    terminal.add(**REPLAY)
    stolen = generate.cose_sign1(
        generate.TERMINAL, "scanward-something-else", generate.cbor(terminal.body(f18=REPLAY["f18"], f19=0))
    )
    terminal.add_raw(stolen)
    async with run_platform(terminal) as platform:
        assert await platform.send(terminal, terminal.batch()) == ({1: OK, 2: BAD_SIGNATURE}, 2)
        assert alerts(platform) == []


async def test_two_terminals_with_one_ledger_id_do_not_mix(run_platform, make_terminal):
    first, second = make_terminal().fill(2), make_terminal("kiosk-2", label="another terminal").fill(3)
    async with run_platform(first, second) as platform:
        assert (await platform.send(first, first.batch()))[1] == 2
        assert (await platform.send(second, second.batch()))[1] == 3


async def test_a_hello_is_answered_with_the_contiguous_head(run_platform, terminal):
    terminal.fill(3)
    async with run_platform(terminal) as platform:
        assert await platform.greet(terminal) == [0, terminal.hashes[0]]
        await platform.send(terminal, terminal.batch(1, 2))
        assert await platform.greet(terminal, receipted=2) == [2, terminal.hashes[2]]
        assert alerts(platform) == []


async def test_a_terminal_put_back_to_an_old_image_is_noticed(run_platform, terminal):
    terminal.fill(5)
    async with run_platform(terminal) as platform:
        await platform.send(terminal, terminal.batch())
        old = terminal.clone(2)
        assert await platform.greet(old) == [5, terminal.hashes[5]]
        assert await platform.greet(old) == [5, terminal.hashes[5]]
        assert alerts(platform) == ["ledger.restored"]  # once
        old.add(f23="other")
        assert (await platform.greet(old))[0] == 5
        assert alerts(platform) == ["ledger.restored", "ledger.restored", "ledger.fork"]


async def test_a_terminal_that_holds_receipts_the_platform_knows_nothing_of_is_noticed(run_platform, terminal):
    terminal.fill(5)
    async with run_platform(terminal) as platform:
        assert await platform.greet(terminal, receipted=4) == [0, terminal.hashes[0]]
        assert alerts(platform) == ["platform.behind"]


async def test_the_records_of_a_request_are_taken_in_and_shown(run_platform, terminal, vectors):
    for envelope in vectors("requests")["records"].values():
        terminal.add_raw(bytes.fromhex(envelope))
    async with run_platform(terminal) as platform:
        said, _ = await platform.send(terminal, terminal.batch())
        assert said == dict.fromkeys((1, 2, 3, 4), (0, "ok"))
        async with platform.client.get("/") as answer:
            page = await answer.text()
    assert all(f"<td>{event}</td>" in page for event in ("opened", "items added", "confirmed", "lapsed"))


async def test_what_was_receipted_is_there_after_a_restart(run_platform, terminal):
    terminal.fill(4)
    async with run_platform(terminal) as platform:
        await platform.send(terminal, terminal.batch(1, 2))
    async with run_platform(terminal) as platform:
        assert await platform.greet(terminal) == [2, terminal.hashes[2]]
        assert await platform.send(terminal, terminal.batch()) == ({1: DUPLICATE, 2: DUPLICATE, 3: OK, 4: OK}, 4)


async def test_many_batches_at_once_are_all_stored(run_platform, make_terminal):
    import asyncio

    terminals = [make_terminal(f"kiosk-{n}", label=f"terminal {n}", ledger=f"ledger {n}").fill(20) for n in range(8)]
    async with run_platform(*terminals) as platform:

        async def deliver(terminal):
            return [await platform.send(terminal, terminal.batch(first, first + 4)) for first in range(1, 21, 5)]

        answers = await asyncio.gather(*map(deliver, terminals))
        assert [answer[-1][1] for answer in answers] == [20] * 8
        assert query(platform, "SELECT count(*) FROM records") == [(160,)]


@pytest.mark.parametrize("number", [1, 2])
async def test_a_hash_in_a_receipt_is_that_of_the_terminal(run_platform, terminal, number):
    terminal.fill(2)
    async with run_platform(terminal) as platform:
        _, answer = await platform.post(terminal, "batches", terminal.batch())
        assert platform.open_receipt(answer)[4][number - 1][1] == terminal.hashes[number]
        assert cbor2.loads(answer).tag == 18
