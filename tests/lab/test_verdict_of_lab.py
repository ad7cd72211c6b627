"""The laboratory's verdict: exact, refused aloud or silently wrong, and no floor that an empty run passes."""

import pytest

from lab.journal import Expect, Heard, Sent, heard_line, read_heard, read_sent, sent_line
from lab.verdict import KINDS_MIN, ROWS_MIN, SCANS_MIN, Row, judge


def sent(data: str, scanner: str = "desk", *, row: str = "row", expect: Expect = Expect.EXACT, **more: str) -> Sent:
    return Sent(row, "url", scanner, data.encode(), expect=expect, **more)


def heard(data: str, scanner: str = "desk", fault: str | None = None, aim: str | None = None) -> Heard:
    return Heard(scanner, data.encode(), aim, fault)


def verdict_of(those_sent: list[Sent], those_heard: list[Heard]):
    return judge(those_sent, those_heard, {}, {}, 1, {})


def test_what_came_out_as_it_was_sent_is_exact():
    verdict = verdict_of([sent("A"), sent("B")], [heard("A"), heard("B")])
    assert verdict.is_good
    assert verdict.rows == {"row": Row(scans=2, exact=2)}
    assert str(verdict) == "lab: 2 of 2 exact or refused aloud, 0 silently wrong"


def test_one_changed_byte_is_silently_wrong_twice_over():
    verdict = verdict_of([sent("code")], [heard("c0de")])
    assert (verdict.silent, verdict.invented, verdict.is_good) == (2, 1, False)


def test_a_scan_that_never_came_is_silently_wrong():
    verdict = verdict_of([sent("A"), sent("B"), sent("C")], [heard("A"), heard("C")])
    assert (verdict.silent, verdict.is_good) == (1, False)


def test_a_fault_speaks_for_one_scan_only():
    those = [sent(name, expect=Expect.EITHER) for name in "ABC"]
    assert verdict_of(those, [heard("A", fault="cut"), heard("C")]).silent == 1
    assert verdict_of(those, [heard("A", fault="cut"), heard("B", fault="cut"), heard("C")]).silent == 0


@pytest.mark.parametrize("fault", ["lost", "flood"])
def test_a_loss_and_a_flood_speak_for_all_that_did_not_come_out(fault):
    those = [sent(name, expect=Expect.EITHER) for name in "ABCD"]
    verdict = verdict_of(those, [heard("A"), heard("", fault=fault), heard("D")])
    assert verdict.is_good
    assert verdict.rows["row"] == Row(scans=4, exact=2, refused=2, faults={fault: 2})


def test_a_fault_does_not_speak_for_what_comes_behind_it():
    those = [sent(name, expect=Expect.EITHER) for name in "ABC"]
    verdict = verdict_of(those, [heard("", fault="lost"), heard("B")])
    assert verdict.silent == 1


def test_a_scan_that_comes_out_twice_was_sent_once():
    assert verdict_of([sent("A")], [heard("A"), heard("A")]).invented == 1


def test_scans_in_another_order_are_wrong():
    assert verdict_of([sent("A"), sent("B")], [heard("B"), heard("A")]).silent == 2


def test_what_another_scanner_emitted_is_nobodys():
    verdict = verdict_of([sent("A", "desk")], [heard("A", "door")])
    assert (verdict.invented, verdict.silent) == (1, 2)


def test_half_a_scan_has_to_be_refused():
    half = [sent("half a scan", expect=Expect.REFUSED)]
    assert verdict_of(half, [heard("half", fault="cut")]).is_good
    assert verdict_of(half, [heard("half")]).silent == 2
    assert verdict_of(half, [heard("half a scan")]).silent == 1
    assert verdict_of(half, []).silent == 1


def test_the_aim_id_has_to_come_beside_where_one_was_sent():
    assert verdict_of([sent("A", aim="]Q1")], [heard("A", aim="]Q1")]).is_good
    assert not verdict_of([sent("A", aim="]Q1")], [heard("A")]).is_good


def test_refusing_everything_aloud_is_no_scanner():
    those = [sent(str(number)) for number in range(20)]
    verdict = verdict_of(those, [heard("", fault="incomplete") for _ in those])
    assert verdict.silent == 0
    assert not verdict.is_good


def test_the_table_names_the_faults_that_scans_were_refused_with():
    verdict = verdict_of(
        [sent("A"), sent("B", expect=Expect.EITHER)], [heard("", fault="cut"), heard("", fault="keys")]
    )
    assert verdict.rows["row"] == Row(scans=2, refused=2, needless=1, faults={"cut": 1, "keys": 1})


def test_a_flood_that_was_none_is_a_fault():
    those = [sent("A", row="flood.hid", expect=Expect.EITHER)]
    verdict = judge(those, [heard("A")], {}, {}, 1)
    assert verdict.faults == ("row flood.hid: 0 refused as flood, 1 at least",)
    assert judge(those, [heard("", fault="flood")], {}, {}, 1).is_good


def test_nothing_proves_nothing():
    verdict = judge([], [])
    assert str(verdict) == "lab: 0 of 0 exact or refused aloud, 0 silently wrong"
    assert not verdict.is_good
    assert f"0 scans were sent, {SCANS_MIN} at least prove something" in verdict.faults


@pytest.mark.parametrize("missing", ROWS_MIN)
def test_each_missing_row_is_a_fault(missing):
    those = [sent(f"{row} {n}", row=row) for row, least in ROWS_MIN.items() if row != missing for n in range(least)]
    verdict = judge(those, [Heard(one.scanner, one.data) for one in those], kinds_min={}, scans_min=1, faults_min={})
    assert verdict.faults == (f"row {missing}: 0 scans, {ROWS_MIN[missing]} at least",)


@pytest.mark.parametrize("missing", KINDS_MIN)
def test_each_missing_kind_is_a_fault(missing):
    those = [
        Sent("row", kind, "desk", f"{kind} {n}".encode())
        for kind, least in KINDS_MIN.items()
        if kind != missing
        for n in range(least)
    ]
    verdict = judge(those, [Heard(one.scanner, one.data) for one in those], rows_min={}, scans_min=1, faults_min={})
    assert verdict.faults == (f"kind {missing}: 0 scans, {KINDS_MIN[missing]} at least",)


def test_the_journals_hold_every_byte(tmp_path):
    one = Sent("row", "gb18030", "desk", bytes(range(256)), "]Q1", Expect.EITHER)
    came = Heard("desk", bytes(range(256)), None, "cut")
    (tmp_path / "sent").write_text(sent_line(one))
    (tmp_path / "heard").write_text(heard_line(came))
    assert (read_sent(tmp_path / "sent"), read_heard(tmp_path / "heard")) == ([one], [came])
    assert read_sent(tmp_path / "nothing") == []
