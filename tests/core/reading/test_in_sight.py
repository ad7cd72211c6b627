"""Which codes in sight are new."""

from agent.core.reading.in_sight import REMEMBERED_MAX, InSight
from agent.core.reading.piece import Piece
from agent.core.scan import ScanFault

A, B = Piece(b"a"), Piece(b"b")


def test_a_code_in_sight_is_new_once_however_long_it_stays() -> None:
    in_sight = InSight(3_000)
    seen = [in_sight.new([A], at_ms) for at_ms in range(0, 60_000, 33)]
    assert seen[0] == [A]
    assert not any(seen[1:])


def test_codes_that_take_turns_are_new_once_each() -> None:
    in_sight = InSight(3_000)
    assert [in_sight.new([code], at) for at, code in enumerate([A, B, A, B, A])] == [[A], [B], [], [], []]


def test_a_code_is_new_again_after_its_interval_out_of_sight() -> None:
    in_sight = InSight(3_000)
    assert in_sight.new([A], 0) == [A]
    assert in_sight.new([A], 2_999) == []
    assert in_sight.new([A], 5_998) == []
    assert in_sight.new([A], 8_998) == [A]


def test_a_refused_code_is_refused_once() -> None:
    in_sight = InSight(3_000)
    bad = Piece(b"a", ScanFault.OVER_LONG)
    assert [in_sight.new([bad], at) for at in range(3)] == [[bad], [], []]
    assert in_sight.new([A], 3) == [A]


def test_without_an_interval_every_sight_is_new() -> None:
    in_sight = InSight(0)
    assert [in_sight.new([A], at) for at in (0, 0, 1)] == [[A], [A], [A]]


def test_what_is_remembered_has_a_limit() -> None:
    in_sight = InSight(3_000)
    for number in range(3 * REMEMBERED_MAX):
        in_sight.new([Piece(b"%d" % number)], 0)
    assert len(in_sight._last_at_ms) == REMEMBERED_MAX
