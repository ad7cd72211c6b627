"""Keystrokes become scans: exact, or with a fault, whatever way they are cut into reads."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.reading.keys import (
    EV_KEY,
    EV_SYN,
    HELD,
    MODIFIERS,
    SYN_DROPPED,
    SYN_REPORT,
    KeyEvent,
    Stroke,
    events_of,
)  # fmt: skip
from agent.core.reading.keystrokes import TAIL_MS, KeyAssembler
from agent.core.reading.layouts import LAYOUTS, LayoutName, layout_of
from agent.core.reading.layouts.typed import alt_code_for, keys_for
from agent.core.reading.piece import Piece
from agent.core.scan import ScanFault

ENTER = [Stroke(28, 1), Stroke(28, 0)]
DROPPED = [KeyEvent(EV_SYN, SYN_DROPPED, 0), KeyEvent(EV_SYN, SYN_REPORT, 0)]
F8 = [Stroke(66, 1), Stroke(66, 0)]

PAYLOADS = [
    "EHC1:6BFOXN*TS0BI$ZD4N9:9S6RCVN5+O30K3/XIV0W23NTDE$VK G2EP4J0B3KLASMUG8GJL8LLG.3SA3/-2E%5VR5V",
    "HC1:NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL-AH-R6IOO6+IDOEZ/18WAV$E3+3AT4V22F/8X*G3M9JUPY0BX/KR96R/S09T./0LWTKD33236J3",
    "shc:/56762909524320603460292437404460312229595326546034602925407728043360287028647167",
    '{"data":{"hdr":{"is":"UTO","t":"icao.test","v":1},"msg":{"name":"Cook"}},"sig":{"alg":"ES256","sigvl":"M_-"}}',
    "0104012345678901\x1d10ABC123\x1d21xyz",
    "]C1010401234567890110ABC\x1d",
    "https://Example.org/h/AbC-_~d?Q=1&r=%7E#Frag'ment",
]


def typed(text: str, name: LayoutName = "us", **how: object) -> list[Stroke]:
    return keys_for(text, layout_of(name), **how)  # type: ignore[arg-type]


def assembler(name: LayoutName = "us", **settings: object) -> KeyAssembler:
    return KeyAssembler(layout_of(name), **settings)  # type: ignore[arg-type]


def read(strokes: list[Stroke], **settings: object) -> list[Piece]:
    keys = assembler(**settings)
    return keys.feed(events_of(strokes), 0) + keys.idle(10_000)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_kind_of_code_comes_through_every_layout(payload: str, name: LayoutName) -> None:
    assert read(typed(payload, name) + ENTER, name=name) == [Piece(payload.encode())]
    with_caps = typed(payload, name, caps_on=True)
    assert read(with_caps + ENTER, name=name, caps_lock="on") == [Piece(payload.encode())]
    assert read(with_caps + ENTER, name=name, lit=True) == [Piece(payload.encode())]
    numbers = [s for char in payload for s in alt_code_for(char, "western")]
    assert read(numbers + ENTER, name=name) == [Piece(payload.encode())]


def test_chinese_comes_as_numbers_and_otherwise_there_are_no_keys_for_it() -> None:
    text = "姓名:测试 EHC1"
    for codes in ("unicode", "gbk"):
        strokes = typed(text, "cn", alt_codes=codes) + ENTER
        assert read(strokes, name="cn", alt_codes=codes) == [Piece(text.encode())]
        assert [piece.fault for piece in read(strokes, name="cn")] == [ScanFault.KEYS]
        assert [piece.fault for piece in read(strokes, name="cn", alt_codes="none")] == [ScanFault.KEYS]


@pytest.mark.parametrize(("terminator", "key"), [("enter", 28), ("enter", 96), ("tab", 15)])
def test_the_terminator_ends_a_scan_and_is_no_part_of_it(terminator: str, key: int) -> None:
    end = [Stroke(key, 1), Stroke(key, 0)]
    pieces = read(typed("one") + end + end + typed("two") + end, terminator=terminator)
    assert pieces == [Piece(b"one"), Piece(b"two")]


def test_what_does_not_end_a_scan_belongs_to_it() -> None:
    assert read(typed("a\tb") + ENTER) == [Piece(b"a\tb")]
    assert read(typed("a\rb\t"), terminator="tab") == [Piece(b"a\rb")]
    assert read(typed("a\rb\t"), terminator="none") == [Piece(b"a\rb\t")]


def test_without_a_terminator_a_pause_by_the_kernels_time_ends_a_scan() -> None:
    keys = assembler(terminator="none", timeout_ms=100)
    first, second = events_of(typed("one"), 1_000, 5), events_of(typed("two"), 1_200, 5)
    assert keys.feed(first + second, 9_000) == [Piece(b"one")]
    assert keys.due_at_ms == 9_100
    assert keys.idle(9_099) == []
    assert keys.idle(9_100) == [Piece(b"two")]
    assert keys.due_at_ms is None


def test_a_scan_that_stops_in_the_middle_is_incomplete_and_its_tail_is_no_scan() -> None:
    keys = assembler(timeout_ms=100)
    stalled = events_of(typed("half"), 1_000, 5) + events_of(typed("tail") + ENTER, 1_200, 5)
    assert keys.feed(stalled + events_of(typed("next") + ENTER, 2_000, 5), 0) == [
        Piece(b"half", ScanFault.INCOMPLETE),
        Piece(b"tail", ScanFault.INCOMPLETE),
        Piece(b"next"),
    ]
    assert keys.feed(events_of(typed("hal"), 3_000), 500) == []
    assert keys.idle(600) == [Piece(b"hal", ScanFault.INCOMPLETE)]
    assert keys.feed(events_of(ENTER, 4_000), 1_600) == [], "a terminator alone ends the tail without a word"
    assert keys.feed(events_of(typed("next") + ENTER, 5_000), 2_600) == [Piece(b"next")]


def test_no_tail_is_waited_for_longer_than_any_link_holds_it() -> None:
    keys = assembler(timeout_ms=100)
    keys.feed(events_of(typed("half"), 0), 0)
    assert keys.feed(events_of(typed("next") + ENTER, TAIL_MS), TAIL_MS) == [
        Piece(b"half", ScanFault.INCOMPLETE),
        Piece(b"next"),
    ]


def test_the_tail_of_an_over_long_scan_that_stalls_is_no_scan() -> None:
    keys = assembler(timeout_ms=100, bytes_max=10)
    assert keys.feed(events_of(typed("x" * 12), 0), 0) == [Piece(b"x" * 10, ScanFault.OVER_LONG)]
    assert keys.feed(events_of(typed("tail") + ENTER + typed("next") + ENTER, 200), 200) == [
        Piece(b"tail", ScanFault.INCOMPLETE),
        Piece(b"next"),
    ]


def test_the_time_that_was_lost_is_no_pause() -> None:
    lost = [KeyEvent(EV_SYN, SYN_DROPPED, 0, 400), KeyEvent(EV_SYN, SYN_REPORT, 0, 400), KeyEvent(EV_KEY, 42, 1, 400)]
    keys = assembler(timeout_ms=100)
    events = [*events_of(typed("lost"), 0), *lost, *events_of(typed("tail") + ENTER, 410)]
    assert keys.feed(events, 410) == [Piece(b"lost", ScanFault.LOST)]
    assert keys.feed(events_of([Stroke(42, 0), *typed("next"), *ENTER], 900), 900) == [Piece(b"next")]


def test_a_key_that_stays_down_is_pressed_once_and_is_a_pause() -> None:
    keys = assembler(timeout_ms=100)
    held = [KeyEvent(EV_KEY, 30, 1, 0), *(KeyEvent(EV_KEY, 30, HELD, 30 * i) for i in range(20))]
    assert keys.feed(held, 600) == []
    assert keys.idle(700) == [Piece(b"a", ScanFault.INCOMPLETE)]
    keys.hang_up()
    quick = [KeyEvent(EV_KEY, 30, 1, 1_000), KeyEvent(EV_KEY, 30, HELD, 1_040), KeyEvent(EV_KEY, 30, 0, 1_050)]
    assert keys.feed(quick + events_of(ENTER, 1_060), 1_060) == [Piece(b"a")]


@pytest.mark.parametrize(
    "meaningless",
    [
        F8,
        [Stroke(106, 1), Stroke(106, 0)],  # an arrow
        [Stroke(56, 1), Stroke(30, 1), Stroke(30, 0), Stroke(56, 0)],  # Alt+A
        [Stroke(125, 1), Stroke(30, 1), Stroke(30, 0), Stroke(125, 0)],  # Meta+A
        [Stroke(29, 1), Stroke(10, 1), Stroke(10, 0), Stroke(29, 0)],  # Ctrl+9
        [Stroke(240, 1), Stroke(240, 0)],  # a usage that Linux does not know
        [Stroke(56, 1), Stroke(79, 1), Stroke(79, 0), Stroke(28, 1), Stroke(28, 0), Stroke(56, 0)],  # Enter in a number
    ],
)
def test_a_key_without_meaning_spoils_the_whole_scan_and_only_that_one(meaningless: list[Stroke]) -> None:
    pieces = read(typed("ab") + meaningless + typed("cd") + ENTER + typed("next") + ENTER)
    assert (pieces[0].fault, pieces[-1]) == (ScanFault.KEYS, Piece(b"next"))
    assert all(piece.fault is not None or piece.data in (b"next", b"cd") for piece in pieces)


def test_an_accent_that_nothing_follows_spoils_the_scan() -> None:
    accent = [Stroke(41, 1), Stroke(41, 0)]
    assert read(typed("ab", "de") + accent + ENTER + typed("ok", "de") + ENTER, name="de") == [
        Piece(b"ab", ScanFault.KEYS),
        Piece(b"ok"),
    ]
    assert read(accent, name="de") == [Piece(b"", ScanFault.INCOMPLETE)]
    assert read(accent, name="de", terminator="none") == [Piece(b"", ScanFault.KEYS)]


def test_what_the_kernel_lost_spoils_everything_up_to_the_next_terminator() -> None:
    keys = assembler()
    events = [*events_of(typed("lost")), *DROPPED, *events_of(typed("tail") + ENTER + typed("next") + ENTER)]
    assert keys.feed(events, 0) == [Piece(b"lost", ScanFault.LOST), Piece(b"next")]


def test_what_the_kernel_lost_spoils_everything_up_to_a_pause() -> None:
    keys = assembler(timeout_ms=100)
    lost = keys.feed([*events_of(typed("lost"), 0), *DROPPED, *events_of(typed("tail"), 10)], 10)
    assert lost == [Piece(b"lost", ScanFault.LOST)]
    assert keys.due_at_ms == 110
    assert keys.idle(110) == []
    assert keys.feed(events_of(typed("rest") + ENTER, 300), 300) == [Piece(b"rest", ScanFault.INCOMPLETE)]
    assert keys.feed(events_of(typed("next") + ENTER, 310), 310) == [Piece(b"next")]


def test_a_loss_behind_which_nothing_came_may_be_followed_by_the_rest() -> None:
    keys = assembler(timeout_ms=100)
    assert keys.feed([*events_of(typed("lost"), 0), *DROPPED], 10) == [Piece(b"lost", ScanFault.LOST)]
    assert keys.idle(110) == []
    assert keys.feed(events_of(typed("rest") + ENTER, 300), 300) == [Piece(b"rest", ScanFault.INCOMPLETE)]
    assert keys.feed(events_of(typed("next") + ENTER, 600), 600) == [Piece(b"next")]
    keys.feed([*events_of(typed("lost"), 1_000), *DROPPED], 1_000)
    keys.idle(1_100)
    late_ms = 1_000 + TAIL_MS
    assert keys.feed(events_of(typed("next") + ENTER, late_ms), late_ms) == [Piece(b"next")], "nothing holds it so long"


def test_a_loss_between_scans_is_told_and_ends_by_itself() -> None:
    keys = assembler(timeout_ms=100)
    assert keys.feed(DROPPED + DROPPED, 50) == [Piece(b"", ScanFault.LOST)]
    assert keys.due_at_ms == 150
    assert keys.idle(150) == []
    assert keys.due_at_ms is None


def test_events_right_behind_a_loss_are_half_a_report_and_not_taken() -> None:
    keys = assembler()
    dropped = [KeyEvent(EV_SYN, SYN_DROPPED, 0), KeyEvent(EV_KEY, 28, 1), KeyEvent(EV_SYN, SYN_REPORT, 0)]
    assert keys.feed(dropped, 0) == [Piece(b"", ScanFault.LOST)]
    assert keys.feed(events_of(typed("tail") + ENTER + typed("next") + ENTER), 0) == [Piece(b"next")]


def test_shift_that_was_down_before_a_loss_counts_only_if_it_is_told_again() -> None:
    for again, expected in (([], b"a"), ([KeyEvent(EV_KEY, 42, 1)], b"A")):
        keys = assembler()
        keys.feed([KeyEvent(EV_KEY, 42, 1), *DROPPED, *again, *events_of(ENTER)], 0)
        assert keys.feed(events_of([Stroke(30, 1), *ENTER]), 0) == [Piece(expected)]


def test_caps_lock_after_a_loss_is_what_it_was_before_the_scan() -> None:
    caps = [Stroke(58, 1), Stroke(58, 0)]
    keys = assembler()
    keys.feed([*events_of(caps + typed("a")), *DROPPED, *events_of(ENTER)], 0)
    assert keys.feed(events_of(typed("a") + ENTER), 0) == [Piece(b"a")]
    keys.feed([*events_of(caps + typed("a")), *DROPPED, *events_of(typed("a") + caps + ENTER)], 0)
    assert keys.feed(events_of(typed("a") + ENTER), 0) == [Piece(b"a")], "its second press was seen, its first was not"


def test_an_over_long_scan_is_one_fault_and_the_next_is_whole() -> None:
    assert read(typed("x" * 40) + ENTER + typed("y" * 10) + ENTER, bytes_max=10) == [
        Piece(b"x" * 10, ScanFault.OVER_LONG),
        Piece(b"y" * 10),
    ]


def test_unplugging_in_the_middle_is_a_cut_scan() -> None:
    keys = assembler()
    assert keys.hang_up() == []
    keys.feed(events_of(typed("hal")), 0)
    assert keys.hang_up() == [Piece(b"hal", ScanFault.CUT)]
    assert keys.hang_up() == []
    assert keys.feed(events_of(typed("next") + ENTER), 0) == [Piece(b"next")]


def test_a_shift_held_when_the_device_is_opened_counts() -> None:
    keys = assembler(held=[42, 30])
    assert keys.feed(events_of([Stroke(30, 1), Stroke(30, 0), Stroke(42, 0), *ENTER]), 0) == [Piece(b"A")]


def test_keypad_digits_are_digits_and_num_lock_says_nothing() -> None:
    digits = [s for code in (82, 79, 80, 81, 75, 76, 77, 71, 72, 73) for s in (Stroke(code, 1), Stroke(code, 0))]
    num_lock = [Stroke(69, 1), Stroke(69, 0)]
    assert read(num_lock + digits + num_lock + [Stroke(96, 1), Stroke(96, 0)]) == [Piece(b"0123456789")]


def test_a_scanner_that_presses_the_next_key_before_it_lets_go_is_read() -> None:
    rolled = [Stroke(30, 1), Stroke(48, 1), Stroke(30, 0), Stroke(46, 1), Stroke(48, 0), Stroke(46, 0)]
    assert read(rolled + ENTER) == [Piece(b"abc")]


@given(
    texts=st.lists(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=30), max_size=5),
    name=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 2**32),
)
def test_how_the_events_are_cut_into_reads_changes_nothing(texts: list[str], name: LayoutName, seed: int) -> None:
    events = events_of([s for text in texts for s in typed(text, name) + ENTER], 0, 3)
    cuts, keys, pieces = random.Random(seed), assembler(name), []  # noqa: S311
    while events:
        cut = cuts.randint(1, len(events))
        pieces += keys.feed(events[:cut], 0)
        events = events[cut:]
    assert pieces == [Piece(text.encode()) for text in texts]


@pytest.mark.parametrize("count", range(1, 9))
def test_scanners_that_type_at_the_same_time_do_not_mix(count: int) -> None:
    names = [LAYOUTS[i % len(LAYOUTS)] for i in range(count)]
    boards = [assembler(name) for name in names]
    streams = [events_of([s for text in PAYLOADS for s in typed(text, name) + ENTER]) for name in names]
    pieces: list[list[Piece]] = [[] for _ in names]
    for i in range(max(map(len, streams))):
        for scanner in range(count):
            pieces[scanner] += boards[scanner].feed(streams[scanner][i : i + 1], i)
    assert pieces == [[Piece(text.encode()) for text in PAYLOADS]] * count


_events = st.builds(
    KeyEvent,
    st.sampled_from([0, 0, 1, 1, 1, 1, 1, 4, 17, 20]) | st.integers(0, 65_535),
    st.sampled_from([0, 3, 14, 28, 29, 30, 41, 42, 56, 58, 69, 79, 100, 125]) | st.integers(0, 65_535),
    st.sampled_from([0, 1, 2]) | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**40), 2**40),
)


@given(
    events=st.lists(_events, max_size=80),
    name=st.sampled_from(LAYOUTS),
    terminator=st.sampled_from(["enter", "tab", "none"]),
    alt_codes=st.sampled_from(["western", "unicode", "gbk", "none"]),
)
def test_noise_never_raises_and_never_makes_more_than_was_pressed(
    events: list[KeyEvent], name: LayoutName, terminator: str, alt_codes: str
) -> None:
    keys = assembler(name, terminator=terminator, alt_codes=alt_codes, bytes_max=32)
    pieces = [piece for i, event in enumerate(events) for piece in keys.feed([event], i)]
    pieces += keys.idle(10_000) + keys.hang_up()
    presses = sum(event.type == EV_KEY and event.value in (0, 1) for event in events)
    assert sum(len(piece.data.decode(errors="replace")) for piece in pieces) <= 2 * presses
    assert all(len(piece.data) <= 32 for piece in pieces)
    assert keys.due_at_ms is None


@given(text=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=30), data=st.data())
def test_events_that_are_lost_and_told_never_shorten_a_scan(text: str, data: st.DataObject) -> None:
    events = events_of(typed(text) + ENTER, 0, 1)
    start = data.draw(st.integers(0, len(events)))
    stop = data.draw(st.integers(start, len(events)))
    keys = assembler()
    pieces = keys.feed([*events[:start], *DROPPED, *events[stop:]], 0) + keys.idle(10_000)
    assert all(piece.fault is not None or piece.data == text.encode() for piece in pieces)
    assert ScanFault.LOST in [piece.fault for piece in pieces]


@given(
    texts=st.lists(
        st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=2, max_size=12), min_size=1, max_size=4
    ),
    gaps=st.lists(st.sampled_from([1, 1, 1, 1, 20, 99, 100, 300, 5_000]), max_size=60),
    losses=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=2),
)
@example(texts=["00"], gaps=[1, 1, 100], losses=[(1, 1)])
@example(texts=["00000"], gaps=[1] * 8 + [100], losses=[(7, 1)])
@example(texts=["0a", "0a"], gaps=[1] * 5 + [100], losses=[(2, 3)])
def test_no_stall_and_no_loss_makes_a_shorter_scan_of_a_longer_one(
    texts: list[str], gaps: list[int], losses: list[tuple[int, int]]
) -> None:
    """losses: the first stroke lost and how many; behind them the kernel's answer to what is down, and nothing else."""
    keys, pieces, now_ms, held = assembler(timeout_ms=100), list[Piece](), 0, set[int]()
    lost = {index for first, count in losses for index in range(first, first + count)}
    for index, stroke in enumerate(s for text in texts for s in typed(text) + ENTER):
        now_ms += gaps[index] if index < len(gaps) else 1
        (held.add if stroke.value else held.discard)(stroke.code)
        pieces += keys.idle(now_ms)
        if index not in lost:
            pieces += keys.feed(events_of([stroke], now_ms), now_ms)
        elif index + 1 not in lost:
            told = [KeyEvent(EV_SYN, code, 0, now_ms) for code in (SYN_DROPPED, SYN_REPORT)]
            told += [KeyEvent(EV_KEY, code, 1, now_ms) for code in sorted(held & MODIFIERS)]
            pieces += keys.feed(told, now_ms)
    pieces += keys.idle(now_ms + 100)
    read_well = [piece.data.decode() for piece in pieces if piece.fault is None]
    assert all(text in texts for text in read_well)
    if not lost and max(gaps, default=1) < 100:
        assert read_well == texts
