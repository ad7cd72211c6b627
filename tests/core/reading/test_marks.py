import itertools

from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.marks import MarkReader


def as_the_kernel_writes(items: list[int | None]) -> bytes:
    """drivers/tty/n_tty.c, n_tty_receive_char and n_tty_receive_parity_error; None is a damaged byte."""
    written = bytearray()
    for item in items:
        written += b"\xff\x00\x41" if item is None else b"\xff\xff" if item == 0xFF else bytes([item])
    return bytes(written)


def joined(pieces: list[bytes | None]) -> list[int | None]:
    return [item for piece in pieces for item in ([None] if piece is None else piece)]


@given(
    st.lists(st.none() | st.integers(0, 255) | st.just(0xFF), max_size=60), st.lists(st.integers(0, 200), max_size=9)
)
def test_bytes_and_damage_come_back_however_reads_are_cut(items: list[int | None], cuts: list[int]) -> None:
    stream = as_the_kernel_writes(items)
    edges = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    reader = MarkReader()
    assert joined([p for a, b in itertools.pairwise(edges) for p in reader.feed(stream[a:b])]) == items


@given(st.lists(st.binary(max_size=9), max_size=20))
def test_no_bytes_make_it_raise_or_invent(reads: list[bytes]) -> None:
    reader = MarkReader()
    sent = b"".join(p for data in reads for p in reader.feed(data) if p is not None)
    assert len(sent) <= sum(map(len, reads))
    assert len(reader._held) <= 2


def test_a_break_is_damage_and_an_unknown_mark_too() -> None:
    assert MarkReader().feed(b"a\xff\x00\x00b\xffcd") == [b"a", None, b"b", None, b"d"]


def test_half_a_mark_is_forgotten_with_its_port() -> None:
    reader = MarkReader()
    assert reader.feed(b"a\xff") == [b"a"]
    reader.hang_up()
    assert reader.feed(b"\xff\xffb") == [b"\xffb"]
