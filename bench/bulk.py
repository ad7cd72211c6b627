"""`scanward verify` over a file of codes, beside a bare loop over the same codes in one process.

The loop has its scans at hand and throws its verdicts away: what a worker adds is reading, JSON both ways, the claims as
people see them, the pipes and its own start. Both take turns, in alternating order; the medians are compared.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
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
    loop_s, one_s, all_s, resident = list[float](), list[float](), list[float](), 0
    for number in range(ROUNDS):
        for what in (0, 1, 2) if number % 2 else (2, 1, 0):
            if what == 0:
                loop_s.append(_loop_s(scans, trust))
            else:
                took_s, bytes_ = _command_s(folder, 1 if what == 1 else cores)
                (one_s if what == 1 else all_s).append(took_s)
                resident = max(resident, bytes_)
    loop, one, all_ = median(loop_s), median(one_s), median(all_s)
    rates = f"{LINES / one:,.0f} a second, the loop {LINES / loop:,.0f}"
    found = [
        Line("verify, one process / a loop in one process", loop / one, WORKER_RATIO_MIN, "at least", "x", rates),
        Line("verify's largest process", resident / 1e6, RESIDENT_MB_MAX, "at most", "MB", f"{LINES:,} lines"),
    ]
    if cores > 1:
        detail = f"{LINES / all_:,.0f} a second by {cores} processes"
        bound = SCALING_MIN / 2 * cores
        found.append(Line("verify, a process for each core / one process", one / all_, bound, "at least", "x", detail))
    return found


def _loop_s(scans: list[Scan], trust: Trust) -> float:
    started = time.perf_counter()
    for _ in range(LINES // CODES):
        for scan in scans:
            verify(recognise(scan), trust, NOW)
    return time.perf_counter() - started


def _command_s(folder: Path, workers: int) -> tuple[float, int]:
    """Run the command; return its time from start to end, and the most memory its first process held, in bytes."""
    out = folder / "verdicts.jsonl"
    started = time.perf_counter()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "agent", "verify", "--in", str(folder / "codes.jsonl"), "--out", str(out),
            "--trust", str(folder / "trust-list.json"), "--now", str(NOW_S), "--workers", str(workers),
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    resident = 0
    while process.poll() is None:
        resident = max(resident, _most_resident_bytes(process.pid))
        time.sleep(LOOK_EVERY_S)
    took_s = time.perf_counter() - started
    with out.open("rb") as file:
        answers = [json.loads(line) for line in file]
    assert process.returncode == 0
    assert [answer["id"] for answer in answers] == list(range(LINES))
    assert all(answer["verdict"] == Outcome.VERIFIED for answer in answers)
    return took_s, resident


def _most_resident_bytes(pid: int) -> int:
    """Return VmHWM (proc(5)), 0 for a process that is ending: a wait's own figure would count ours, forked."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
