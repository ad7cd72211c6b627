import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.report_descriptor import Layout, has_scanner_page, layouts_of
from fakes.hid_reports import (
    AIM_IN_ONE,
    BUFFERED,
    BYTES,
    COUNTED,
    DATA,
    END,
    FLAG,
    INPUT,
    KEYBOARD,
    LENGTH,
    PAGE_SCANNER,
    SCANNER,
    UNCOUNTED,
    UNNAMED,
    WITHOUT_FLAG,
    WITHOUT_ID,
    item,
    usage,
)

COUNTED_LAYOUT = Layout(2, 62, data_at=5, data_bytes=56, length_at=1, aim_at=(2, 3, 4), more_at=8 * 61)


@pytest.mark.parametrize(
    ("descriptor", "layouts"),
    [
        (COUNTED, (COUNTED_LAYOUT,)),
        (WITHOUT_ID, (Layout(None, 61, data_at=4, data_bytes=56, length_at=0, aim_at=(1, 2, 3), more_at=8 * 60),)),
        (UNCOUNTED, (Layout(2, 61, data_at=4, data_bytes=56, length_at=None, aim_at=(1, 2, 3), more_at=8 * 60),)),
        (WITHOUT_FLAG, (Layout(2, 61, data_at=5, data_bytes=56, length_at=1, aim_at=(2, 3, 4), more_at=None),)),
        (UNNAMED, (Layout(2, 64, 5, 56, 1, (2, 3, 4), more_at=8 * 63, more_bits=8, is_assumed=True),)),
        (KEYBOARD, ()),
        (KEYBOARD + COUNTED, (COUNTED_LAYOUT,)),
        (b"", ()),
    ],
)
def test_the_descriptor_tells_where_a_report_keeps_the_code(descriptor: bytes, layouts: tuple[Layout, ...]) -> None:
    assert layouts_of(descriptor) == layouts


def test_one_field_for_everything_gives_the_last_usage_to_what_is_left() -> None:
    named = b"".join(usage(u) for u in (0xFB, 0xFC, 0xFD, 0xFE))
    one = SCANNER + item(0x84, 5) + BYTES + LENGTH + item(0x94, 3 + 20) + named + BUFFERED + FLAG + END
    assert layouts_of(one) == (Layout(5, 26, data_at=5, data_bytes=20, length_at=1, aim_at=(2, 3, 4), more_at=8 * 25),)


def test_a_usage_may_name_its_own_page_and_come_as_a_range() -> None:
    long = SCANNER + BYTES + item(0x94, 1) + item(0x08, 0x01_003B, 4) + INPUT
    ranged = item(0x94, 3) + item(0x18, 0xFB) + item(0x28, 0xFD) + INPUT
    (layout,) = layouts_of(long + ranged + DATA + FLAG + END)
    assert (layout.length_at, layout.aim_at) == (0, (1, 2, 3))


def test_what_was_pushed_comes_back() -> None:
    pushed = SCANNER + BYTES + b"\xa4" + item(0x04, 0x07) + item(0x74, 3) + b"\xb4" + LENGTH + AIM_IN_ONE + DATA + FLAG
    assert layouts_of(pushed + END) == layouts_of(WITHOUT_ID)


@pytest.mark.parametrize(
    "descriptor",
    [
        SCANNER + BYTES + item(0x94, 0xFFFFFFFF, 4) + usage(0xFE) + BUFFERED + END,
        SCANNER + BYTES + item(0x74, 0xFFFFFFFF, 4) + item(0x94, 1) + usage(0xFE) + BUFFERED + END,
        SCANNER + item(0x74, 0) + item(0x94, 0xFFFF, 2) + usage(0xFE) + BUFFERED + END,
        SCANNER + BYTES + item(0x94, 1) + usage(0xFE) * 400 + BUFFERED + END,
        SCANNER + BYTES + item(0x94, 1) + item(0x18, 0) + item(0x28, 0xFFFFFFFF, 4) + BUFFERED + END,
        SCANNER + item(0x74, 3) + item(0x94, 1) + usage(0x01) + INPUT + BYTES + DATA + END,
        SCANNER + BYTES + item(0x94, 2) + usage(0xFE) + INPUT + AIM_IN_ONE + DATA + END,
        SCANNER + b"\xa4" * 4_000,
        SCANNER + b"\xfe",
        SCANNER + b"\xfe\xff\x01",
        SCANNER + b"\x97\xff",
    ],
)
def test_absurd_descriptors_have_no_layout(descriptor: bytes) -> None:
    assert layouts_of(descriptor) == ()
    assert has_scanner_page(descriptor)


def disturbed(descriptor: bytes, place: int, size: int, put: bytes) -> bytes:
    place %= len(descriptor)
    return descriptor[:place] + put + descriptor[place + size :]


WHOLE = [COUNTED, WITHOUT_ID, UNCOUNTED, WITHOUT_FLAG, UNNAMED]
DISTURBED = st.builds(
    disturbed, st.sampled_from(WHOLE), st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)
    | st.sampled_from([item(0x84, 2), item(0x94, 9), item(0x74, 4), b"\xa4", b"\xb4", END, DATA, FLAG]),
)  # fmt: skip


@given(st.one_of(DISTURBED, st.binary(max_size=300), st.lists(st.sampled_from([
    SCANNER, PAGE_SCANNER, BYTES, LENGTH, AIM_IN_ONE, DATA, FLAG, END, INPUT, BUFFERED, usage(0xFE), usage(0xFF),
    item(0x84, 2), item(0x94, 9), item(0x74, 4), item(0x94, 0xFFFF, 2), b"\xa4", b"\xb4", b"\xfe\x02\x00",
]), max_size=30).map(b"".join)))  # fmt: skip
def test_no_descriptor_raises_and_every_layout_lies_within_its_report(descriptor: bytes) -> None:
    for layout in layouts_of(descriptor):
        assert 0 < layout.data_bytes <= layout.size <= 4_097
        assert layout.data_at + layout.data_bytes <= layout.size
        assert all(at < layout.size for at in (*layout.aim_at, layout.length_at or 0))
        assert layout.more_at is None or layout.more_at + layout.more_bits <= 8 * layout.size
        assert has_scanner_page(descriptor)
