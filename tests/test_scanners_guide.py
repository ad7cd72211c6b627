"""docs/scanners.md is so: every example is a whole configuration, every call one the program takes, each fault told."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from agent.commands import scanners
from agent.commands.scanners.showing import CURES
from agent.config import Environment, parse
from agent.core.scan import ScanFault

GUIDE = (Path(__file__).parent.parent / "docs" / "scanners.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
TYPES = ("serial", "hid", "keyboard", "camera", "network", "app")


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_is_a_whole_configuration(text: str) -> None:
    assert len(parse(text.encode(), Environment("kiosk", None, None)).scanners) == 1


def test_there_is_an_example_of_every_type() -> None:
    assert {t for text in EXAMPLES for t in re.findall(r'^type = "(\w+)"', text, re.MULTILINE)} == set(TYPES)


def test_every_call_of_the_guide_is_one_the_command_takes() -> None:
    parser = argparse.ArgumentParser()
    scanners.add_arguments(parser)
    calls = re.findall(r"`scanward scanners ([a-z]+ --[^`]+)`", GUIDE)
    assert len(calls) >= 5
    for call in calls:
        words = shlex.split(call.replace("TYPE", "serial"))
        assert parser.parse_args(words).action == words[0]


def test_every_fault_has_a_cure_in_the_guide_and_in_the_command() -> None:
    rows = " ".join(line.split("|")[1] for line in GUIDE.splitlines() if line.startswith("| "))
    told = set(re.findall(r"`([a-z-]+)`", rows))
    assert {fault.value for fault in ScanFault} - {"over-long"} <= told
    assert set(CURES) == set(ScanFault)
