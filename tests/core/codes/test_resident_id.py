"""Residents' ids: the check character, the date, the provinces; and what is none."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import recognise
from agent.core.time_interval import Interval
from agent.core.verdict import Code, Outcome
from agent.core.verification import verify
from fakes.ehc_issuer import NOW, scan_of
from fakes.neighbours import resident_id

DAY_MS = 86_400_000
ID = resident_id()
WITH_X = next(resident_id(str(n)) for n in range(1_000) if resident_id(str(n)).endswith("X"))


def verdict_of(text: str, now: Interval = NOW):
    return verify(recognise(scan_of(text)), None, now)


@pytest.mark.parametrize(
    "text",
    [
        ID,
        WITH_X,
        WITH_X.lower(),
        "11010519491231002X",  # the example of GB 11643 itself
        resident_id(region="659999"),
        resident_id(region="810000"),
        resident_id(region="911840"),  # a permanent resident from abroad
        resident_id(born="20000229"),
    ],
)
def test_an_id_is_unverifiable_and_the_platform_could_settle_it(text):
    verdict = verdict_of(text)
    assert (verdict.family, verdict.outcome, verdict.needs_online) == ("resident-id", Outcome.UNVERIFIABLE, True)
    assert verdict.claims.text == text.upper().encode()
    assert text[6:14] not in repr(verdict)


@pytest.mark.parametrize(
    "text",
    [
        resident_id(region="009999"),
        resident_id(region="169999"),
        resident_id(region="900000"),
        resident_id(region="669999", born="19010203"),
        resident_id(region="659999", born="19010229"),
        resident_id(region="659999", born="19011301"),
        resident_id(region="659999", born="18991231"),
        WITH_X[:-1] + "Y",
        ID[:-1],
        ID + "0",
        " " + ID[:-1],
        "１" + ID[1:],
    ],
)
def test_what_lacks_province_date_or_length_is_no_id(text):
    assert verdict_of(text).family != "resident-id"


def test_an_x_that_does_not_fit_is_refused_and_nothing_of_it_is_kept():
    wrong = next(i for i in map(resident_id, map(str, range(1_000))) if not i.endswith("X"))[:-1] + "X"
    verdict = verdict_of(wrong)
    assert (verdict.family, verdict.reason, verdict.claims.text) == ("resident-id", "decode.check-digits", None)


@given(st.integers(0, 17), st.integers(0, 9))
def test_any_other_digit_is_never_this_family_s_id(at, digit):
    changed = ID[:at] + str(digit) + ID[at + 1 :]
    verdict = verdict_of(changed)
    assert (verdict.family == "resident-id") is (changed == ID)


@pytest.mark.parametrize(
    ("born_day", "now", "is_refused"),
    [
        (20_000, Interval(19_990 * DAY_MS, 19_998 * DAY_MS), True),
        (20_000, Interval(19_990 * DAY_MS, 20_000 * DAY_MS - DAY_MS // 2), False),  # it is that day in the east already
        (20_000, Interval(0, None), False),  # nothing bounds the time from above
        (20_000, Interval(20_001 * DAY_MS, 20_001 * DAY_MS), False),
        (-20_000, Interval(34_899 * DAY_MS, None), False),
        (-20_000, Interval(34_901 * DAY_MS, None), True),
    ],
)
def test_a_birth_date_is_judged_against_the_interval(born_day, now, is_refused):
    born = (date(1970, 1, 1) + timedelta(days=born_day)).strftime("%Y%m%d")
    verdict = verdict_of(resident_id(born=born), now)
    assert verdict.reason == ("decode.birth-date" if is_refused else "family.no-offline-proof")


@given(
    st.sampled_from(["119999", "659999", "911840"]), st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(0, 9)
)
def test_an_id_of_any_birth_is_unverifiable_unless_who_has_it_is_not_born_yet(region, born, label):
    text = resident_id(str(label), region=region, born=born.strftime("%Y%m%d"))
    reason = verify(Code("resident-id", text), None, NOW).reason
    today = date(1970, 1, 1) + timedelta(milliseconds=NOW.earliest_ms)
    if born < today:
        assert reason == "family.no-offline-proof"
    elif born > today + timedelta(days=1):
        assert reason == "decode.birth-date"


@given(st.text(max_size=40))
def test_no_text_makes_it_raise(text):
    assert verify(Code("resident-id", text), None, NOW).outcome in (Outcome.REFUSED, Outcome.UNVERIFIABLE)
