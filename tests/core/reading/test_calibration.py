"""Calibration: the settings that a scanner has are found, and never others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading import calibration
from agent.core.reading.calibration import (
    BEFORE_GS,
    BEHIND_GS,
    CALIBRATION_TEXT,
    Finding,
    calibrate_bytes,
    calibrate_keys,
)
from agent.core.reading.framing import Framing, ScanAssembler
from agent.core.reading.keys import EV_SYN, SYN_DROPPED, KeyEvent, Stroke, events_of
from agent.core.reading.keystrokes import KeyAssembler
from agent.core.reading.layouts import LAYOUTS, LayoutName, layout_of
from agent.core.reading.layouts.typed import alt_code_for, keys_for
from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile, fit

ENDS = {"enter": "\r", "tab": "\t", "none": ""}


def typed(text: str, name: LayoutName, *, caps_on: bool = False) -> list[KeyEvent]:
    return events_of(keys_for(text, layout_of(name), caps_on=caps_on))


def test_the_text_has_every_printable_character_and_a_gs() -> None:
    assert set(map(chr, range(0x20, 0x7F))) | {"\x1d"} == set(CALIBRATION_TEXT)


@pytest.mark.parametrize("terminator", ENDS)
@pytest.mark.parametrize(("prefix", "suffix"), [("", ""), ("A:", ""), ("", "#z"), ("\x02", "\x03"), ("]qY", "@ \t$")])
@pytest.mark.parametrize("caps_on", [False, True])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_typing_scanners_settings_are_found_and_read_it(
    name: LayoutName, caps_on: bool, prefix: str, suffix: str, terminator: str
) -> None:
    suffix = suffix.replace("\t", "") if terminator == "tab" else suffix
    aim_id = prefix == "]qY"
    events = typed(prefix + CALIBRATION_TEXT + suffix + ENDS[terminator], name, caps_on=caps_on)
    found = calibrate_keys(events)
    assert found == Finding(
        layout="us" if name == "cn" else name, caps_lock="on" if caps_on else "as-told", terminator=terminator,
        prefix="" if aim_id else prefix, suffix=suffix, aim_id=aim_id,
    )  # type: ignore[arg-type] # fmt: skip
    assert found.layout is not None
    keys = KeyAssembler(layout_of(found.layout), terminator=found.terminator or "none", caps_lock=found.caps_lock)
    pieces = keys.feed(events, 0) + keys.idle(10_000)
    profile = Profile(id="x", prefix=found.prefix, suffix=found.suffix, aim_id=found.aim_id, gs=found.gs)
    assert [fit(piece, profile) for piece in pieces] == [Piece(CALIBRATION_TEXT.encode(), None, "]qY" * aim_id or None)]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(("caps_on", "caps_lock"), [(True, "as-told"), (False, "ignore")])
def test_a_lit_caps_lock_is_followed_or_not_as_the_scanner_does(
    name: LayoutName, caps_on: bool, caps_lock: str
) -> None:
    found = calibrate_keys(typed(CALIBRATION_TEXT, name, caps_on=caps_on), lit=True)
    assert (found.layout, found.caps_lock) == ("us" if name == "cn" else name, caps_lock)


def test_a_scanner_that_presses_caps_lock_itself_is_as_told() -> None:
    caps = [Stroke(58, 1), Stroke(58, 0)]
    strokes = caps + keys_for(CALIBRATION_TEXT, layout_of("us"), caps_on=True) + caps
    assert calibrate_keys(events_of(strokes)) == Finding(layout="us", terminator="none")


def test_a_scanner_that_types_numbers_fits_any_layout_and_the_first_is_taken() -> None:
    strokes = [s for char in CALIBRATION_TEXT for s in alt_code_for(char, "western")]
    assert calibrate_keys(events_of(strokes)) == Finding(layout="us", terminator="none")


@pytest.mark.parametrize(
    ("sent", "gs", "is_lost"), [("\x1d", "", False), ("|", "|", False), ("<GS>", "<GS>", False), ("", "", True)]
)
def test_what_stands_for_gs_is_found(sent: str, gs: str, is_lost: bool) -> None:
    text = BEFORE_GS + sent + BEHIND_GS
    for found in (calibrate_keys(typed(text, "fr")), calibrate_bytes(text.encode())):
        assert (found.why, found.gs, found.is_gs_lost) == ("", gs, is_lost)


def test_a_function_key_for_gs_is_no_character() -> None:
    f8 = events_of([Stroke(66, 1), Stroke(66, 0)])
    found = calibrate_keys(typed(BEFORE_GS, "us") + f8 + typed(BEHIND_GS, "us"))
    assert (found.layout, found.gs, found.is_gs_lost) == ("us", "", True)


def test_what_cannot_be_set_says_what_to_do() -> None:
    text = CALIBRATION_TEXT
    unknown = events_of([Stroke(66, 1), Stroke(66, 0)])
    wrong = [e._replace(code=18 if e.code == 30 else e.code) for e in typed(text, "us")]
    for events, why in (
        ([], calibration.NOT_THE_CODE),
        (typed("hello", "us"), calibration.NOT_THE_CODE),
        (wrong, calibration.NO_LAYOUT),
        (unknown + typed(text, "us"), calibration.NO_LAYOUT),
        (typed("x" * 33 + text, "us"), calibration.LONG_MARK),
        (typed("a\rb" + text + "\r", "us"), calibration.END_TWICE),
        ([*typed(text, "us"), KeyEvent(EV_SYN, SYN_DROPPED, 0)], calibration.LOST),
    ):
        assert calibrate_keys(events) == Finding(why)
    for data, why in (
        (b"", calibration.NOT_THE_CODE),
        (b"\xff" + text.encode(), calibration.NOT_THE_CODE),
        (b"\x02" + text.encode() + b"\x03L", calibration.BOX),
        (b"a\r" + text.encode() + b"\r", calibration.END_TWICE),
        (text.encode() + b"x" * 33, calibration.LONG_MARK),
    ):
        assert calibrate_bytes(data) == Finding(why)


@pytest.mark.parametrize(
    ("end", "framing"),
    [("\r", "cr"), ("\n", "lf"), ("\r\n", "crlf"), ("\t", "tab"), ("\x03", "etx"), ("", "idle")],
)
@pytest.mark.parametrize(("prefix", "suffix"), [("", ""), ("A:", ".b"), ("P]d2", ""), ("\x02", "")])
def test_a_line_scanners_settings_are_found_and_read_it(end: str, framing: str, prefix: str, suffix: str) -> None:
    data = (prefix + CALIBRATION_TEXT + suffix + end).encode()
    found = calibrate_bytes(data)
    aim = "]d2" if "]d2" in prefix else None
    assert found == Finding(
        framing=Framing(framing), prefix=prefix.removesuffix(aim or ""), suffix=suffix, aim_id=aim is not None
    )
    assembler = ScanAssembler(Framing(framing))
    pieces = assembler.feed(data, 0) + assembler.idle(10_000)
    profile = Profile(id="x", prefix=found.prefix, suffix=found.suffix, aim_id=found.aim_id, gs=found.gs)
    assert [fit(piece, profile) for piece in pieces] == [Piece(CALIBRATION_TEXT.encode(), None, aim)]


@given(
    data=st.binary(max_size=200),
    events=st.lists(st.builds(KeyEvent, st.integers(0, 4), st.integers(0, 255), st.integers(0, 2)), max_size=60),
)
def test_noise_finds_nothing(data: bytes, events: list[KeyEvent]) -> None:
    assert calibrate_bytes(data).why
    assert calibrate_keys(events).why
