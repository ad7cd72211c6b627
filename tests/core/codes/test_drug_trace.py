"""Drug trace codes: twenty digits behind an 8, and nothing like them."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import recognise
from agent.core.codes.drug_trace import FAMILY
from agent.core.verdict import Outcome
from agent.core.verification import describe, verify
from fakes.ehc_issuer import NOW, scan_of

CODE = "81000010000000000017"  # an invented drug's seventeenth package


def test_it_is_unverifiable_and_one_of_its_kind() -> None:
    verdict = verify(recognise(scan_of(CODE)), None, NOW)
    assert (verdict.family, verdict.outcome, verdict.reason) == (
        "drug-trace",
        Outcome.UNVERIFIABLE,
        "family.no-offline-proof",
    )
    assert (verdict.claims.item, verdict.claims.is_single, verdict.needs_online) == (CODE, True, False)
    assert [(fact.name, fact.value) for fact in describe("drug-trace", verdict.claims)] == [
        ("drug", "8100001"),
        ("serial", "0000000000017"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        CODE[:-1],
        CODE + "0",
        "7" + CODE[1:],
        "00" + CODE[2:],
        CODE + "\n",
        " " + CODE[1:],
        CODE[:-1] + "X",
        CODE[:-1] + "٣",
        "８" + CODE[1:],
        "https://trace.example/?code=" + CODE,
    ],
)
def test_look_alikes_are_not_it(text: str) -> None:
    assert FAMILY.recognise(text, scan_of(text)) is None


def test_in_a_gs1_carrier_twenty_digits_are_gs1() -> None:
    scan = dataclasses.replace(scan_of(CODE), aim="]C1")
    assert FAMILY.recognise(CODE, scan) is None


@given(st.text(max_size=24) | st.from_regex("[0-9]{19,21}"))
def test_any_text_is_recognised_or_not(text: str) -> None:
    code = FAMILY.recognise(text, scan_of(""))
    assert (code is not None) == (len(text) == 20 and text[0] == "8" and all(c in "0123456789" for c in text))
