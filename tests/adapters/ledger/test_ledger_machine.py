"""Any order of work, restarts and full disks: the inline twin against a model of what was acknowledged."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.adapters.ledger.owner import InlineLedger
from agent.core.transaction import empty_chain, link, record_of
from agent.ports import LedgerFull, LedgerRefused
from fakes.ledger_parts import WatchedDisk, draft, interval, open_ledger, sealing_recipient

RECIPIENTS = [(), (sealing_recipient("platform seal"),), (sealing_recipient("another platform"),)]


class LedgerMachine(RuleBasedStateMachine):
    """The model: which drafts were acknowledged under which number, which codes are used, where the cursor is."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.disk = WatchedDisk()
        self.opens = 0
        self.acknowledged: dict[int, int] = {}
        self.used: set[bytes] = set()
        self.cursor = 0
        self.numbers = 0
        self.open()

    def open(self) -> None:
        self.opens += 1
        path = Path(self.folder.name) / "ledger.db"
        self.ledger = InlineLedger(open_ledger(path, vfs=self.disk.name, seed=str(self.opens)))

    @rule(codes=st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=6), who=st.sampled_from(RECIPIENTS))
    def append(self, codes, who):
        async def together():
            drafts = []
            for code in codes:
                self.numbers += 1
                drafts.append(
                    draft(self.numbers, replay_id=None if code is None else bytes([code]) * 16, recipients=who)
                )
            return drafts, await asyncio.gather(*(self.ledger.append(d) for d in drafts), return_exceptions=True)

        for given, outcome in zip(*asyncio.run(together()), strict=True):
            claim = given.claim and given.claim.replay_id
            if isinstance(outcome, LedgerRefused):
                assert claim in self.used
            elif isinstance(outcome, LedgerFull):
                assert self.disk.is_full
            else:
                assert not self.disk.is_full
                assert claim is None or claim not in self.used
                self.acknowledged[outcome.seq] = given.at.raw_ms
                self.used |= {claim} - {None}

    @rule(share=st.floats(0, 1))
    def settle(self, share):
        cursor = int(self.ledger.head_seq * share)
        asyncio.run(self.ledger.settle("platform", cursor, []))
        if not self.disk.is_full:
            self.cursor = cursor

    @rule()
    def fill_the_disk(self):
        self.disk.is_full = True

    @rule()
    def free_the_disk(self):
        self.disk.is_full = False

    @rule(is_clean=st.booleans())
    def restart(self, is_clean):
        self.disk.is_full = False
        if not is_clean:  # as after a failed fsync: no checkpoint, the log is all there is
            self.ledger._file._guarded.is_dead = True
        asyncio.run(self.ledger.close())
        self.open()

    @invariant()
    def everything_acknowledged_is_there_and_chained(self):
        records = asyncio.run(self.ledger.read(0, records_max=100_000, bytes_max=10**9))
        previous = empty_chain("kiosk-1", self.ledger.ledger_id).hash
        for seq, record in enumerate(records, 1):
            previous = link(previous, seq, record.envelope)
            assert (record.seq, record.hash) == (seq, previous)
        decided = {r.seq: f[6][1] for r in records if (f := record_of(r.envelope))[5] == 0}
        assert decided == self.acknowledged
        assert asyncio.run(self.ledger.cursor("platform")) == self.cursor
        history = asyncio.run(self.ledger.history(interval()))
        assert {code for code in (bytes([n]) * 16 for n in range(6)) if history.has(code)} == self.used

    def teardown(self) -> None:
        self.disk.is_full = False
        asyncio.run(self.ledger.close())
        self.disk.unregister()
        self.folder.cleanup()


LedgerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestAnyOrder = LedgerMachine.TestCase
