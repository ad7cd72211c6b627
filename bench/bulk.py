"""`scanward verify` over a file of codes, beside a bare loop over the same codes in one process.

The loop has its scans at hand and throws its verdicts away: what a worker adds is reading, JSON both ways, the claims
as people see them, the pipes and its own start. They take turns, in alternating order; medians of CPU time are
compared, for other programs slow down whoever is beside them. Scaling alone is a matter of the clock.
"""

import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.codes import recognise
from agent.core.scan import Scan
from agent.core.trust_list import Trust
from agent.core.verdict import Outcome
from agent.core.verification import verify
from bench.line import Line
from bench.verifying import NOW, NOW_S, code_of, trust_file, trust_of

LINES = 50_000
CODES = 1_000  # each is there so often that minting them takes no minute
ROUNDS = 3
WORKER_RATIO_MIN = 0.8
SCALING_MIN = 1.6
RESIDENT_MB_MAX = 60.0
LOOK_EVERY_S = 0.02


def lines() -> list[Line]:
    """Measure."""
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kid = hashlib.sha256(spki).digest()[:8]
    scans = [code_of(key, kid, number.to_bytes(8, "big"))[2] for number in range(CODES)]
    with tempfile.TemporaryDirectory(prefix="scanward-bench-") as name:
        folder = Path(name)
        (folder / "trust-list.json").write_bytes(trust_file(spki))
        with (folder / "codes.jsonl").open("w") as file:
            for number in range(LINES):
                file.write(json.dumps({"id": number, "code": scans[number % CODES].data.decode()}) + "\n")
        return _measured(folder, scans, trust_of(spki))


def _measured(folder: Path, scans: list[Scan], trust: Trust) -> list[Line]:
    cores = len(os.sched_getaffinity(0))
    loop_s, one, spread = list[float](), list[_Cost](), list[_Cost]()
    for number in range(ROUNDS):
        for what in (0, 1, 2) if number % 2 else (2, 1, 0):
            if what == 0:
                loop_s.append(_loop_s(scans, trust))
            else:
                (one if what == 1 else spread).append(_command(folder, 1 if what == 1 else max(2, cores)))
    loop, one_s = median(loop_s), median(cost.cpu_s for cost in one)
    spread_s = median(cost.cpu_s for cost in spread)
    one_took_s, spread_took_s = median(c.took_s for c in one), median(c.took_s for c in spread)
    resident = max(cost.resident_bytes for cost in (*one, *spread))
    found = [
        Line(
            "verify, one process: codes per CPU second / a bare loop's",
            loop / one_s, WORKER_RATIO_MIN, "at least", "x", f"{LINES / one_s:,.0f}, the loop {LINES / loop:,.0f}",
        ),
        Line(
            "the same, spread over processes", loop / spread_s, WORKER_RATIO_MIN, "at least", "x",
            f"{LINES / spread_s:,.0f}, start of {max(2, cores)} processes and pipes included",
        ),
        Line("verify's own process, at most resident", resident / 1e6, RESIDENT_MB_MAX, "at most", "MB"),
    ]  # fmt: skip
    if cores > 1:
        detail = f"{LINES / spread_took_s:,.0f} a second by {cores} processes, {LINES / one_took_s:,.0f} by one"
        ratio, bound = one_took_s / spread_took_s, SCALING_MIN / 2 * cores
        found.append(Line("verify, a process for each core / one process", ratio, bound, "at least", "x", detail))
    return found


def _loop_s(scans: list[Scan], trust: Trust) -> float:
    started = time.process_time()
    for _ in range(LINES // CODES):
        for scan in scans:
            verify(recognise(scan), trust, NOW)
    return time.process_time() - started


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one run of the command cost. resident_bytes: of its first process, at most."""

    took_s: float
    cpu_s: float
    resident_bytes: int


def _command(folder: Path, workers: int) -> _Cost:
    """Run the command over all lines."""
    out = folder / "verdicts.jsonl"
    started = time.perf_counter()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "agent", "verify", "--in", str(folder / "codes.jsonl"), "--out", str(out),
            "--trust", str(folder / "trust-list.json"), "--now", str(NOW_S), "--workers", str(workers),
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    resident, before = 0, resource.getrusage(resource.RUSAGE_CHILDREN)
    while process.poll() is None:
        resident = max(resident, _most_resident_bytes(process.pid))
        time.sleep(LOOK_EVERY_S)
    took_s = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with out.open("rb") as file:
        answers = [json.loads(line) for line in file]
    assert process.returncode == 0
    assert [answer["id"] for answer in answers] == list(range(LINES))
    assert all(answer["verdict"] == Outcome.VERIFIED for answer in answers)
    return _Cost(took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, resident)


def _most_resident_bytes(pid: int) -> int:
    """Return VmHWM (proc(5)), 0 for a process that is ending: a wait's own figure would count ours, forked."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
