"""The layouts: what a scanner types is what is read, character by character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.alt_codes import AltCodes, char_of, digits_of
from agent.core.reading.keyboard import CapsLock, Keyboard
from agent.core.reading.keys import PRESSED, Stroke
from agent.core.reading.layouts import LAYOUTS, LayoutName, layout_of
from agent.core.reading.layouts.typed import alt_code_for, keys_for

ASCII = "".join(map(chr, range(0x20, 0x7F)))
LATIN_1 = "".join(map(chr, range(0xA0, 0x100))) + "€"


def text_of(strokes: list[Stroke], name: LayoutName, caps_lock: CapsLock = "ignore", alt: AltCodes = "western") -> str:
    keyboard = Keyboard(layout_of(name), caps_lock, alt)
    said = [keyboard.press(code) if value == PRESSED else keyboard.release(code) for code, value in strokes]
    assert None not in said
    assert not keyboard.is_half
    return "".join(text or "" for text in said)


def typable(name: LayoutName) -> str:
    def is_on_the_board(char: str) -> bool:
        try:
            keys_for(char, layout_of(name))
        except ValueError:
            return False
        return True

    return "".join(filter(is_on_the_board, ASCII + LATIN_1))


TYPABLE = {name: typable(name) for name in LAYOUTS}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_ascii_character_has_its_keys(name: LayoutName) -> None:
    assert set(ASCII) <= set(TYPABLE[name])


@pytest.mark.parametrize("name", LAYOUTS)
@given(data=st.data())
def test_what_is_typed_is_what_is_read(name: LayoutName, data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from(TYPABLE[name]), max_size=40))
    for caps_on, caps_lock in ((False, "ignore"), (True, "on")):
        assert text_of(keys_for(text, layout_of(name), caps_on=caps_on), name, caps_lock) == text  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_control_character_has_its_keys(name: LayoutName) -> None:
    controls = "".join(map(chr, [*range(0x20), 0x7F]))
    assert text_of(keys_for(controls, layout_of(name)), name) == controls


@pytest.mark.parametrize(
    ("name", "latin"),
    [
        ("uk", "£¬¦€áéíóúÁÉÍÓÚ"),
        ("de", "äöüÄÖÜß§°²³µ€´áéâêÀÝý"),
        ("fr", "éèçàù°£¤µ§²€âêîôûëïüÿãñÕ"),
        ("es", "ñÑçÇ¡¿ºª·¬€áéíóúüÜ´¨"),
        ("it", "àèéìòùç°§£€"),
    ],
)
def test_the_countrys_own_letters_are_on_its_board(name: LayoutName, latin: str) -> None:
    assert set(latin) <= set(TYPABLE[name])


def test_the_keys_stand_where_the_country_has_them() -> None:
    """Spot checks by hand: (layout, key code, modifiers) to the character, from the boards' pictures."""
    shift, alt_gr = 42, 100
    for name, code, held, char in (
        ("us", 3, [shift], "@"), ("uk", 3, [shift], '"'), ("uk", 40, [shift], "@"), ("uk", 43, [], "#"),
        ("de", 21, [], "z"), ("de", 12, [alt_gr], "\\"), ("de", 16, [alt_gr], "@"), ("de", 7 + 1, [alt_gr], "{"),
        ("fr", 16, [], "a"), ("fr", 2, [shift], "1"), ("fr", 11, [alt_gr], "@"), ("fr", 50, [], ","),
        ("es", 39, [], "ñ"), ("es", 3, [alt_gr], "@"), ("it", 39, [alt_gr], "@"), ("it", 26, [alt_gr, shift], "{"),
        ("jp", 26, [], "@"), ("jp", 124, [], "\\"), ("jp", 89, [shift], "_"), ("jp", 43, [], "]"),
    ):  # fmt: skip
        strokes = [Stroke(m, 1) for m in held] + [Stroke(code, 1), Stroke(code, 0)] + [Stroke(m, 0) for m in held]
        assert text_of(strokes, name) == char, (name, code)  # type: ignore[arg-type]


