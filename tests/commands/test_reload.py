"""What a reload takes: a file with which the agent would not start again must not end the one that runs."""

from pathlib import Path

import pytest

from agent.commands.run import _fault
from agent.config import Environment, load

CONFIG = """[terminal]
id = "{terminal}"
[[scanners]]
id = "front"
type = "serial"
path = "/dev/null"
[state]
directory = "{state}"
"""


@pytest.mark.parametrize(
    ("terminal", "state", "says"),
    [
        ("kiosk-1", "state", None),
        ("kiosk-2", "state", "the ledger belongs to terminal kiosk-1"),
        ("kiosk-2", "elsewhere", None),
        ("Kiosk 2", "state", "terminal.id"),
    ],
)
def test_a_terminal_may_change_its_name_only_with_its_ledger(tmp_path: Path, terminal, state, says):
    path, environment = tmp_path / "agent.toml", Environment("kiosk-1", None, None)
    path.write_text(CONFIG.format(terminal="kiosk-1", state=tmp_path / "state"))
    running = load(path, environment)
    path.write_text(CONFIG.format(terminal=terminal, state=tmp_path / state))
    fault = _fault(path, environment, running)
    assert fault is None if says is None else says in str(fault)
