import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.piece import Piece
from agent.core.reading.probing import BAUDS_PROBED, DOUBTS_MAX, BaudProbe, is_plain_text
from agent.core.scan import ScanFault

GARBLED = Piece(b"\xf8\x00\x80\xfe\x00", None)


def test_the_first_plain_scan_proves_the_speed_and_passes() -> None:
    probe = BaudProbe()
    assert probe.judge(Piece(b"EHC1:ABC"), is_checked=False) == Piece(b"EHC1:ABC")
    assert (probe.is_proven, probe.baud) == (True, BAUDS_PROBED[0])


def test_garbage_is_refused_aloud_and_the_next_speed_is_tried_and_then_the_first_again() -> None:
    probe, tried = BaudProbe(), []
    for _ in range(len(BAUDS_PROBED) + 1):
        tried.append(probe.baud)
        assert probe.judge(GARBLED, is_checked=False).fault is ScanFault.DAMAGED
    assert tried == [*BAUDS_PROBED, BAUDS_PROBED[0]]


@pytest.mark.parametrize("fault", [ScanFault.INCOMPLETE, ScanFault.OVER_LONG])
def test_plain_text_without_its_terminator_is_no_matter_of_speed(fault: ScanFault) -> None:
    probe = BaudProbe()
    assert probe.judge(Piece(b"plain text", fault), is_checked=False).fault is fault
    assert probe.baud == BAUDS_PROBED[0]


def test_once_proven_other_character_sets_pass_and_one_damaged_scan_changes_nothing() -> None:
    probe = BaudProbe()
    probe.judge(Piece(b"EHC1:ABC"), is_checked=False)
    chinese = Piece("姓名".encode("gb18030"))
    assert probe.judge(chinese, is_checked=False) == chinese
    for _ in range(DOUBTS_MAX):
        assert (probe.baud, probe.is_proven) == (BAUDS_PROBED[0], True)
        probe.judge(Piece(b"", ScanFault.DAMAGED), is_checked=False)
    assert (probe.baud, probe.is_proven) == (BAUDS_PROBED[1], False), "the scanner has been set to another speed"


def test_a_check_sum_proves_by_itself_and_a_scanner_pulled_out_proves_nothing() -> None:
    probe = BaudProbe()
    assert probe.judge(Piece(b"half", ScanFault.CUT), is_checked=False).fault is ScanFault.CUT
    assert probe.baud == BAUDS_PROBED[0]
    assert probe.judge(GARBLED, is_checked=True) == GARBLED
    assert probe.is_proven


@given(st.lists(st.tuples(st.binary(max_size=12), st.none() | st.sampled_from(list(ScanFault))), max_size=20))
def test_until_a_speed_is_proven_nothing_passes_but_plain_text(pieces: list[tuple[bytes, ScanFault | None]]) -> None:
    probe = BaudProbe()
    for data, fault in pieces:
        was_proven = probe.is_proven
        judged = probe.judge(Piece(data, fault), is_checked=False)
        assert judged.data == data
        assert judged.fault is not None or was_proven or is_plain_text(data)
