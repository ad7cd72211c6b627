"""kill -9 under load: everything a reader was told of is there, and the chain holds."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from agent.core.transaction import empty_chain, link
from fakes.ledger_parts import open_ledger

ROUNDS = 20
ACKNOWLEDGED_PER_ROUND = 60
TESTS = Path(__file__).parents[2]

APPENDER = """
import asyncio, sys
from pathlib import Path
from agent.adapters.ledger.owner import ThreadedLedger
from fakes.ledger_parts import draft, open_ledger, sealing_recipient

async def main():
    ledger = ThreadedLedger(open_ledger(Path(sys.argv[1]), seed=sys.argv[2]))
    recipients = (sealing_recipient("platform seal"),)
    async def produce(producer):
        for n in range(1_000_000):
            name = f"{sys.argv[2]}-{producer}-{n}".encode().rjust(16, b".")
            t = await ledger.append(draft(n, replay_id=name, recipients=recipients))
            sys.stdout.write(f'[{t.seq}, "{t.hash.hex()}"]\\n')
            sys.stdout.flush()
    async with asyncio.TaskGroup() as group:
        for producer in range(16):
            group.create_task(produce(producer))

asyncio.run(main())
"""


def acknowledged_until_killed(path: Path, round_: int) -> dict[int, str]:
    """Run the appender, kill it once enough was acknowledged, and return all that it had said by then."""
    command = [sys.executable, "-c", APPENDER, str(path), str(round_)]
    env = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(ACKNOWLEDGED_PER_ROUND + round_ * 7)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return dict(json.loads(line) for line in lines if line.endswith(b"\n"))


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    path = tmp_path / "ledger.db"
    journal: dict[int, str] = {}
    for round_ in range(ROUNDS):
        said = acknowledged_until_killed(path, round_)
        assert len(said) >= ACKNOWLEDGED_PER_ROUND
        assert not said.keys() & journal.keys(), "a number was given twice"
        journal |= said
    file = open_ledger(path)
    records = file.read(0, records_max=10**6, bytes_max=10**9)
    chain = empty_chain("kiosk-1", file.chain.ledger_id)
    previous = chain.hash
    for seq, record in enumerate(records, 1):
        assert record.seq == seq
        previous = link(previous, seq, record.envelope)
        assert previous == record.hash
    stored = {record.seq: record.hash.hex() for record in records}
    assert {seq: stored.get(seq) for seq in journal} == journal
    assert list(tmp_path.glob("*set-aside*")) == []
    file.close()