def test_caps_lock_turns_letters_and_in_france_and_germany_what_it_turns_there() -> None:
    plain = {"us": "1a;", "uk": "1a;", "de": "1aö,-", "fr": "&aù,<", "es": "1añ,", "it": "1aò,", "jp": "1a;"}
    turned = {"us": "1A;", "uk": "1A;", "de": "!AÖ;-", "fr": "1A%?<", "es": "1AÑ,", "it": "1Aò,", "jp": "1A;"}
    for name, text in plain.items():
        strokes = keys_for(text, layout_of(name))  # type: ignore[arg-type]
        assert text_of(strokes, name, "on") == turned[name]  # type: ignore[arg-type]


def test_the_caps_lock_key_turns_the_lock_only_where_it_is_followed_and_in_japan_only_with_shift() -> None:
    caps = [Stroke(58, 1), Stroke(58, 0)]
    a = keys_for("a", layout_of("us"))
    shifted_caps = [Stroke(42, 1), *caps, Stroke(42, 0)]
    assert text_of(caps + a + caps + a, "us", "as-told") == "Aa"
    assert text_of(caps + a + caps + a, "us", "ignore") == "aa"
    assert text_of(caps + a + caps + a, "us", "on") == "AA"
    assert text_of(caps + a + shifted_caps + a, "jp", "as-told") == "aA"


@pytest.mark.parametrize(
    ("digits", "codes", "char"),
    [
        ("065", "western", "A"), ("0128", "western", "€"), ("130", "western", "é"), ("0233", "western", "é"),
        ("29", "western", "\x1d"), ("029", "western", "\x1d"), ("0029", "western", "\x1d"), ("126", "western", "~"),
        ("233", "western", None), ("45217", "western", None), ("0129", "western", None), ("", "western", None),
        ("22995", "unicode", "姓"), ("233", "unicode", "é"), ("130", "unicode", None), ("55357", "unicode", None),
        ("128512", "unicode", "😀"), ("1114112", "unicode", None),
        ("45217", "gbk", "啊"), ("53453", "gbk", "型"), ("233", "gbk", None), ("70000", "gbk", None),
        ("65", "none", None), ("12345678901", "unicode", None),
    ],
)  # fmt: skip
def test_a_number_is_the_character_of_its_code_page_or_none(digits: str, codes: AltCodes, char: str | None) -> None:
    assert char_of(digits, codes) == char


def test_a_hexadecimal_number_is_a_code_point_in_every_code_page() -> None:
    strokes = [Stroke(56, 1), Stroke(78, 1), Stroke(78, 0)]
    for code in (76, 33, 72, 81):  # 5, f, 8, 3
        strokes += [Stroke(code, 1), Stroke(code, 0)]
    assert text_of([*strokes, Stroke(56, 0)], "us") == "\u5f83"


@pytest.mark.parametrize("name", LAYOUTS)
@given(text=st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), max_size=20))
def test_any_text_comes_through_unicode_numbers(name: LayoutName, text: str) -> None:
    strokes = [s for char in text for s in alt_code_for(char, "unicode")]
    assert text_of(strokes, name, alt="unicode") == text


@given(text=st.text(st.sampled_from("姓名测试健康码绿啊一龟"), max_size=20))
def test_chinese_comes_through_gbk_numbers(text: str) -> None:
    assert text_of(keys_for(text, layout_of("cn"), alt_codes="gbk"), "cn", alt="gbk") == text


def test_a_character_without_a_number_is_refused() -> None:
    for char, codes in (("姓", "western"), ("\U0001f600", "gbk"), ("\x85", "unicode")):
        with pytest.raises(ValueError, match="no ALT code"):
            digits_of(char, codes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no key"):
        keys_for("姓", layout_of("us"))


def test_an_accent_before_what_does_not_take_it_is_two_characters() -> None:
    accent, z = [Stroke(41, 1), Stroke(41, 0)], keys_for("z", layout_of("de"))
    assert text_of(accent + z, "de") == "^z"
    assert text_of(accent + accent, "de") == "^^"


def test_keypad_signs_are_the_countrys() -> None:
    dot = [Stroke(83, 1), Stroke(83, 0)]
    assert (text_of(dot, "us"), text_of(dot, "de")) == (".", ",")
