"""docs/console.md held against the running agent: its commands run as they are written, and its tables are so."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from agent.adapters.console.console import PUBLIC_NOTICES
from agent.adapters.console.secret_files import load_pin
from agent.cli import main
from fakes.agent_process import PIN, RunningAgent, running_agent

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "console.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as one:
        yield one


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split()[0])
def test_every_command_of_the_guide_runs_as_it_is_written(agent, tmp_path, block):
    script = block.replace("scanward console", f"{sys.executable} -m agent console")
    run = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "STATE": str(agent.folder / "state"), "API": agent.url, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    if "cancel" in block:
        assert '"state":"cancelled"' in run.stdout
    if "v1/scans" in block:
        assert run.stdout == '{"scanner":"phone"}'
    if "staff-pin" in block:
        assert load_pin(tmp_path / "staff-pin").matches("an invented pin")


def test_there_are_commands_for_watching_requests_scans_and_the_pin():
    assert len(BLOCKS) == 5


@pytest.mark.parametrize(("role", "path"), [("kiosk", "/"), ("staff", "/staff")])
def test_the_link_that_is_printed_opens_the_page_once(agent, capsys, role, path):
    assert main(["console", "link", "--role", role, "--config", str(agent.config)]) == 0
    url = capsys.readouterr().out.strip()
    with requests.Session() as browser:
        answer = browser.get(url, timeout=5)
        assert (answer.status_code, answer.url) == (200, f"{agent.url}{path}")
        assert browser.get(f"{agent.url}/v1/status", timeout=5).status_code == 200
    assert requests.get(url, timeout=5).status_code == 403


def test_the_real_pin_lets_staff_in(agent):
    answer = requests.post(f"{agent.url}/v1/sign-in", json={"pin": PIN}, headers={"Origin": agent.url}, timeout=5)
    assert answer.status_code == 200
    assert PIN not in (agent.folder / "agent.log").read_text()


def test_the_figures_of_the_guide_are_those_of_the_agent(agent):
    text = requests.get(f"{agent.url}/metrics", headers=agent.headers("program"), timeout=5).text
    served = set(re.findall(r"^# TYPE (scanward_\w+)", text, re.MULTILINE))
    told = set[str]()
    for row in re.findall(r"^\| (`scanward_.*?) \|", GUIDE, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", row):
            stem = re.match(r"scanward_[a-z]+", row[1:])[0]
            told.add(stem + name if name.startswith("_") else name)
    told = {name for name in told if name.startswith("scanward_")}
    # This one has no platform, so nothing has an age.
    assert told - {"scanward_ledger_oldest_undelivered_age_seconds"} == served


def test_the_public_notices_of_the_guide_are_the_console_s():
    (row,) = re.findall(r"^\| `notice` \| .*? \| only (.*?) \|", GUIDE, re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", row)) == PUBLIC_NOTICES
