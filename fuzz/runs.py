"""One target's process, what it said, and what came of it."""

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz.target import INPUT_BYTES_MAX

RSS_MB_MAX = 1_024
HANG_S_MAX = 60
SAID_BYTES_MAX = 65_536
_END_S_MAX = 10

_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_STATUS = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)
_PLAIN = re.compile(r"^executed (\d+)$", re.MULTILINE)
_LEFT = re.compile(r"Test unit written to (\S+)|^input in (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one target. coverage: branches seen, None without feedback; said: the end of what it printed."""

    name: str
    executions: int
    took_s: float
    coverage: int | None
    corpus: int | None
    status: int
    left: str | None
    said: str

    @property
    def is_good(self) -> bool:
        """Say whether it ran to its end and found nothing. No execution at all is a finding, too."""
        return self.status == 0 and self.executions > 0

    def __str__(self) -> str:
        """Return the line printed for it, and what it said where it found something."""
        speed = f"{self.executions / self.took_s:,.0f}/s" if self.took_s else "-"
        seen = "" if self.coverage is None else f", {self.coverage} branches, {self.corpus} inputs kept"
        line = f"{'ok  ' if self.is_good else 'FIND'} {self.name:<16} {self.executions:>12,} executions, {speed}{seen}"
        if self.is_good:
            return line
        replay = f"  python -m fuzz {self.name} --replay {self.left}" if self.left else "  no input was left"
        return f"{line}\n{self.said}\n{replay}"


class Run:
    """A child process that fuzzes one target, at the lowest priority."""

    def __init__(self, name: str, executions: int, seconds: int, room: Path, *, has_feedback: bool) -> None:
        self._name = name
        self._findings = room / "findings"
        corpus = room / "corpus" / name
        for folder in (self._findings, corpus):
            folder.mkdir(parents=True, exist_ok=True)
        self._log = room / f"{name}.log"
        command = [
            "fuzz.child", name, str(corpus), f"-runs={executions}", f"-max_total_time={seconds}",
            f"-max_len={INPUT_BYTES_MAX}", f"-timeout={HANG_S_MAX}", f"-rss_limit_mb={RSS_MB_MAX}",
            f"-artifact_prefix={self._findings}/{name}-", "-print_final_stats=1", "-verbosity=1",
        ]  # fmt: skip
        if not has_feedback:
            command = ["fuzz.plain", name, str(executions), str(seconds), str(self._findings)]
        self._started = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "19", sys.executable, "-m", *command],  # noqa: S607  # coreutils, wherever they are
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def has_ended(self) -> bool:
        """Say whether the process is gone."""
        return self._process.poll() is not None

    def end(self) -> None:
        """Stop the process."""
        self._process.terminate()
        try:
            self._process.wait(_END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def result(self) -> Result:
        """Wait for its end and return what came of it."""
        status = self._process.wait()
        took_s = time.monotonic() - self._started
        with self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - SAID_BYTES_MAX))
            said = log.read().decode("utf-8", "replace")
        return read_result(self._name, status, took_s, said)


def read_result(name: str, status: int, took_s: float, said: str) -> Result:
    """Return what a process's last words say."""
    last = _STATUS.findall(said)[-1:]
    executed = _EXECUTED.search(said) or _PLAIN.search(said)
    executions = int(executed[1]) if executed else int(last[0][0]) if last else 0
    coverage, corpus = (int(last[0][1]), int(last[0][3])) if last else (None, None)
    left = _LEFT.search(said)
    return Result(
        name, executions, took_s, coverage, corpus, status, left and (left[1] or left[2]), said[-3_000:].strip()
    )
