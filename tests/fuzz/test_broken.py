"""Each break that proves the fuzzer still fits the code; whether it is found, `python -m fuzz.broken` says."""

import shutil
from pathlib import Path

import pytest

from fuzz.broken import BREAKS, Break
from fuzz.targets import targets

CORE = Path(__file__).parents[2] / "agent/core"


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.what)
def test_a_break_fits_the_code(one: Break, tmp_path: Path) -> None:
    copy = tmp_path / "agent/core" / one.path
    copy.parent.mkdir(parents=True)
    shutil.copy(CORE / one.path, copy)
    one.apply(tmp_path)
    assert copy.read_text() != (CORE / one.path).read_text()


def test_every_break_has_a_target_and_a_name_of_its_own() -> None:
    assert {one.target for one in BREAKS} <= set(targets())
    assert len({one.what for one in BREAKS}) == len(BREAKS)
