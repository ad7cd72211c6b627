"""What a patient reads where a scan was not whole: something to do, and another thing where another thing helps."""

from pathlib import Path

import pytest

from agent.adapters.console.texts import text_for
from agent.core.decision import Answer, Decision
from agent.core.scan import ScanFault
from agent.core.verdict import Outcome, Verdict

OF_THEIR_OWN = [ScanFault.FLOOD, ScanFault.KEYS, ScanFault.SYMBOLOGY, ScanFault.LOST, ScanFault.DAMAGED]
WORDS = (Path(__file__).parents[2] / "agent/adapters/console/pages/staff-words.js").read_text()


def said(fault: ScanFault) -> tuple[str, str]:
    reason = f"scan.{fault.value}"
    text = text_for(Decision(Answer.REFUSE, reason, "payment", Verdict("unreadable", Outcome.REFUSED, reason)))
    return text["next_zh"], text["next_en"]


@pytest.mark.parametrize("fault", OF_THEIR_OWN)
def test_a_fault_that_asks_for_something_else_says_it(fault):
    assert said(fault) not in [said(other) for other in ScanFault if other is not fault]


@pytest.mark.parametrize("fault", list(ScanFault))
def test_every_fault_has_words_for_patients_and_for_staff(fault):
    assert "staff" in said(fault)[1] or "again" in said(fault)[1] or "show" in said(fault)[1]
    assert f"fault_{fault.value}" in WORDS
