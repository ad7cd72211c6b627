"""Which codes seen in pictures are certain."""

from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.piece import Piece
from agent.core.reading.sightings import KEPT_MAX, RAW, WINDOW_MS, Box, Sighting, Sightings, agreed
from agent.core.reading.symbologies import Symbology
from agent.core.scan import ScanFault

HERE, THERE = Box(0, 0, 100, 50), Box(200, 0, 300, 50)


def bars(data: bytes, look: str = RAW, box: Box = HERE) -> Sighting:
    return Sighting(Piece(data), Symbology.EAN13, box, look)


def test_an_error_corrected_code_is_certain_at_once() -> None:
    qr = Sighting(Piece(b"a"), Symbology.QR, HERE, "2x")
    assert Sightings().certain([qr], 0) == [Piece(b"a")]


def test_a_code_of_bars_is_certain_in_the_second_picture() -> None:
    sightings = Sightings()
    assert sightings.certain([bars(b"1"), bars(b"1")], 0) == []
    assert sightings.certain([bars(b"1")], 33) == [Piece(b"1")]
    assert sightings.certain([bars(b"1")], 66) == [Piece(b"1")]


def test_the_same_treatment_twice_is_one_witness() -> None:
    sightings = Sightings()
    assert sightings.certain([bars(b"1", "2x")], 0) == []
    assert sightings.certain([bars(b"1", "2x")], 33) == []
    assert sightings.certain([bars(b"1", "median")], 66) == [Piece(b"1")]


def test_reads_that_disagree_at_one_place_are_no_reads() -> None:
    sightings = Sightings()
    sightings.certain([bars(b"1")], 0)
    sightings.certain([bars(b"2")], 33)
    assert sightings.certain([bars(b"1")], 66) == []
    assert sightings.certain([bars(b"1")], 33 + WINDOW_MS) == [Piece(b"1")]


def test_two_codes_side_by_side_do_not_disagree() -> None:
    sightings = Sightings()
    sightings.certain([bars(b"1"), bars(b"2", box=THERE)], 0)
    assert sightings.certain([bars(b"1"), bars(b"2", box=THERE)], 33) == [Piece(b"1"), Piece(b"2")]


def test_a_sighting_is_forgotten() -> None:
    sightings = Sightings()
    sightings.certain([bars(b"1")], 0)
    assert sightings.certain([bars(b"1")], WINDOW_MS) == []


def test_a_faulty_code_is_said_once_while_it_is_in_sight() -> None:
    sightings, part = Sightings(), Piece(b"a", ScanFault.INCOMPLETE)
    seen = [Sighting(part, Symbology.QR, HERE, RAW)]
    assert [sightings.certain(seen, at_ms) for at_ms in (0, 500, 2_000, 3_900)] == [[part], [], [], []]
    assert sightings.certain(seen, 3_900 + WINDOW_MS) == [part]


def test_what_is_remembered_is_bounded() -> None:
    sightings = Sightings()
    for number in range(KEPT_MAX * 3):
        sightings.certain([bars(b"%d" % number)], 0)
    assert len(sightings._seen) == KEPT_MAX


def test_in_a_still_picture_two_looks_must_agree_and_none_disagree() -> None:
    assert agreed([bars(b"1", "2x")]) == []
    assert agreed([bars(b"1")]) == [Piece(b"1")]
    assert agreed([bars(b"1", "2x"), bars(b"1", "median")]) == [Piece(b"1")]
    assert agreed([bars(b"1", "2x"), bars(b"1", "median"), bars(b"2", "half")]) == []


@given(
    st.lists(
        st.tuples(st.sampled_from([b"1", b"2", b"3"]), st.sampled_from([RAW, "2x", "median"]), st.integers(0, 3_000)),
        max_size=20,
    )
)
def test_nothing_is_certain_that_was_not_seen(seen: list[tuple[bytes, str, int]]) -> None:
    sightings, at_ms = Sightings(), 0
    for data, look, later_ms in seen:
        at_ms += later_ms
        assert set(sightings.certain([bars(data, look)], at_ms)) <= {Piece(data)}
