from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.piece import Piece
from agent.core.reading.report_descriptor import layouts_of
from agent.core.reading.reports import SETTLE_MS, TAIL_MS, ReportAssembler
from agent.core.scan import SCAN_BYTES_MAX, ScanFault
from fakes.hid_reports import COUNTED, UNCOUNTED, UNNAMED, WITHOUT_FLAG, WITHOUT_ID, report, reports, standard

TIMEOUT_MS = 500


def assembler(descriptor: bytes = COUNTED, bytes_max: int = SCAN_BYTES_MAX) -> ReportAssembler:
    return ReportAssembler(layouts_of(descriptor), bytes_max=bytes_max, timeout_ms=TIMEOUT_MS)


def fed(to: ReportAssembler, records: list[bytes], at_ms: int = 1_000) -> list[Piece]:
    return [piece for record in records for piece in to.feed(record, at_ms)]


@given(st.binary(min_size=1, max_size=400))
def test_every_code_comes_through_byte_for_byte_however_many_reports_it_takes(code: bytes) -> None:
    to = assembler()
    assert fed(to, reports(code)) == [Piece(code, None, "]Q1")]
    assert to.due_at_ms is None
    without_id = [record[1:] for record in reports(code)]
    assert fed(assembler(WITHOUT_ID), without_id) == [Piece(code, None, "]Q1")]
    form = [standard(r[5 : 5 + r[1]], more=r[-1]) for r in reports(code)]
    assert fed(assembler(UNNAMED), form) == [Piece(code, None, "]Q1")]


def test_the_longest_code_comes_through_and_a_longer_one_is_told_once_and_goes() -> None:
    longest = bytes(i % 251 for i in range(SCAN_BYTES_MAX))
    to = assembler()
    assert fed(to, reports(longest)) == [Piece(longest, None, "]Q1")]
    assert fed(to, reports(longest * 3)) == [Piece(longest, ScanFault.OVER_LONG, "]Q1")]
    assert fed(to, reports(longest + b"!")) == [Piece(longest, ScanFault.OVER_LONG, "]Q1")]
    assert fed(to, reports(b"next")) == [Piece(b"next", None, "]Q1")]


@pytest.mark.parametrize(
    ("aim", "told"), [(b"]Q1", "]Q1"), (b"]C1", "]C1"), (bytes(3), None), (b"   ", None), (b"QR\0", None)]
)
def test_the_aim_id_is_told_where_it_is_one(aim: bytes, told: str | None) -> None:
    assert fed(assembler(), reports(b"code" * 40, aim)) == [Piece(b"code" * 40, None, told)]


def test_later_parts_may_leave_the_aim_id_empty() -> None:
    parts = [report(b"a" * 56, more=True), report(b"b" * 56, bytes(3), more=True), report(b"c", bytes(3))]
    assert fed(assembler(), parts) == [Piece(b"a" * 56 + b"b" * 56 + b"c", None, "]Q1")]


def test_another_aim_id_in_the_middle_is_another_code_and_the_scan_is_damaged() -> None:
    parts = [report(b"a" * 56, b"]Q1", more=True), report(b"b", b"]C0")]
    assert fed(assembler(), parts) == [Piece(b"a" * 56 + b"b", ScanFault.DAMAGED, "]Q1")]
    parts = [report(b"a" * 56, bytes(3), more=True), report(b"b", b"]C0")]
    assert fed(assembler(), parts) == [Piece(b"a" * 56 + b"b", ScanFault.DAMAGED)]


def test_a_length_that_cannot_be_is_damaged_and_the_next_scan_is_whole() -> None:
    to = assembler()
    assert [p.fault for p in fed(to, [report(b"a", length=57)])] == [ScanFault.DAMAGED]
    assert [p.fault for p in fed(to, [report(b"a", length=255, more=True), report(b"b")])] == [ScanFault.DAMAGED]
    assert fed(to, [report(b"c")]) == [Piece(b"c", None, "]Q1")]


def test_a_report_that_is_cut_short_is_damaged_and_so_is_what_may_be_its_rest() -> None:
    to = assembler()
    assert [p.fault for p in fed(to, [report(b"a" * 56, more=True)[:-1]])] == [ScanFault.DAMAGED]
    assert [p.fault for p in fed(to, [report(b"rest")])] == [ScanFault.DAMAGED]
    assert fed(to, [report(b"c")]) == [Piece(b"c", None, "]Q1")]


def test_reports_of_other_ids_and_empty_ones_are_no_scans() -> None:
    to = assembler()
    records = [b"", b"\x01", b"\x03" * 62, report(b""), report(b"a" * 56, more=True), b"\x07\x01", report(b"b")]
    assert fed(to, records) == [Piece(b"a" * 56 + b"b", None, "]Q1")]


def test_a_scan_that_never_goes_on_is_incomplete_and_what_may_be_its_rest_is_refused_too() -> None:
    to = assembler()
    assert to.feed(report(b"a" * 56, more=True), 1_000) == []
    assert to.due_at_ms == 1_000 + TIMEOUT_MS
    assert to.idle(1_499) == []
    assert to.idle(1_500) == [Piece(b"a" * 56, ScanFault.INCOMPLETE, "]Q1")]
    assert to.due_at_ms is None
    assert to.feed(report(b"the rest, or a new one"), 9_000)[0].fault is ScanFault.INCOMPLETE
    assert to.feed(report(b"b"), 9_001) == [Piece(b"b", None, "]Q1")]


def test_long_after_an_incomplete_scan_nothing_is_taken_for_its_rest() -> None:
    to = assembler()
    to.feed(report(b"a" * 56, more=True), 0)
    to.idle(TIMEOUT_MS)
    assert to.feed(report(b"b"), TIMEOUT_MS + TAIL_MS) == [Piece(b"b", None, "]Q1")]


