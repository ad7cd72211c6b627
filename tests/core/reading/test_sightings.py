"""Which codes in sight are new."""

from agent.core.reading.piece import Piece
from agent.core.reading.sightings import REMEMBERED_MAX, Sightings
from agent.core.scan import ScanFault

A, B = Piece(b"a"), Piece(b"b")


def test_a_code_in_sight_is_new_once_however_long_it_stays() -> None:
    sightings = Sightings(3_000)
    seen = [sightings.new([A], at_ms) for at_ms in range(0, 60_000, 33)]
    assert seen[0] == [A]
    assert not any(seen[1:])


def test_codes_that_take_turns_are_new_once_each() -> None:
    sightings = Sightings(3_000)
    assert [sightings.new([code], at) for at, code in enumerate([A, B, A, B, A])] == [[A], [B], [], [], []]


def test_a_code_is_new_again_after_its_interval_out_of_sight() -> None:
    sightings = Sightings(3_000)
    assert sightings.new([A], 0) == [A]
    assert sightings.new([A], 2_999) == []
    assert sightings.new([A], 5_998) == []
    assert sightings.new([A], 8_998) == [A]


def test_a_refused_code_is_refused_once() -> None:
    sightings = Sightings(3_000)
    bad = Piece(b"a", ScanFault.OVER_LONG)
    assert [sightings.new([bad], at) for at in range(3)] == [[bad], [], []]
    assert sightings.new([A], 3) == [A]


def test_without_an_interval_every_sight_is_new() -> None:
    sightings = Sightings(0)
    assert [sightings.new([A], at) for at in (0, 0, 1)] == [[A], [A], [A]]


def test_what_is_remembered_has_a_limit() -> None:
    sightings = Sightings(3_000)
    for number in range(3 * REMEMBERED_MAX):
        sightings.new([Piece(b"%d" % number)], 0)
    assert len(sightings._last_at_ms) == REMEMBERED_MAX
