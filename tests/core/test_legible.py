"""A stranger's text on a screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.legible import legible


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x7f", "\x9b", "\n", "\u2028", "\u202e", "\U000e0041", "\ud800"]
)
def test_what_steers_a_screen_is_a_question_mark(character: str) -> None:
    assert legible(f"an{character} invented 名 text") == "an? invented 名 text"


@given(st.text())
def test_a_text_keeps_its_length_and_all_that_can_be_printed(text: str) -> None:
    shown = legible(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert all(now in (was, "?") for was, now in zip(text, shown, strict=True))
    assert legible(shown) == shown