def test_a_part_that_comes_too_late_is_told_without_anybody_asking() -> None:
    to = assembler()
    to.feed(report(b"a" * 56, more=True), 0)
    assert [(p.data, p.fault) for p in to.feed(report(b"b"), TIMEOUT_MS)] == [
        (b"a" * 56, ScanFault.INCOMPLETE),
        (b"b", ScanFault.INCOMPLETE),
    ]


def test_a_device_that_goes_takes_its_half_scan_with_it() -> None:
    to = assembler()
    to.feed(report(b"a" * 56, more=True), 0)
    assert to.hang_up() == [Piece(b"a" * 56, ScanFault.CUT, "]Q1")]
    assert to.hang_up() == []
    assert to.feed(report(b"b"), 1) == [Piece(b"b", None, "]Q1")]


def test_a_scan_that_was_under_way_at_opening_is_lost_and_the_next_one_whole() -> None:
    to = assembler()
    to.begin(0)
    assert fed(to, [report(b"a" * 56, more=True), report(b"b")], SETTLE_MS - 1) == [
        Piece(b"a" * 56 + b"b", ScanFault.LOST, "]Q1")
    ]
    assert to.feed(report(b"c"), SETTLE_MS - 1) == [Piece(b"c", None, "]Q1")]
    to.begin(1_000)
    assert to.feed(report(b"d"), 1_000 + SETTLE_MS) == [Piece(b"d", None, "]Q1")]


def test_where_reports_are_missing_the_scan_under_way_is_lost_or_else_the_next() -> None:
    to = assembler()
    to.feed(report(b"a" * 56, more=True), 0)
    to.lose_track(0)
    assert to.feed(report(b"tail"), 1) == [Piece(b"a" * 56 + b"tail", ScanFault.LOST, "]Q1")]
    to.lose_track(2)
    assert to.feed(report(b"whose beginning is missing, perhaps"), 3)[0].fault is ScanFault.LOST
    assert to.feed(report(b"c"), 4) == [Piece(b"c", None, "]Q1")]


def test_a_loss_with_nothing_left_of_it_is_told_too() -> None:
    to = assembler()
    to.lose_track(0)
    assert to.idle(TIMEOUT_MS) == [Piece(b"", ScanFault.LOST)]
    assert to.idle(10 * TIMEOUT_MS) == []


def test_without_a_flag_a_full_report_is_never_taken_for_a_whole_code() -> None:
    to = assembler(WITHOUT_FLAG)
    assert to.feed(report(b"a" * 55)[:-1], 0) == [Piece(b"a" * 55, None, "]Q1")]
    parts = [report(b"a" * 56)[:-1], report(b"b")[:-1]]
    assert fed(to, parts, 1) == [Piece(b"a" * 56 + b"b", ScanFault.DAMAGED, "]Q1")]


def test_without_a_length_nul_at_the_end_is_padding_and_within_is_data() -> None:
    to = assembler(UNCOUNTED)
    parts = [report(b"a\0b\0", more=True), report(b"c\0d\0")]
    (piece,) = fed(to, [part[:1] + part[2:] for part in parts])
    assert piece == Piece(b"a\0b\0".ljust(56, b"\0") + b"c\0d", None, "]Q1")


@pytest.mark.parametrize(
    "record",
    [
        standard(b"code", b"A]0"),  # another form of 64 bytes: its data begin where ours has the AIM id
        standard(b"code", more=2),
        standard(b"", length=0),
        standard(b"code", length=57),
        standard(b"code", bytes(3)),
    ],
)
def test_a_standard_form_that_is_none_is_damaged(record: bytes) -> None:
    to = assembler(UNNAMED)
    assert [p.fault for p in fed(to, [record]) + to.idle(9_000)] == [ScanFault.DAMAGED]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=70),
            st.tuples(st.binary(max_size=56), st.booleans(), st.integers(0, 255)).map(
                lambda t: report(t[0], more=t[1], length=t[2])
            ),
            st.just(report(b"whole")),
        ),
        max_size=30,
    ),
    st.lists(st.integers(0, 700), min_size=30, max_size=30),
    st.sampled_from([COUNTED, WITHOUT_ID, UNCOUNTED, WITHOUT_FLAG, UNNAMED]),
)
def test_no_report_raises_and_nothing_is_read_that_was_not_sent(
    records: list[bytes], pauses: list[int], descriptor: bytes
) -> None:
    to = assembler(descriptor, bytes_max=100)
    at_ms = 0
    for record, pause in zip(records, pauses, strict=False):
        at_ms += pause
        for piece in to.idle(at_ms) + to.feed(record, at_ms):
            assert len(piece.data) <= 100
            assert piece.data or piece.fault is not None
            assert Counter(piece.data) <= Counter(b"".join(records))
    to.hang_up()
    assert to.due_at_ms is None


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=8), st.data())
def test_whatever_reports_a_full_ring_drops_no_wrong_code_is_read(codes: list[bytes], data: st.DataObject) -> None:
    records = [record for code in codes for record in reports(code)]
    first = data.draw(st.integers(0, len(records)))
    count = data.draw(st.integers(0, len(records) - first))
    to = assembler()
    pieces = fed(to, records[:first])
    to.lose_track(1_000)
    pieces += fed(to, records[first + count :]) + to.idle(10_000)
    whole = [piece.data for piece in pieces if piece.fault is None]
    assert all(code in codes for code in whole)
    if count:
        assert any(piece.fault is ScanFault.LOST for piece in pieces)
