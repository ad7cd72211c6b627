"""What every ledger port promises, held against both twins over the same file."""

import asyncio
import hashlib

import cbor2
import pytest

from agent.adapters.ledger.owner import InlineLedger, ThreadedLedger
from agent.adapters.ledger.sql import rows
from agent.core.time_interval import Interval
from agent.core.transaction import empty_chain, link, record_of
from agent.ports import LedgerOvertaken, LedgerRefused
from fakes.ledger_parts import LabelSigner, draft, interval, open_ledger, sealing_private, sealing_recipient

BOTH = pytest.mark.parametrize("twin", [ThreadedLedger, InlineLedger])
pytestmark = BOTH


def verify_chain(ledger_id, records, signer=None) -> None:
    """Check numbers, links and signatures from the start of the ledger."""
    public = (signer or LabelSigner()).public
    chain = empty_chain("kiosk-1", ledger_id)
    previous = chain.hash
    for seq, record in enumerate(records, 1):
        fields = record_of(record.envelope)
        assert (record.seq, fields[3], fields[4]) == (seq, seq, previous)
        protected, _, payload, signature = cbor2.loads(record.envelope).value
        public.verify(signature, cbor2.dumps(["Signature1", protected, b"scanward-record-1", payload]))
        previous = link(previous, seq, record.envelope)
        assert record.hash == previous


async def read_all(ledger):
    return await ledger.read(0, records_max=100_000, bytes_max=10**9)


