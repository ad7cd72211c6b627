"""MA device identifiers: what is public of them is read strictly; all else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import recognise
from agent.core.codes.udi_ma import FAMILY
from agent.core.time_interval import Interval
from agent.core.verdict import Code, Outcome, Verdict
from agent.core.verification import describe, verify
from fakes.ehc_issuer import NOW, scan_of

DEVICE = "MA.156.M0.199999.1335176X"  # invented
FULL = DEVICE + ".Sx00008.M260117.L20260117.D20260118.E20280130.V280130.C3"


def verdict_of(text: str, now: Interval = NOW) -> Verdict:
    return verify(recognise(scan_of(text)), None, now)


@pytest.mark.parametrize(
    ("text", "item", "is_single"),
    [
        (DEVICE, DEVICE, False),
        (FULL, DEVICE + ".Sx00008", True),
        (DEVICE + ".L26A.M20260117", DEVICE + ".L26A", False),
        (DEVICE + ".P260117.S1.Y0123", DEVICE + ".S1", True),
        ("MA.156.M0.199999.01004YA10017.S9", "MA.156.M0.199999.01004YA10017.S9", True),
    ],
)
def test_it_is_unverifiable_and_its_item_is_the_device_and_its_number(text: str, item: str, is_single: bool) -> None:
    verdict = verdict_of(text)
    assert (verdict.family, verdict.outcome, verdict.unchecked) == (
        "udi-ma",
        Outcome.UNVERIFIABLE,
        ("check-character",),
    )
    assert (verdict.claims.item, verdict.claims.is_single) == (item, is_single)


def test_its_units_are_told_by_name() -> None:
    facts = {fact.name: fact.value for fact in describe("udi-ma", verdict_of(FULL).claims)}
    assert facts == {
        "device": DEVICE, "serial": "x00008", "produced": "2026-01-17", "batch": "20260117",
        "sterilisation_batch": "20260118", "ends_on": "2028-01-30", "good_to": "2028-01-30", "check_unchecked": "3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("MA.156.M1.199999.1335176X", "decode.ma-device"),
        ("MA.156.M0.19999.1335176X", "decode.ma-device"),
        ("MA.156.M0.199999.1335176", "decode.ma-device"),
        ("MA.156.M0.199999." + "1" * 21, "decode.ma-device"),
        ("MA.156.M0.199999.<script>", "decode.ma-device"),
        (DEVICE + ".", "decode.ma-unit"),
        (DEVICE + ".S", "decode.ma-unit"),
        (DEVICE + ".S1.", "decode.ma-unit"),
        (DEVICE + ".X1", "decode.ma-unit"),
        (DEVICE + ".s1", "decode.ma-unit"),
        (DEVICE + ".S1';DROP TABLE x", "decode.ma-unit"),
        (DEVICE + ".S" + "1" * 25, "decode.ma-unit"),
        (DEVICE + ".S批", "decode.ma-unit"),
        (DEVICE + ".S1\n", "decode.ma-unit"),
        (DEVICE + ".S1.S1", "decode.ma-repeated"),
        (DEVICE + ".M260101.P260101", "decode.ma-repeated"),
        (DEVICE + ".M261301", "decode.ma-date"),
        (DEVICE + ".V270229", "decode.ma-date"),
        (DEVICE + ".V280100", "decode.ma-date"),
        (DEVICE + ".V2801301", "decode.ma-date"),
        (DEVICE + ".V٢٨٠١٣٠", "decode.ma-unit"),
        (DEVICE + ".L1" * 90, "decode.over-long"),
    ],
)
def test_what_is_not_public_is_refused(text: str, reason: str) -> None:
    verdict = verdict_of(text)
    assert (verdict.family, verdict.outcome, verdict.reason) == ("udi-ma", Outcome.REFUSED, reason)
    assert verdict.claims.text == text.encode()


@pytest.mark.parametrize(
    ("text", "reason", "time"),
    [
        (
            DEVICE + ".V270114",
            "family.no-offline-proof",
            True,
        ),  # NOW is 15 January 2027, 08:00 UTC: still the 14th somewhere
        (DEVICE + ".V270113", "time.item-expired", False),
        (DEVICE + ".E270115", "family.no-offline-proof", True),
        (DEVICE + ".E270113", "time.item-expired", False),
        (DEVICE + ".E270114.V270116", "family.no-offline-proof", False),  # V says more exactly what E says
        (DEVICE + ".V20270113", "time.item-expired", False),
    ],
)
def test_what_is_certainly_over_is_refused(text: str, reason: str, time: bool) -> None:
    verdict = verdict_of(text)
    assert (verdict.reason, "time" in verdict.unchecked) == (reason, time)


@pytest.mark.parametrize("text", ["ma.156.M0.1", "MA:156", "MA.15", "MA.１５６.M0", "", "https://x.example/" + DEVICE])
def test_other_texts_are_not_it(text: str) -> None:
    assert FAMILY.recognise(text, scan_of("")) is None


@given(st.text(max_size=60) | st.text("MA.156LSVE0", max_size=60))
def test_any_text_gets_a_verdict(tail: str) -> None:
    for text in (tail, "MA.156" + tail, DEVICE + tail, DEVICE + ".S" + tail, DEVICE + ".V" + tail):
        verdict = verify(Code("udi-ma", text), None, NOW)
        assert verdict.outcome in (Outcome.UNVERIFIABLE, Outcome.REFUSED)
        item = verdict.claims.item
        assert item is None or (len(item) <= 64 and item.isascii() and item.isprintable())
