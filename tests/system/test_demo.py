"""The demonstration plays to its end and says so; its verdict can fail."""

import re
import subprocess
import sys


def test_the_demonstration_plays_through_and_everything_arrives_once():
    run = subprocess.run(
        [sys.executable, "-m", "demo", "--once"], capture_output=True, text=True, timeout=120, check=False
    )
    last = run.stdout.strip().splitlines()[-1]
    found = re.fullmatch(r"demo: (\d+) scans, (\d+) as expected, (\d+) delivered, 0 lost, 0 twice", last)
    assert found, run.stdout[-3_000:] + run.stderr[-2_000:]
    scans, expected, delivered = map(int, found.groups())
    assert scans == expected == delivered >= 14
    assert run.returncode == 0