async def test_records_are_numbered_chained_and_signed_in_the_order_of_their_commit(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        given = [await ledger.append(draft(n)) for n in range(5)]
        records = await read_all(ledger)
        assert [t.seq for t in given] == [1, 2, 3, 4, 5]
        assert [(t.seq, t.hash) for t in given] == [(r.seq, r.hash) for r in records]
        assert {t.ledger_id for t in given} == {ledger.ledger_id}
        verify_chain(ledger.ledger_id, records)


async def test_sixty_four_producers_lose_nothing_and_share_no_number(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:

        async def produce(producer: int) -> list[tuple[int, int]]:
            return [((await ledger.append(draft(producer * 100 + n))).seq, producer * 100 + n) for n in range(10)]

        given = dict(pair for pairs in await asyncio.gather(*(produce(p) for p in range(64))) for pair in pairs)
        records = await read_all(ledger)
        assert sorted(given) == list(range(1, 641))
        assert {r.seq: record_of(r.envelope)[6][1] for r in records} == given
        verify_chain(ledger.ledger_id, records)


async def test_a_one_time_code_is_stored_once_and_its_neighbours_are_not_touched(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        used = bytes(range(16))
        outcomes = await asyncio.gather(
            *(ledger.append(draft(n, replay_id=used if n in (1, 3) else None)) for n in range(5)),
            return_exceptions=True,
        )
        assert [type(o).__name__ for o in outcomes].count("Transaction") == 4
        assert sum(isinstance(o, LedgerRefused) for o in outcomes) == 1
        with pytest.raises(LedgerRefused):
            await ledger.append(draft(9, replay_id=used))
        assert (await ledger.append(draft(10))).seq == 5
        verify_chain(ledger.ledger_id, await read_all(ledger))


async def test_heads_are_signed_as_of_any_record(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:

        def head_of(signed: bytes) -> dict[int, object]:
            protected, _, payload, signature = cbor2.loads(signed).value
            LabelSigner().public.verify(signature, cbor2.dumps(["Signature1", protected, b"scanward-head-1", payload]))
            return cbor2.loads(payload)

        empty = head_of(await ledger.signed_head())
        assert empty == {1: "kiosk-1", 2: ledger.ledger_id, 3: 0, 4: hashlib.sha256(ledger.ledger_id).digest()}
        assert await ledger.hash_at(0) == empty[4]
        for n in range(3):
            await ledger.append(draft(n))
        second = (await read_all(ledger))[1]
        assert head_of(await ledger.sign_head_of(second)) == {**empty, 3: 2, 4: second.hash}
        assert head_of(await ledger.signed_head()) == {**empty, 3: 3, 4: await ledger.hash_at(3)}
        assert await ledger.hash_at(4) is None


async def test_reading_keeps_to_both_limits_but_gives_at_least_one(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        for n in range(6):
            await ledger.append(draft(n))
        size = len((await read_all(ledger))[0].envelope)
        assert [r.seq for r in await ledger.read(2, records_max=3, bytes_max=10**6)] == [3, 4, 5]
        assert [r.seq for r in await ledger.read(2, records_max=9, bytes_max=size * 2 + 10)] == [3, 4]
        assert [r.seq for r in await ledger.read(2, records_max=9, bytes_max=1)] == [3]
        assert list(await ledger.read(6, records_max=9, bytes_max=10**6)) == []


async def test_cursors_are_kept_per_uplink_and_may_go_back(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        for n in range(4):
            await ledger.append(draft(n))
        assert await ledger.cursor("platform") == 0
        await ledger.settle("platform", 3, [(2, "record.malformed")])
        await ledger.settle("city", 1, [])
        assert (await ledger.cursor("platform"), await ledger.cursor("city")) == (3, 1)
        await ledger.settle("platform", 1, [])
        assert await ledger.cursor("platform") == 1
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        assert (await ledger.cursor("platform"), await ledger.cursor("city")) == (1, 1)


@pytest.mark.parametrize("seq", [4, 2**31, 2**63 - 1, 2**63, 2**64, 2**200])
async def test_no_number_that_a_platform_says_harms_the_ledger(twin, tmp_path, seq):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        for n in range(3):
            await ledger.append(draft(n))
        await ledger.settle("platform", 2, [(2, "record.malformed")])
        assert await ledger.hash_at(seq) is None
        assert list(await ledger.read(seq, records_max=9, bytes_max=10**6)) == []
        with pytest.raises(ValueError, match=f"a cursor of {seq}"):
            await ledger.settle("platform", seq, [])
        with pytest.raises(ValueError, match="has not"):
            await ledger.settle("platform", 3, [(seq, "record.malformed")])
        with pytest.raises(ValueError, match="has not"):
            await ledger.settle("platform", 3, [], resent=[seq])
        assert await ledger.cursor("platform") == 2
        assert (await ledger.append(draft(3))).seq == 4
        await ledger.settle("platform", 4, [])
        assert await ledger.cursor("platform") == 4
        verify_chain(ledger.ledger_id, await read_all(ledger))


FOREVER = 10**15  # an instant long past the time of everything, e.g. of a terminal that learned the time at last


async def test_the_first_record_kept_is_behind_what_was_pruned(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        assert await ledger.first_seq() == 1
        for n in range(10):
            await ledger.append(draft(n))
        await ledger.settle("platform", 7, [(2, "record.malformed")])
        assert await ledger.first_seq() == 1
        assert await ledger.prune(interval(FOREVER)) == 6
        assert [r.seq for r in await read_all(ledger)] == [2, 8, 9, 10]
        assert await ledger.first_seq() == 8, "from there on nothing is missing"
        await ledger.settle("platform", 1, [])
        await ledger.settle("platform", 7, [])
        assert await ledger.prune(interval(FOREVER)) == 1
        assert await ledger.first_seq() == 8, "never back, whatever goes later"
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        assert await ledger.first_seq() == 8
        await ledger.settle("platform", 10, [])
        await ledger.prune(interval(FOREVER))
        assert await ledger.first_seq() == ledger.head_seq == 10
        await ledger.begin_anew(LedgerOvertaken(99, bytes(32)))
        assert await ledger.first_seq() == 1


async def test_what_is_parked_is_so_until_a_later_receipt_settles_it(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:

        def parked() -> list[tuple[str, int, str]]:
            return [row[:3] for row in rows(ledger._file._connection, "parked")]

        for n in range(10):
            await ledger.append(draft(n))
        await ledger.settle("city", 8, [(4, "record.odd")])
        await ledger.settle("platform", 8, [(seq, "record.malformed") for seq in (2, 4, 6, 8)])
        await ledger.settle("platform", 3, [])
        assert len(parked()) == 5, "going back settles nothing"
        await ledger.settle("platform", 7, [(6, "record.still-malformed")])
        assert parked() == [
            ("city", 4, "record.odd"),
            ("platform", 2, "record.malformed"),
            ("platform", 6, "record.still-malformed"),
            ("platform", 8, "record.malformed"),
        ], "4 was sent again and taken, 6 was not taken, 2 and 8 were not sent again"
        await ledger.settle("platform", 8, [])
        await ledger.settle("platform", 8, [], resent=[2])
        await ledger.settle("city", 8, [(4, "record.odd")], resent=[4])
        assert parked() == [("city", 4, "record.odd"), ("platform", 6, "record.still-malformed")]
        await ledger.prune(interval(FOREVER))
        assert [r.seq for r in await read_all(ledger)] == [4, 6, 9, 10]
        await ledger.settle("platform", 5, [])
        await ledger.settle("platform", 10, [])
        await ledger.settle("city", 3, [])
        await ledger.settle("city", 10, [])
        await ledger.prune(interval(FOREVER))
        assert (parked(), [r.seq for r in await read_all(ledger)]) == ([], [10])


async def test_only_pruning_forgets_by_time_and_its_interval_needs_no_upper_end(twin, tmp_path):
    early, late = draft(0, replay_id=b"e" * 16), draft(1, replay_id=b"l" * 16, keep_until_ms=FOREVER + 1)
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        for given in (early, late, draft(2)):
            await ledger.append(given)
        await ledger.settle("platform", 3, [])
        history = await ledger.history(Interval(FOREVER, None))
        assert (history.has(b"e" * 16), history.has(b"l" * 16)) == (False, True)
        with pytest.raises(LedgerRefused):
            await ledger.append(early)  # a clock that runs ahead does not bring a used code back
        assert await ledger.prune(Interval(0, None)) == 0
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        with pytest.raises(LedgerRefused):
            await ledger.append(early)
        assert await ledger.prune(Interval(FOREVER, None)) == 3
        assert (await ledger.append(early)).seq == 4
        with pytest.raises(LedgerRefused):
            await ledger.append(late)


async def test_who_waits_for_records_is_woken_by_the_next_one(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        await ledger.append(draft(0))
        await asyncio.wait_for(ledger.wait_for_records(0), 5)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(ledger.wait_for_records(1))
            await ledger.append(draft(1))
            await asyncio.wait_for(waiting, 5)


async def test_a_cancelled_waiter_does_not_lose_its_record(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ledger.append(draft(77)))
            await asyncio.sleep(0)  # it has appended and waits
            task.cancel()
        assert task.cancelled()
        assert (await ledger.append(draft(78))).seq == 2
        assert [record_of(r.envelope)[6][1] for r in await read_all(ledger)] == [77, 78]


async def test_history_is_rebuilt_with_live_claims_and_unsettled_provisional_acceptances(twin, tmp_path):
    now = interval()
    async with twin(open_ledger(tmp_path / "ledger.db", uplinks=("platform", "city"))) as ledger:
        await ledger.append(draft(0, replay_id=b"l" * 16, keep_until_ms=now.earliest_ms))
        await ledger.append(draft(1, replay_id=b"x" * 16, keep_until_ms=now.earliest_ms - 1))
        for n in range(3):
            await ledger.append(draft(n, provisional=True))
        await ledger.settle("platform", 5, [])
        assert (await ledger.history(now)).provisional_unsettled == 3, "the city has settled nothing"
        await ledger.settle("city", 4, [])
    async with twin(open_ledger(tmp_path / "ledger.db", uplinks=("platform", "city"))) as ledger:
        history = await ledger.history(now)
        assert (history.has(b"l" * 16), history.has(b"x" * 16)) == (True, False)
        assert history.provisional_unsettled == 1


async def test_personal_fields_are_sealed_under_one_key_until_the_recipients_change(twin, tmp_path):
    first, second = sealing_recipient("platform seal"), sealing_recipient("another platform")
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        for recipients in ((first,), (first,), (), (first, second), (first, second)):
            await ledger.append(draft(recipients=recipients))
        records = [record_of(r.envelope) for r in await read_all(ledger)]
        assert [r[5] for r in records] == [6, 0, 0, 0, 6, 0, 0]
        assert [8 in r for r in records] == [False, True, True, False, False, True, True]
        assert records[1][7] == records[2][7] == records[0][7] != records[4][7] == records[5][7]
        assert len({r[8][0] for r in records if 8 in r}) == 4, "no nonce is used twice"
        assert [w[0] for w in records[4][9]] == [first.key_id, second.key_id]
        verify_chain(ledger.ledger_id, await read_all(ledger))
    async with twin(open_ledger(tmp_path / "ledger.db", seed="after a restart")) as ledger:
        await ledger.append(draft(recipients=(first,)))
        assert [record_of(r.envelope)[5] for r in await ledger.read(7, records_max=9, bytes_max=9**9)] == [6, 0]


async def test_the_platform_opens_what_was_sealed_for_it(twin, tmp_path):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        await ledger.append(draft(recipients=(sealing_recipient("platform seal"),)))
        key_record, sealed = (record_of(r.envelope) for r in await read_all(ledger))
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
        info = b"scanward-data-key-1" + ledger.ledger_id + key_record[7]
        key = suite.decrypt(key_record[9][0][1], sealing_private("platform seal"), info=info)
        additional = cbor2.dumps([ledger.ledger_id, 2, 0])
        fields = AESGCM(key).decrypt(sealed[8][0], sealed[8][1], additional)
        assert cbor2.loads(fields) == {1: hashlib.sha256(b"an invented card").digest()}


async def test_state_survives_a_restart(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        assert await ledger.state("trust.floor") is None
        await ledger.put_state("trust.floor", 7)
        await ledger.put_state("trust.floor", 8)
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        assert await ledger.state("trust.floor") == 8


async def test_a_restarted_ledger_goes_on_with_the_chain(twin, tmp_path):
    for n in range(3):
        async with twin(open_ledger(tmp_path / "ledger.db", seed=str(n))) as ledger:
            assert (await ledger.append(draft(n))).seq == n + 1
            records, ledger_id = await read_all(ledger), ledger.ledger_id
    verify_chain(ledger_id, records)


async def test_beginning_anew_loses_no_append_and_keeps_their_order(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        old = ledger.ledger_id
        appends = [asyncio.ensure_future(ledger.append(draft(n))) for n in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the first commit is under way
        anew = asyncio.ensure_future(ledger.begin_anew(LedgerOvertaken(7, bytes(32))))
        appends += [asyncio.ensure_future(ledger.append(draft(20 + n))) for n in range(20)]
        await anew
        appends += [asyncio.ensure_future(ledger.append(draft(40 + n))) for n in range(20)]
        given = await asyncio.gather(*appends)
        new = ledger.ledger_id
        assert {t.ledger_id for t in given} == {old, new}
        assert [t.ledger_id for t in given] == sorted((t.ledger_id for t in given), key=lambda i: i == new)
        run = await ledger.salvaged("platform", records_max=200, bytes_max=10**6)
        records = await read_all(ledger)
        verify_chain(old, run.records)
        verify_chain(new, records)
        assert run.ledger_id == old
        assert {t.hash for t in given} == {r.hash for r in [*run.records, *records]}
        assert len(run.records) + len(records) == 60
        assert ledger.head_seq == records[-1].seq
        head = cbor2.loads(cbor2.loads(await ledger.sign_head_of(run.records[-1], ledger_id=old)).value[2])
        assert head == {1: "kiosk-1", 2: old, 3: run.records[-1].seq, 4: run.records[-1].hash}
        await ledger.settle_salvaged("platform", run, [])
        assert await ledger.salvaged("platform", records_max=200, bytes_max=10**6) is None


async def test_a_new_ledger_has_nothing_to_wait_for_at_first(twin, tmp_path):
    async with twin(open_ledger(tmp_path / "ledger.db")) as ledger:
        await ledger.append(draft(0))
        await ledger.begin_anew(LedgerOvertaken(7, bytes(32)))
        assert ledger.head_seq == 0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ledger.wait_for_records(0), 0.05)
