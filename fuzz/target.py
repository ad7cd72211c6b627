"""One thing to fuzz: a function of bytes, inputs to begin with, and how much one execution may cost.

The law: an execution either returns or has found something; a refusal that is documented is no finding.
"""

import resource
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

CPU_S_MAX = 0.05
CPU_TRIES = 3  # a busy machine is slow once, a hang always
PEAK_BYTES_MAX = 800_000
PEAK_INPUT_BYTES_MAX = 3_000  # a QR code's; the bound of memory is for what fits in one
PEAK_EVERY = 101  # tracing each execution would make all ten times slower
GROWN_KB_MIN = 512  # a process that has grown by so much in one execution has its input weighed at once
INPUT_BYTES_MAX = 8_300  # a little more than a scan may have


class Finding(AssertionError):
    """Something an execution must not do; the message says what, without the input."""


@dataclass(frozen=True, slots=True)
class Target:
    """name: as on the command line. run: one execution. seeds: what mutation begins with. words: what parsers look for.

    prepare: makes of a fuzzer's bytes what is run; it costs what it costs. None: nothing to run.

    is_bounded: the bounds of time and memory hold for it; not for files of the trust bundle, which come once a day.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    is_bounded: bool = True
    prepare: Callable[[bytes], bytes | None] = bytes


class Watched:
    """A target whose executions are counted, timed and, now and then, weighed. weighed_first: so many each."""

    def __init__(self, target: Target, peak_every: int = PEAK_EVERY, weighed_first: int = 0) -> None:
        self._target = target
        self._peak_every = peak_every
        self._weighed_first = weighed_first
        self.executions = 0

    def __call__(self, data: bytes) -> None:
        """Execute once. Raises Finding, and whatever the parser should not have raised."""
        self.executions += 1
        prepared = self._target.prepare(data)
        if prepared is None:
            return
        data = prepared
        if not self._target.is_bounded:
            self._target.run(data)
            return
        is_small = len(data) <= PEAK_INPUT_BYTES_MAX
        if is_small and (self.executions <= self._weighed_first or self.executions % self._peak_every == 0):
            self._weigh(data)
        held_kb, started = _most_held_kb(), time.perf_counter()  # CPU time costs a hundred times as much to ask for
        self._target.run(data)
        if time.perf_counter() - started > CPU_S_MAX:
            self._time_again(data)
        if is_small and _most_held_kb() - held_kb > GROWN_KB_MIN:
            self._weigh(data)

    def _time_again(self, data: bytes) -> None:
        took_s = min(self._cpu_s(data) for _ in range(CPU_TRIES))
        if took_s > CPU_S_MAX:
            raise Finding(f"{took_s * 1000:.0f} ms of CPU, at most {CPU_S_MAX * 1000:.0f}")

    def _cpu_s(self, data: bytes) -> float:
        started = time.process_time()
        self._target.run(data)
        return time.process_time() - started

    def _weigh(self, data: bytes) -> None:
        self._target.run(data)  # what is loaded or cached once is not this input's
        peak_bytes = peak_of(lambda: self._target.run(data))
        if peak_bytes > PEAK_BYTES_MAX:
            raise Finding(f"{peak_bytes} bytes at the peak, at most {PEAK_BYTES_MAX}")


def _most_held_kb() -> int:
    """Return the most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_of(call: Callable[[], object]) -> int:
    """Return the most bytes that Python held for a call at one time, beyond what it held before."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def fail(what: str) -> NoReturn:
    """Raise a Finding."""
    raise Finding(what)
