import itertools
from functools import reduce
from operator import xor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.reading.box import BoxAssembler, BoxCheck, BoxLength, StxEtxAssembler
from agent.core.reading.piece import Piece
from agent.core.scan import ScanFault

payloads = st.binary(min_size=1, max_size=40) | st.lists(
    st.sampled_from([b"\x02", b"\x03", b"0003", b"abc", b"\r"]), min_size=1, max_size=9
).map(b"".join)


def frame(payload: bytes, length: BoxLength = BoxLength.ASCII, check: BoxCheck = BoxCheck.LENGTH) -> bytes:
    size = {
        BoxLength.ASCII: b"%04d" % len(payload),
        BoxLength.BCD: bytes.fromhex(f"{len(payload):04d}"),
        BoxLength.BINARY: len(payload).to_bytes(2, "big"),
    }[length]
    body = size + payload + b"\x03"
    checked = {BoxCheck.LENGTH: body, BoxCheck.PAYLOAD: payload + b"\x03", BoxCheck.STX: b"\x02" + body}[check]
    return b"\x02" + body + bytes([reduce(xor, checked)])


def read(stream: bytes, cuts: list[int], **settings: object) -> list[Piece]:
    assembler = BoxAssembler(**settings)  # type: ignore[arg-type]
    edges = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    pieces = [p for a, b in itertools.pairwise(edges) for p in assembler.feed(stream[a:b], 5)]
    return pieces + assembler.idle(10_000)


def test_a_frame_by_hand() -> None:
    """0 ^ 0 ^ 0 ^ 2 are the digits, then A, B and ETX: 0x32 ^ 0x30 ^ 0x41 ^ 0x42 ^ 0x03."""
    assert BoxAssembler().feed(b"\x020002AB\x03\x02", 0) == [Piece(b"AB")]


@pytest.mark.parametrize("length", BoxLength)
@pytest.mark.parametrize("check", BoxCheck)
@given(st.lists(payloads, max_size=4), st.lists(st.integers(0, 400), max_size=9))
def test_any_payload_comes_through_however_it_is_cut(
    length: BoxLength, check: BoxCheck, sent: list[bytes], cuts: list[int]
) -> None:
    stream = b"\r\n".join(frame(payload, length, check) for payload in sent)
    assert read(stream, cuts, length=length, check=check) == [Piece(payload) for payload in sent]


@pytest.mark.parametrize("check", BoxCheck)
@given(payloads, st.integers(0, 400), st.integers(1, 255), st.lists(st.integers(0, 100), max_size=4))
@example(b"\x02\x02\x02\x03\x02\x02\x02", 4, ord("7") ^ ord("3"), [])
@example(b"\x02\x02\x03\x03", 4, ord("4") ^ ord("2"), [])
def test_any_flipped_byte_refuses_the_frame_but_where_the_payload_holds_the_end_of_a_shorter_one(
    check: BoxCheck, payload: bytes, place: int, change: int, cuts: list[int]
) -> None:
    stream = bytearray(frame(payload, BoxLength.ASCII, check))
    stream[place % len(stream)] ^= change
    pieces = read(bytes(stream), cuts, check=check)
    shorter = [payload[:n] for n in range(1, len(payload)) if stream.startswith(frame(payload[:n], check=check))]
    assert pieces
    if shorter:  # a wrong length, and behind so many bytes an ETX and the LRC of just them: nothing tells it
        assert [pieces[0]] == [Piece(data) for data in shorter]
    else:
        assert all(piece.fault is not None for piece in pieces)


def test_a_frame_inside_a_damaged_one_is_no_scan() -> None:
    """Whoever makes codes may put a frame into one; a bad first byte must not let it through as a scan of its own."""
    stream = b"\x00" + frame(b"x" + frame(b"inner"))[1:]
    assert [piece.fault for piece in read(stream, [])] == [ScanFault.DAMAGED]


def test_after_damage_a_pause_makes_frames_believed_again() -> None:
    assembler = BoxAssembler(timeout_ms=100)
    assert [p.fault for p in assembler.feed(b"noise" + frame(b"lost with it"), 0)] == [ScanFault.DAMAGED]
    assert assembler.feed(frame(b"too soon"), 50) == []
    assert assembler.due_at_ms == 150
    assert assembler.idle(150) == []
    assert assembler.feed(frame(b"next"), 151) == [Piece(b"next")]


def test_half_a_frame_is_incomplete_and_its_rest_is_refused() -> None:
    assembler, whole = BoxAssembler(timeout_ms=100), frame(b"0123456789")
    assert assembler.feed(whole[:9], 0) + assembler.idle(100) == [Piece(whole[:9], ScanFault.INCOMPLETE)]
    assert [p.fault for p in assembler.feed(whole[9:], 200)] == [ScanFault.DAMAGED]


def test_hanging_up_cuts_a_frame_and_damage_on_the_line_refuses_it() -> None:
    assembler = BoxAssembler()
    assert assembler.feed(b"\x0200", 0) + assembler.hang_up() == [Piece(b"\x0200", ScanFault.CUT)]
    assert assembler.feed(b"\x0200", 0) + assembler.spoil(1) == [Piece(b"\x0200", ScanFault.DAMAGED)]


def test_a_frame_longer_than_the_limit_is_over_long() -> None:
    assert [p.fault for p in read(frame(b"x" * 11), [], bytes_max=10)] == [ScanFault.OVER_LONG]
    assert read(frame(b"x" * 10), [], bytes_max=10) == [Piece(b"x" * 10)]


@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 900)), max_size=20), st.sampled_from(list(BoxLength)))
def test_no_bytes_make_it_raise_or_hold_more_than_a_frame(reads: list[tuple[bytes, int]], length: BoxLength) -> None:
    for assembler in (BoxAssembler(bytes_max=30, length=length), StxEtxAssembler(bytes_max=30)):
        now_ms = 0
        for data, pause_ms in reads:
            now_ms += pause_ms
            assembler.idle(now_ms)
            assembler.feed(data, now_ms)
            assert len(assembler._pending) <= 37 + 20
        assembler.hang_up()
        assert assembler.due_at_ms is None


@pytest.mark.parametrize(
    ("stream", "pieces"),
    [
        (b"\x02one\x03\r\n\x02two\x03", [Piece(b"one"), Piece(b"two")]),
        (b"\x02\x03", []),
        (b"one\x03", [Piece(b"one\x03", ScanFault.DAMAGED)]),
        (b"\x02on\x02two\x03", [Piece(b"\x02on\x02two\x03", ScanFault.DAMAGED)]),
    ],
)
def test_plain_frames_are_their_payload_or_a_refusal(stream: bytes, pieces: list[Piece]) -> None:
    assert StxEtxAssembler().feed(stream, 0) == pieces
    byte_by_byte = StxEtxAssembler()
    cut = [p for b in stream for p in byte_by_byte.feed(bytes([b]), 0)]
    assert [p.fault for p in cut] == [p.fault for p in pieces]
