"""A refresher killed anywhere leaves the old bundle or the new one, whole, and the next run gets through."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.ports import VerifiedBundle
from fakes.trust_content import content

DRIVER = Path(__file__).with_name("killed_refreshes.py")


@pytest.mark.parametrize("is_first", [True, False])
def test_a_kill_at_every_file_operation_leaves_the_old_or_the_new(terminal, repository, tmp_path, is_first):
    terminal.directory.mkdir()
    if not is_first:
        terminal.refreshed()
        repository.publish(content(2))
    root = tmp_path / "root.json"
    root.write_bytes(terminal.root)
    earliest_ms = str(int(terminal.at.timestamp() * 1000))
    versions = "0,1" if is_first else "1,2"
    arguments = [str(terminal.directory), str(tmp_path / "work"), terminal.url, str(root), earliest_ms, versions]
    done = subprocess.run(
        [sys.executable, DRIVER, *arguments], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 30


def test_a_kill_of_the_real_process_at_any_time_leaves_the_old_or_the_new(terminal, repository, tmp_path):
    delays = random.Random(20261121)  # noqa: S311
    root = tmp_path / "root.json"
    root.write_bytes(terminal.root)
    terminal.refreshed()
    killed = 0
    for version in range(2, 12):
        before = terminal.published()
        repository.publish(content(version))
        arguments = ["--state", str(terminal.directory), "--url", terminal.url, "--root", str(root)]
        arguments += ["--now", "1795248000000,", "--floor", "0"]
        command = [sys.executable, "-m", "agent", "trust", "refresh", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=delays.uniform(0.1, 0.9))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        assert terminal.published() in (before, (terminal.published()[0], version))
    assert killed > 0
    repository.publish(content(20))
    assert isinstance(terminal.refresh(), VerifiedBundle)
    assert terminal.published()[1] == 20
