import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.framing import TAIL_MS_MAX, Framing, ScanAssembler
from agent.core.reading.piece import Piece
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.core.time_interval import Interval, Stamp

TERMINATOR = {
    Framing.CR: b"\r",
    Framing.LF: b"\n",
    Framing.CRLF: b"\r\n",
    Framing.TAB: b"\t",
    Framing.ETX: b"\x03",
}
AT = Stamp(bytes(16), 0, Interval(0, None), "os")
noisy = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\t", b"\x03", b"a", b"bc", b"\xff", b" "]), max_size=40)


def feed_in_cuts(framing: Framing, stream: bytes, cuts: list[int], bytes_max: int = 6) -> list[Piece]:
    assembler = ScanAssembler(framing, bytes_max=bytes_max)
    edges = [0, *sorted({c % (len(stream) + 1) for c in cuts}), len(stream)]
    pieces = [p for a, b in itertools.pairwise(edges) for p in assembler.feed(stream[a:b], 5)]
    return pieces + assembler.idle(10_000)


@pytest.mark.parametrize(
    ("framing", "stream", "scans"),
    [
        (Framing.CR, b"one\rtwo\r", [b"one", b"two"]),
        (Framing.CR, b"one\r\ntwo\r\n", [b"one", b"two"]),
        (Framing.CR, b"a\nb\r\r\r", [b"a\nb"]),
        (Framing.LF, b"one\ntwo\n", [b"one", b"two"]),
        (Framing.LF, b"one\r\ntwo\r\n", [b"one", b"two"]),
        (Framing.LF, b"one\n\rtwo\n\r", [b"one", b"two"]),
        (Framing.CRLF, b"o\rn\ne\r\r\n\r\ntwo\r\n", [b"o\rn\ne\r", b"two"]),
        (Framing.TAB, b"\t a \r\n\t", [b" a \r\n"]),
        (Framing.ETX, b"\x02one\x03", [b"\x02one"]),
    ],
)
def test_a_terminator_ends_a_scan_and_nothing_else_is_trimmed(
    framing: Framing, stream: bytes, scans: list[bytes]
) -> None:
    assembler = ScanAssembler(framing)
    assert assembler.feed(stream, 0) == [Piece(scan, None) for scan in scans]
    assert assembler.due_at_ms is None or assembler.idle(10_000) == []


@pytest.mark.parametrize("framing", TERMINATOR)
def test_all_byte_values_but_the_terminator_come_through(framing: Framing) -> None:
    payload = b"<" + bytes(b for b in range(256) if bytes([b]) != TERMINATOR[framing]) + b">"
    if framing is Framing.CRLF:
        payload = b"<" + bytes(range(256)) + b"\n\r>"
    assert ScanAssembler(framing).feed(payload + TERMINATOR[framing], 0) == [Piece(payload)]


@given(st.sampled_from(list(Framing)), noisy.map(b"".join), st.lists(st.integers(0, 200), max_size=12))
def test_how_a_stream_is_cut_into_reads_does_not_matter(framing: Framing, stream: bytes, cuts: list[int]) -> None:
    whole = feed_in_cuts(framing, stream, [])
    assert feed_in_cuts(framing, stream, cuts) == whole
    assert feed_in_cuts(framing, stream, list(range(len(stream)))) == whole


@given(
    st.sampled_from([Framing.TAB, Framing.ETX, Framing.CRLF]),
    st.one_of(st.binary(max_size=60), noisy.map(b"".join)),
    st.lists(st.integers(0, 200), max_size=12),
)
def test_nothing_is_read_that_was_not_sent(framing: Framing, stream: bytes, cuts: list[int]) -> None:
    *ended, rest = stream.split(TERMINATOR[framing])
    expected: list[Piece] = [Piece(p, None) if len(p) <= 6 else Piece(p[:6], ScanFault.OVER_LONG) for p in ended if p]
    if rest:
        # A CR at the end may have been the beginning of a terminator: it does not make the rest over-long.
        known = len(rest.removesuffix(b"\r")) if framing is Framing.CRLF else len(rest)
        expected.append(Piece(rest[:6], ScanFault.OVER_LONG if known > 6 else ScanFault.INCOMPLETE))
    assert feed_in_cuts(framing, stream, cuts) == expected


@given(st.sampled_from(list(Framing)), st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 900)), max_size=20))
def test_no_bytes_and_no_pauses_make_it_raise_or_hold_more_than_its_limit(
    framing: Framing, reads: list[tuple[bytes, int]]
) -> None:
    assembler, now_ms = ScanAssembler(framing, bytes_max=8), 0
    for data, pause_ms in reads:
        now_ms += pause_ms
        for payload, *_ in assembler.idle(now_ms) + assembler.feed(data, now_ms):
            assert 1 <= len(payload) <= 8
        assert len(assembler._pending) <= 9
    assembler.hang_up()
    assert assembler.due_at_ms is None


