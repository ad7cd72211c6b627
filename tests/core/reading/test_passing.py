"""The same code in sight is one scan; a flood is cut, told, and over when it is; nothing new is lost otherwise."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.passing import BURST_SCANS_MAX, CALM_S, FLOOD_TOLD_MS, IN_SIGHT_MAX, Gate
from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile
from agent.core.scan import ScanFault

A, B = Piece(b"A"), Piece(b"B")
FLOOD = Piece(b"", ScanFault.FLOOD)


def gate(**settings: int) -> Gate:
    return Gate(Profile(id="desk", **settings))


def passed(one: Gate, shown: list[tuple[Piece, int]]) -> list[Piece | None]:
    return [one.passes(piece, at_ms) for piece, at_ms in shown]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([(A, 0), (A, 999)], [A, None]),
        ([(A, 0), (A, 1000)], [A, A]),
        ([(A, 0), (A, 900), (A, 1800), (A, 2700)], [A, None, None, None]),  # since its last sight
        ([(A, 0), (B, 300), (A, 600)], [A, B, None]),  # both lie there: another code between makes it no newer
        ([(A, 0), (B, 1), (A, 900), (B, 950), (A, 1800), (B, 1949), (A, 2800)], [A, B, None, None, None, None, A]),
        ([(A, 0), (Piece(b"A", aim="]Q1"), 1)], [A, Piece(b"A", aim="]Q1")]),  # another kind is another code
        ([(Piece(b"A", ScanFault.CUT), 0), (A, 1)], [Piece(b"A", ScanFault.CUT), A]),
        ([(Piece(b"A", ScanFault.CUT), 0)] * 2, [Piece(b"A", ScanFault.CUT)] * 2),  # each fault is told
    ],
)
def test_the_same_code_within_its_interval_since_its_last_sight_is_one_scan(shown, expected):
    one = gate()
    assert passed(one, shown) == expected
    assert one.repeats == expected.count(None)
    assert one.dropped == 0


def test_without_an_interval_every_read_is_a_scan():
    assert passed(gate(same_code_interval_ms=0), [(A, 0)] * 3) == [A] * 3


def test_of_more_codes_than_lie_before_a_scanner_the_longest_unseen_is_new_again():
    codes = [Piece(bytes([code])) for code in range(IN_SIGHT_MAX + 1)]
    one = gate()
    assert passed(one, [(code, 0) for code in codes]) == codes
    assert one.passes(codes[-1], 1) is None
    assert one.passes(codes[0], 1) == codes[0]
    assert len(one._in_sight._last_at_ms) == IN_SIGHT_MAX


def different(count: int, first: int = 0) -> list[Piece]:
    return [Piece(str(number).encode()) for number in range(first, first + count)]


def test_a_flood_is_told_once_and_cut_and_the_next_scan_behind_it_passes():
    one, codes = gate(), different(1000)
    got = [one.passes(code, index) for index, code in enumerate(codes)]
    told = [piece for piece in got if piece is not None]
    assert told[:BURST_SCANS_MAX] == codes[:BURST_SCANS_MAX]
    assert told.count(FLOOD) == 1
    assert len(told) <= BURST_SCANS_MAX + 20 + 1
    assert one.dropped == 1000 - (len(told) - 1)
    assert one.passes(A, 1000 + int(1000 * CALM_S)) == A


def test_a_code_that_the_flood_took_is_new_when_it_is_shown_again():
    one = gate()
    for index, code in enumerate(different(200)):
        one.passes(code, index)
    assert one.passes(A, 200) is None
    one = gate(scans_per_s_max=1_000, same_code_interval_ms=60_000)
    for code in different(1_500):
        one.passes(code, 0)
    assert one.passes(A, 0) is None
    assert one.passes(A, 2_000) == A


def test_who_comes_to_a_scanner_in_a_flood_that_does_not_end_is_told_in_time():
    one, told_at_ms = gate(), []
    for number in range(60_000 // 20):  # 50 a second
        at_ms = 20 * number
        if one.passes(Piece(str(number).encode()), at_ms) == FLOOD:
            told_at_ms.append(at_ms)
    gaps = [later - earlier for earlier, later in pairwise(told_at_ms)]
    assert 5 <= len(told_at_ms) <= 7
    assert max(gaps) <= FLOOD_TOLD_MS + 20


@pytest.mark.parametrize("per_s", [1, 2, 20, 1_000, 1_000_000])
def test_after_silence_the_next_scan_passes_however_low_the_limit(per_s):
    one = gate(scans_per_s_max=per_s)
    for code in different(max(BURST_SCANS_MAX, min(per_s, 3_000)) + 50):
        one.passes(code, 0)
    assert one.passes(A, int(1000 * (CALM_S + 1))) == A


def test_a_code_that_is_read_a_thousand_times_a_second_is_no_flood():
    one = gate()
    assert [one.passes(A, at_ms) for at_ms in range(5_000)].count(None) == 4_999
    assert (one.repeats, one.dropped) == (4_999, 0)
    assert one.passes(B, 5_000) == B


def test_faults_flood_too():
    one = gate()
    got = [one.passes(Piece(b"x", ScanFault.OVER_LONG), 0) for _ in range(200)]
    assert got.count(FLOOD) == 1
    assert got.count(None) == 200 - BURST_SCANS_MAX - 1


@given(
    st.lists(st.tuples(st.sampled_from(different(12)), st.integers(0, 3_000)), max_size=200),
    st.sampled_from([0, 100, 1_000]),
    st.sampled_from([1, 20, 1_000]),
)
def test_each_piece_is_passed_as_it_is_or_counted(steps, interval_ms, per_s):
    one, at_ms = gate(same_code_interval_ms=interval_ms, scans_per_s_max=per_s), 0
    last_sight = dict[Piece, int]()
    through = 0
    for piece, wait_ms in steps:
        at_ms += wait_ms
        got = one.passes(piece, at_ms)
        assert got in (piece, None, FLOOD)
        through += got == piece
        if got == piece and interval_ms and len(last_sight) <= IN_SIGHT_MAX:
            assert at_ms - last_sight.get(piece, -interval_ms) >= interval_ms
        last_sight[piece] = at_ms if got != FLOOD else last_sight.get(piece, -interval_ms)
    assert through + one.repeats + one.dropped == len(steps)
