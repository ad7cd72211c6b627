"""`scanward verify` over a file of codes, beside a bare loop over the same codes in one process.

The loop has its scans at hand and throws its verdicts away: what a worker adds is reading, JSON both ways, the claims
as people see them, and the pipes. What starting costs is measured by itself, with a short file, and taken off. They
take turns, in alternating order; medians are compared, by CPU time, for other programs slow down whoever is beside
them, and by the clock, which on a busy machine says little.
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

from agent.commands.verify import CHUNK_LINES
from agent.core.codes import recognise
from agent.core.scan import Scan
from agent.core.trust_list import Trust
from agent.core.verdict import Outcome
from agent.core.verification import verify
from bench.line import Line
from bench.verifying import NOW, NOW_S, code_of, trust_file, trust_of

LINES = 50_000
FEW = 2 * CHUNK_LINES  # so few that starting is nearly all they cost, and enough to start every process
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
        for file, count in (("few.jsonl", FEW), ("codes.jsonl", FEW + LINES)):
            codes = ({"id": number, "code": scans[number % CODES].data.decode()} for number in range(count))
            (folder / file).write_text("".join(json.dumps(code) + "\n" for code in codes))
        return _measured(folder, scans, trust_of(spki))


def _measured(folder: Path, scans: list[Scan], trust: Trust) -> list[Line]:
    cores = max(2, len(os.sched_getaffinity(0)))
    loops, costs = list[tuple[float, float]](), {workers: list[_Cost]() for workers in (1, cores)}
    for number in range(ROUNDS):
        for what in (0, 1, cores) if number % 2 else (cores, 1, 0):
            if what == 0:
                loops.append(_loop_s(scans, trust))
            else:
                costs[what].append(_command(folder, what))
    loop_took_s, loop_cpu_s = (median(times) for times in zip(*loops, strict=True))
    one, spread = costs[1], costs[cores]
    one_took_s, spread_took_s = (median(cost.took_s for cost in of) for of in (one, spread))
    one_cpu_s, spread_cpu_s = (median(cost.cpu_s for cost in of) for of in (one, spread))
    start_s = median(cost.start_s for cost in spread)
    found = [
        Line(
            "verify, one process: codes per CPU second / a bare loop's", loop_cpu_s / one_cpu_s, WORKER_RATIO_MIN,
            "at least", "x", f"{LINES / one_cpu_s:,.0f}, the loop {LINES / loop_cpu_s:,.0f}",
        ),
        Line(
            "the same by the clock", loop_took_s / one_took_s, WORKER_RATIO_MIN, "at least", "x",
            f"{LINES / one_took_s:,.0f} a second, the loop {LINES / loop_took_s:,.0f}",
        ),
        Line(
            f"spread over {cores}: codes per CPU second / a bare loop's", loop_cpu_s / spread_cpu_s, WORKER_RATIO_MIN,
            "at least", "x", f"{LINES / spread_cpu_s:,.0f}; starting took {start_s:.2f} s, not counted",
        ),
        Line(
            "verify's own process, at most resident", max(cost.resident_bytes for cost in (*one, *spread)) / 1e6,
            RESIDENT_MB_MAX, "at most", "MB",
        ),
    ]  # fmt: skip
    if len(os.sched_getaffinity(0)) > 1:
        detail = f"{LINES / spread_took_s:,.0f} a second by {cores} processes, {LINES / one_took_s:,.0f} by one"
        each = loop_took_s / spread_took_s / cores
        found += [
            Line("each of them by the clock / a bare loop alone", each, WORKER_RATIO_MIN, "at least", "x", detail),
            Line(
                "verify, a process for each core / one process", one_took_s / spread_took_s, SCALING_MIN / 2 * cores,
                "at least", "x", detail,
            ),
        ]  # fmt: skip
    return found


def _loop_s(scans: list[Scan], trust: Trust) -> tuple[float, float]:
    """Return the seconds by the clock and of the CPU."""
    started, before = time.perf_counter(), time.process_time()
    for _ in range(LINES // CODES):
        for scan in scans:
            verify(recognise(scan), trust, NOW)
    return time.perf_counter() - started, time.process_time() - before


@dataclass(frozen=True, slots=True)
class _Cost:
    """What the command cost, without its start. resident_bytes: of its first process, at most."""

    took_s: float
    cpu_s: float
    start_s: float
    resident_bytes: int


def _command(folder: Path, workers: int) -> _Cost:
    """Run the command over a few lines, which is its start, and over all."""
    start_took_s, start_cpu_s, _ = _run(folder, "few.jsonl", FEW, workers)
    took_s, cpu_s, resident = _run(folder, "codes.jsonl", FEW + LINES, workers)
    return _Cost(took_s - start_took_s, cpu_s - start_cpu_s, start_took_s, resident)


def _run(folder: Path, codes: str, count: int, workers: int) -> tuple[float, float, int]:
    out = folder / "verdicts.jsonl"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "agent", "verify", "--in", str(folder / codes), "--out", str(out),
            "--trust", str(folder / "trust-list.json"), "--now", str(NOW_S), "--workers", str(workers),
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    resident = 0
    while process.poll() is None:
        resident = max(resident, _most_resident_bytes(process.pid))
        time.sleep(LOOK_EVERY_S)
    took_s = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with out.open("rb") as file:
        answers = [json.loads(line) for line in file]
    assert process.returncode == 0
    assert [answer["id"] for answer in answers] == list(range(count))
    assert all(answer["verdict"] == Outcome.VERIFIED for answer in answers)
    return took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, resident


def _most_resident_bytes(pid: int) -> int:
    """Return VmHWM (proc(5)), 0 for a process that is ending: a wait's own figure would count ours, forked."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