@pytest.mark.parametrize("framing", TERMINATOR)
def test_an_over_long_scan_is_one_fault_and_the_next_scan_is_whole(framing: Framing) -> None:
    end = TERMINATOR[framing]
    noise = b"0123456789ABC" * (3 * SCAN_BYTES_MAX // 13)
    assembler = ScanAssembler(framing)
    pieces: list[Piece] = []
    stream = noise + end + b"next" + end
    for i in range(0, len(stream), 1000):
        pieces += assembler.feed(stream[i : i + 1000], 0)
    assert pieces == [Piece(noise[:SCAN_BYTES_MAX], ScanFault.OVER_LONG), Piece(b"next", None)]


def test_the_longest_scan_allowed_is_whole() -> None:
    for framing, end in TERMINATOR.items():
        payload = b"x" * SCAN_BYTES_MAX
        assembler = ScanAssembler(framing)
        assert assembler.feed(payload, 0) + assembler.feed(end[:1], 0) + assembler.feed(end[1:], 0) == [
            Piece(payload, None)
        ]


def test_noise_without_any_terminator_ends_with_a_pause() -> None:
    assembler = ScanAssembler(Framing.CR, bytes_max=4, timeout_ms=100)
    assert assembler.feed(b"noise", 0) == [Piece(b"nois", ScanFault.OVER_LONG)]
    assert assembler.feed(b"more", 50) == []
    assert assembler.due_at_ms == 150
    assert assembler.idle(149) == []
    assert assembler.idle(150) == []
    assert assembler.feed(b"tail\rgood\r", 200) == [Piece(b"tail", ScanFault.INCOMPLETE), Piece(b"good", None)]


def test_half_a_scan_is_incomplete_after_the_timeout_and_its_tail_is_no_scan() -> None:
    assembler = ScanAssembler(Framing.CR, timeout_ms=500)
    assert assembler.feed(b"hal", 1_000) == []
    assert assembler.feed(b"f", 1_400) == []
    assert assembler.due_at_ms == 1_900
    assert assembler.idle(1_899) == []
    assert assembler.idle(1_900) == [Piece(b"half", ScanFault.INCOMPLETE)]
    assert assembler.idle(9_000) == []
    assert assembler.feed(b" of it", 9_000) == []
    assert assembler.feed(b"\rwhole\r", 9_100) == [Piece(b" of it", ScanFault.INCOMPLETE), Piece(b"whole", None)]


def test_a_tail_that_stalls_again_is_still_no_scan() -> None:
    assembler = ScanAssembler(Framing.CR, timeout_ms=500)
    assert assembler.feed(b"one", 0) + assembler.idle(500) == [Piece(b"one", ScanFault.INCOMPLETE)]
    assert assembler.feed(b"two", 900) + assembler.idle(1_400) == [Piece(b"two", ScanFault.INCOMPLETE)]
    assert assembler.feed(b"three\r", 2_000) == [Piece(b"three", ScanFault.INCOMPLETE)]
    assert assembler.feed(b"next\r", 2_001) == [Piece(b"next")]


def test_a_late_terminator_alone_ends_the_tail_without_a_word() -> None:
    assembler = ScanAssembler(Framing.CR, timeout_ms=500)
    assert assembler.feed(b"one", 0) + assembler.idle(500) == [Piece(b"one", ScanFault.INCOMPLETE)]
    assert assembler.feed(b"\rnext\r", 600) == [Piece(b"next")]


def test_no_tail_is_waited_for_longer_than_any_link_holds_it() -> None:
    assembler = ScanAssembler(Framing.CR, timeout_ms=500)
    assert assembler.feed(b"one", 0) + assembler.idle(500) == [Piece(b"one", ScanFault.INCOMPLETE)]
    assert assembler.feed(b"next\r", 500 + TAIL_MS_MAX) == [Piece(b"next")]


@given(
    st.sampled_from(list(TERMINATOR)),
    st.lists(st.binary(min_size=1, max_size=6).map(lambda p: p.translate(None, b"\r\n\t\x03")), max_size=6),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_no_stall_makes_a_shorter_scan_of_a_longer_one(framing: Framing, scans: list[bytes], stalls: list[int]) -> None:
    """Whole ones come as they were sent, in order; whatever a stall cut is refused."""
    end = TERMINATOR[framing]
    scans = [scan for scan in scans if scan]
    stream = b"".join(scan + end for scan in scans)
    assembler, now_ms, pieces = ScanAssembler(framing, timeout_ms=500), 0, []
    edges = [0, *sorted({s % (len(stream) + 1) for s in stalls}), len(stream)]
    for a, b in itertools.pairwise(edges):
        pieces += assembler.feed(stream[a:b], now_ms)
        now_ms += 2_000
        pieces += assembler.idle(now_ms)
    good = iter(scans)
    assert all(piece.data in good for piece in pieces if piece.fault is None)


def test_a_damaged_byte_refuses_the_scan_it_is_in_and_no_other() -> None:
    assembler = ScanAssembler(Framing.CR)
    pieces = assembler.feed(b"one\rtw", 0) + assembler.spoil(0) + assembler.feed(b"o\rthree\r", 0)
    assert pieces == [Piece(b"one"), Piece(b"two", ScanFault.DAMAGED), Piece(b"three")]


def test_a_damaged_byte_alone_is_told_after_a_pause() -> None:
    assembler = ScanAssembler(Framing.CR, timeout_ms=500)
    assert assembler.spoil(0) == []
    assert assembler.due_at_ms == 500
    assert assembler.idle(500) == [Piece(b"", ScanFault.DAMAGED)]
    assert assembler.feed(b"next\r", 600) == [Piece(b"next")]


def test_what_was_arriving_when_reading_began_is_refused() -> None:
    assembler = ScanAssembler(Framing.CR)
    assembler.join_late(0)
    assert assembler.feed(b"nd of one\rnext\r", 0) == [Piece(b"nd of one", ScanFault.INCOMPLETE), Piece(b"next")]
    idle = ScanAssembler(Framing.IDLE, timeout_ms=80)
    idle.join_late(0)
    assert idle.feed(b"nd", 0) + idle.idle(80) == [Piece(b"nd", ScanFault.INCOMPLETE)]


def test_a_late_read_is_no_pause() -> None:
    """The bytes had come; the reader was late. Only `idle` ends a scan that a terminator should end."""
    assembler = ScanAssembler(Framing.CR, timeout_ms=500)
    assembler.feed(b"fir", 0)
    assert assembler.feed(b"st\r", 3_000) == [Piece(b"first", None)]


def test_hanging_up_cuts_the_scan_in_the_middle() -> None:
    assembler = ScanAssembler(Framing.CR)
    assert assembler.hang_up() == []
    assert assembler.feed(b"done\rhalf", 0) == [Piece(b"done", None)]
    assert assembler.hang_up() == [Piece(b"half", ScanFault.CUT)]
    assert assembler.feed(b"next\r", 0) == [Piece(b"next", None)]


def test_after_hanging_up_nothing_belongs_to_what_came_before() -> None:
    assembler = ScanAssembler(Framing.CR)
    assert assembler.feed(b"done\r", 0) == [Piece(b"done", None)]
    assert assembler.hang_up() == []
    assert assembler.feed(b"\nnext\r", 0) == [Piece(b"\nnext", None)]


def test_without_a_terminator_a_pause_ends_the_scan() -> None:
    assembler = ScanAssembler(Framing.IDLE, timeout_ms=80)
    assert assembler.feed(b"\r\n o", 0) + assembler.feed(b"ne\t", 60) == []
    assert assembler.idle(139) == []
    assert assembler.idle(140) == [Piece(b"\r\n one\t", None)]
    assert assembler.feed(b"123456789", 200) == []
    assert assembler.hang_up() == [Piece(b"123456789", ScanFault.CUT)]


def test_without_a_terminator_a_pause_that_nobody_saw_spoils_the_scan() -> None:
    """Two scans or one? Refused aloud rather than joined or cut silently."""
    late = ScanAssembler(Framing.IDLE, timeout_ms=80)
    late.feed(b"1234", 0)
    assert late.feed(b"5678", 200) == []
    assert late.idle(280) == [Piece(b"12345678", ScanFault.INCOMPLETE)]
    assert late.feed(b"9", 300) + late.idle(380) == [Piece(b"9", None)]

    paused = ScanAssembler(Framing.IDLE, timeout_ms=80)
    paused.lose_track()
    assert paused.feed(b"12345678", 500) == []
    assert paused.idle(580) == [Piece(b"12345678", ScanFault.INCOMPLETE)]
    paused.lose_track()
    assert paused.idle(900) == []
    assert paused.feed(b"9", 901) + paused.idle(981) == [Piece(b"9", None)]


def test_a_scan_keeps_its_bytes_out_of_its_repr_and_reads_utf_8_strictly() -> None:
    assert "secret" not in repr(Scan(b"secret", "front", AT))
    assert Scan("张三".encode(), "front", AT).text == "张三"
    assert Scan(b"\xff", "front", AT).text is None


def test_what_may_be_followed_by_its_rest_is_told_for_as_long_as_a_link_may_hold_that() -> None:
    assembler = ScanAssembler(Framing.CR, timeout_ms=100)
    assert not assembler.is_half(0)
    assembler.feed(b"whole\rha", 0)
    assert assembler.is_half(0)
    assembler.idle(100)
    assert assembler.is_half(100)
    assert not assembler.is_half(100 + TAIL_MS_MAX)
    assembler.feed(b"lf\r", 200)
    assert not assembler.is_half(200)
