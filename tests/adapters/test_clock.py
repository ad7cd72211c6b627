import itertools
import time
from pathlib import Path

import pytest

from agent.adapters.clock import OS_RADIUS_MS, SystemClock, SystemRandomness, read_boot_id


def test_a_stamp_holds_this_boot_its_raw_clock_and_the_os_time_give_or_take_two_seconds() -> None:
    clock = SystemClock()
    before_ms = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000
    raw_before_ms = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) // 1_000_000
    stamp = clock.now()
    after_ms = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000
    raw_after_ms = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) // 1_000_000
    assert stamp.source == "os"
    assert stamp.boot_id == bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    assert raw_before_ms <= stamp.raw_ms <= raw_after_ms
    assert before_ms - OS_RADIUS_MS <= stamp.now.earliest_ms <= after_ms - OS_RADIUS_MS
    assert stamp.now.latest_ms == stamp.now.earliest_ms + 2 * OS_RADIUS_MS


def test_the_raw_clock_never_runs_backwards() -> None:
    clock = SystemClock(bytes(16))
    stamps = [clock.now().raw_ms for _ in range(1_000)]
    assert all(a <= b for a, b in itertools.pairwise(stamps))


@pytest.mark.parametrize("content", [None, "", "not a boot id", "00ff", "00" * 17, "\xff"])
def test_without_a_boot_id_each_start_counts_as_a_boot(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "boot_id"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    first, second = read_boot_id(path), read_boot_id(path)
    assert len(first) == len(second) == 16
    assert first != second


def test_random_draws_have_the_size_asked_for_and_differ() -> None:
    randomness = SystemRandomness()
    assert len({randomness.bytes(16) for _ in range(100)}) == 100
    assert {len(randomness.bytes(size)) for size in (0, 1, 33)} == {0, 1, 33}
    draws = [randomness.uniform() for _ in range(1_000)]
    assert all(0 <= draw < 1 for draw in draws)
    assert 0.4 < sum(draws) / len(draws) < 0.6
