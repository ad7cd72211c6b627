import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.reading.framing import TAIL_MS_MAX
from agent.core.reading.piece import Piece
from agent.core.reading.ssi import GAP_MS, NAKS_MAX, RESEND_MS, SsiAssembler, packet
from agent.core.scan import ScanFault
from fakes.ssi_scanner import ACK, DECODE_DATA, EVENT, NAK, QR, ssi_packet

MORE = 0x02
AGAIN = 0x01
ACKED = bytes.fromhex("04d00400ff28")


def decode(data: bytes, status: int = 0, kind: int = QR) -> bytes:
    return ssi_packet(DECODE_DATA, bytes([kind]) + data, status)


def scan(data: bytes) -> Piece:
    return Piece(data, None, "]Q1")


def test_packets_by_hand() -> None:
    """Checksums worked out by hand: 0x10000 - (04 + D0 + 04) and - (05 + E6 + 04 + 01)."""
    assert packet(0xD0) == ACKED
    assert packet(0xE6, b"\x01") == bytes.fromhex("05e6040001ff10")


@given(st.lists(st.binary(min_size=1, max_size=245), max_size=5), st.lists(st.integers(0, 900), max_size=12))
def test_packets_are_read_and_acknowledged_however_they_are_cut(codes: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(decode(code) for code in codes)
    edges = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    assembler = SsiAssembler()
    pieces = [p for a, b in itertools.pairwise(edges) for p in assembler.feed(stream[a:b], 0)]
    assert pieces == [scan(code) for code in codes]
    assert assembler.take_replies() == ACKED * len(codes)
    assert assembler.take_replies() == b""
    assert assembler.due_at_ms is None


@pytest.mark.parametrize(("kind", "aim"), [(0x1C, "]Q1"), (0x03, "]C0"), (0x1B, "]d1"), (0xC1, "]d2"), (0x69, None)])
def test_the_bar_code_type_is_told_as_an_aim_id(kind: int, aim: str | None) -> None:
    assert SsiAssembler().feed(decode(b"abc", kind=kind), 0) == [Piece(b"abc", None, aim)]


@given(st.binary(min_size=1, max_size=60), st.integers(0, 400), st.integers(1, 255))
@example(b"ab" + decode(b"ab")[-2:] + b"cd", 0, (4 + 1 + 6) ^ (4 + 1 + 2))
def test_any_flipped_byte_is_never_a_scan_but_where_the_code_holds_the_checksum_of_a_shorter_one(
    code: bytes, place: int, change: int
) -> None:
    stream = bytearray(decode(code))
    stream[place % len(stream)] ^= change
    assembler, now_ms = SsiAssembler(), 0
    pieces = assembler.feed(bytes(stream), now_ms)
    while (due_at_ms := assembler.due_at_ms) is not None:
        pieces += assembler.idle(due_at_ms)
    shorter = [code[:n] for n in range(1, len(code)) if stream.startswith(decode(code[:n]))]
    if shorter:  # a wrong length, and behind so many bytes their checksum: nothing tells it
        assert [pieces[0]] == [scan(data) for data in shorter]
    else:
        assert all(piece.fault is not None for piece in pieces)


def test_a_damaged_packet_is_asked_for_again_and_is_then_one_scan() -> None:
    assembler, bad = SsiAssembler(), decode(b"code")[:-1] + b"\x00"
    assert assembler.feed(bad, 0) == []
    assert assembler.take_replies() == b"", "nobody speaks while the scanner may still be sending"
    assert assembler.idle(GAP_MS) == []
    assert assembler.take_replies() == ssi_packet(NAK, b"\x01", source=4)
    assert assembler.feed(decode(b"code", AGAIN), GAP_MS + 5) == [scan(b"code")]
    assert assembler.due_at_ms is None


def test_what_does_not_come_again_is_refused_aloud_once() -> None:
    assembler = SsiAssembler()
    assembler.feed(decode(b"code")[:-1] + b"\x00", 0)
    assembler.idle(GAP_MS)
    assert assembler.due_at_ms == GAP_MS + RESEND_MS
    assert assembler.idle(GAP_MS + RESEND_MS) == [Piece(b"", ScanFault.DAMAGED)]
    assert assembler.due_at_ms is None
    assert assembler.feed(decode(b"next"), 9_000) == [scan(b"next")]


def test_a_line_that_damages_everything_is_not_asked_for_ever() -> None:
    assembler, now_ms, pieces = SsiAssembler(), 0, []
    for _ in range(NAKS_MAX + 1):
        assembler.feed(decode(b"code", AGAIN)[:-1] + b"\x00", now_ms)
        now_ms += GAP_MS
        pieces += assembler.idle(now_ms)
    assert pieces == [Piece(b"", ScanFault.DAMAGED)]
    assert assembler.take_replies() == ssi_packet(NAK, b"\x01", source=4) * NAKS_MAX


def test_a_retransmission_is_not_doubled_and_a_second_scan_of_the_same_code_is() -> None:
    assembler = SsiAssembler()
    stream = decode(b"code") + decode(b"code", AGAIN) + decode(b"code")
    assert assembler.feed(stream, 0) == [scan(b"code"), scan(b"code")]
    assert assembler.take_replies() == ACKED * 3


def test_a_long_code_comes_in_several_packets() -> None:
    assembler = SsiAssembler(bytes_max=12)
    assert assembler.feed(decode(b"0123", MORE) + decode(b"4567", MORE), 0) == []
    assert assembler.feed(decode(b"89AB"), 0) == [scan(b"0123456789AB")]
    assert assembler.feed(decode(b"0123456", MORE) + decode(b"789ABC"), 0) == [
        Piece(b"0123456789AB", ScanFault.OVER_LONG)
    ]


def test_no_part_of_a_message_is_a_scan() -> None:
    """The end of it never came, came again, or another kind's did: what follows belongs to it up to its last packet."""
    stalled = SsiAssembler()
    assert stalled.feed(decode(b"one", MORE), 0) == []
    assert stalled.idle(RESEND_MS) == [Piece(b"one", ScanFault.INCOMPLETE)]
    assert stalled.feed(decode(b"two", MORE) + decode(b"three"), 9_000) == [Piece(b"three", ScanFault.INCOMPLETE)]
    assert stalled.feed(decode(b"next"), 9_001) == [scan(b"next")]

    doubtful = SsiAssembler()
    assert doubtful.feed(decode(b"same", MORE) + decode(b"same", MORE | AGAIN), 0) == []
    assert doubtful.feed(decode(b"end"), 0) == [Piece(b"end", ScanFault.INCOMPLETE)]
    assert doubtful.feed(decode(b"next"), 0) == [scan(b"next")]

    mixed = SsiAssembler()
    assert [p.fault for p in mixed.feed(decode(b"a", MORE) + decode(b"b", kind=3), 0)] == [ScanFault.DAMAGED]
    assert mixed.feed(decode(b"next"), 0) == [scan(b"next")]


@pytest.mark.parametrize("is_end", [False, True])
def test_a_packet_that_comes_again_damaged_and_then_whole_is_not_taken_twice(is_end: bool) -> None:
    """Our answer to it was lost on a bad line, so it comes again, is damaged on the way and asked for."""
    assembler = SsiAssembler()
    first, last = decode(b"first", MORE), decode(b"last")
    pieces = assembler.feed(first + last if is_end else first, 0)
    again = decode(b"last", AGAIN) if is_end else decode(b"first", MORE | AGAIN)
    assembler.feed(again[:-1] + bytes([again[-1] ^ 1]), 2_000)
    assert assembler.idle(2_000 + GAP_MS) == []
    pieces += assembler.feed(again if is_end else again + last, 2_100)
    assert pieces == ([scan(b"firstlast")] if is_end else [Piece(b"last", ScanFault.INCOMPLETE)])
    assert assembler.feed(decode(b"next"), 3_000) == [scan(b"next")]


def test_what_comes_late_in_a_message_and_not_as_sent_again_is_another_message() -> None:
    """The scanner gave the message up when no answer of ours reached it; a person scans again."""
    for pause_ms, fault in ((499, None), (500, ScanFault.DAMAGED)):
        assembler = SsiAssembler(timeout_ms=500)
        assert assembler.feed(decode(b"one", MORE), 0) == []
        assert [piece.fault for piece in assembler.feed(decode(b"two"), pause_ms)] == [fault]
    assembler = SsiAssembler(timeout_ms=500)
    assert assembler.feed(decode(b"one", MORE), 0) == []
    assert assembler.feed(decode(b"two", AGAIN), 2_000) == [scan(b"onetwo")], "its first try did not arrive at all"


@pytest.mark.parametrize(
    ("baud", "timeout_ms"), [(1200, 500), (2400, 500), (4800, 500), (9600, 500), (115200, 500), (115200, 20)]
)
def test_a_slow_line_or_scanner_brings_a_message_of_several_packets_whole(baud: int, timeout_ms: int) -> None:
    code = bytes(65 + at % 26 for at in range(600))
    assembler, now_ms, pieces = SsiAssembler(timeout_ms=timeout_ms), 0.0, list[Piece]()
    for at in range(0, len(code), 250):
        for byte in decode(code[at : at + 250], MORE if at + 250 < len(code) else 0):
            now_ms += 10_000 / baud
            pieces += assembler.feed(bytes([byte]), int(now_ms))
        now_ms += 50  # the scanner waits for our answer
    assert pieces == [scan(code)]


def test_a_scanner_that_does_not_send_again_has_its_message_refused_to_the_end() -> None:
    assembler = SsiAssembler()
    assembler.feed(decode(b"one", MORE)[:-1] + b"\x00", 0)
    assembler.idle(GAP_MS)
    assert [p.fault for p in assembler.feed(decode(b"two"), GAP_MS + 1)] == [ScanFault.DAMAGED]
    assert assembler.feed(decode(b"next"), 9_000) == [scan(b"next")]


def test_no_tail_is_waited_for_for_ever() -> None:
    assembler = SsiAssembler()
    assembler.feed(decode(b"one", MORE), 0)
    assert assembler.idle(RESEND_MS) == [Piece(b"one", ScanFault.INCOMPLETE)]
    assert assembler.feed(decode(b"next"), TAIL_MS_MAX + 1) == [scan(b"next")]


def test_answers_and_echoes_are_not_answered_and_events_are() -> None:
    assembler = SsiAssembler()
    assert assembler.feed(ssi_packet(ACK) + ssi_packet(NAK, b"\x02") + packet(0xE6, b"\x00"), 0) == []
    assert assembler.take_replies() == b""
    assert assembler.feed(ssi_packet(EVENT, b"\x01"), 0) == []
    assert assembler.take_replies() == ACKED


def test_what_may_carry_a_code_in_another_form_is_refused_aloud() -> None:
    assembler = SsiAssembler()
    assert assembler.feed(ssi_packet(0x73, b"anything"), 0) == [Piece(b"", ScanFault.DAMAGED)]
    assert assembler.take_replies() == ssi_packet(NAK, b"\x02", source=4)


def test_hanging_up_cuts_what_was_arriving() -> None:
    assembler = SsiAssembler()
    assert assembler.hang_up() == []
    assembler.feed(decode(b"one", MORE), 0)
    assert assembler.hang_up() == [Piece(b"one", ScanFault.CUT)]
    assert assembler.feed(decode(b"next"), 0) == [scan(b"next")]


def sent_packets(stream: bytes) -> list[bytes]:
    """Return every DECODE_DATA packet with a right checksum anywhere in the stream."""
    found = [stream[at : at + stream[at] + 2] for at in range(len(stream))]
    return [p for p in found if len(p) > 6 and p[1] == DECODE_DATA and p == ssi_packet(p[1], p[4:-2], p[3], p[2])]


packets = st.builds(
    ssi_packet,
    st.sampled_from([DECODE_DATA, ACK, NAK, EVENT, 0x73]),
    st.binary(max_size=9),
    st.integers(0, 3),
    st.sampled_from([0, 4]),
)


@given(st.lists(st.tuples(st.binary(max_size=12) | packets, st.integers(0, 4_000)), max_size=25))
def test_no_bytes_and_no_pauses_make_it_raise_or_invent(reads: list[tuple[bytes, int]]) -> None:
    assembler, now_ms, stream = SsiAssembler(bytes_max=20), 0, b""
    for data, pause_ms in reads:
        now_ms += pause_ms
        pieces = assembler.idle(now_ms) + assembler.feed(data, now_ms)
        stream += data
        for piece in pieces:
            assert len(piece.data) <= 20
            if piece.fault is None:  # then its last packet's data ends it, and was sent
                assert any(piece.data.endswith(sent[5:-2]) for sent in sent_packets(stream))
        assert len(assembler._pending) <= 257
    assembler.hang_up()
    assert assembler.due_at_ms is None
