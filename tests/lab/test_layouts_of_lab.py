"""What the laboratory types comes from the X keyboard extension, and it can type every payload in every layout."""

import pytest

from lab.guest.keyboard_rows import DEAD_KEYS
from lab.guest.layouts import SYMBOLS, alt_strokes, caps_strokes, strokes_of
from lab.payloads import ASCII_KINDS, accented, all_payloads
from lab.verdict import LAYOUTS

NO_TABLES = pytest.mark.skipif(not SYMBOLS.exists(), reason="xkb-data is not installed (tests/debian-packages.txt)")


def tapped(code: int, *held: int) -> list[tuple[int, int]]:
    return [*((key, 1) for key in held), (code, 1), (code, 0), *((key, 0) for key in reversed(held))]


@NO_TABLES
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ASCII_KINDS)
def test_every_payload_can_be_typed_in_every_layout(kind, layout):
    assert strokes_of(ASCII_KINDS[kind]("a seed"), layout)


@NO_TABLES
@pytest.mark.parametrize(
    ("char", "layout", "strokes"),
    [
        ("z", "us", tapped(44)),
        ("z", "de", tapped(21)),
        ("A", "fr", tapped(16, 42)),
        ("1", "fr", tapped(2, 42)),
        ("{", "de", tapped(8, 100)),
        ("?", "de", tapped(12, 42)),
        ("{", "it", tapped(26, 42, 100)),
        ('"', "uk", tapped(3, 42)),
        ("_", "jp", tapped(89, 42)),
        ("\x1d", "us", tapped(27, 29)),
        ("\x1d", "jp", tapped(43, 29)),
    ],
)
def test_keys_stand_where_the_country_has_them(char, layout, strokes):
    assert strokes_of(char, layout) == strokes


@NO_TABLES
@pytest.mark.parametrize(
    ("char", "layout", "strokes"),
    [
        ("é", "de", tapped(13) + tapped(18)),
        ("è", "de", tapped(13, 42) + tapped(18)),
        ("ê", "fr", tapped(26) + tapped(18)),
        ("ü", "es", tapped(40, 42) + tapped(22)),
    ],
)
def test_a_letter_with_a_mark_is_a_dead_key_and_the_letter(char, layout, strokes):
    assert strokes_of(char, layout) == strokes


@NO_TABLES
@pytest.mark.parametrize("layout", DEAD_KEYS)
def test_every_accented_payload_can_be_typed(layout):
    assert all(strokes_of(accented(str(seed), DEAD_KEYS[layout]), layout) for seed in range(20))


@NO_TABLES
def test_caps_lock_is_on_for_the_scan_and_off_behind_it():
    turn = tapped(58)
    assert caps_strokes("Ab1", "us") == [*turn, *tapped(30), *tapped(48, 42), *tapped(2), *turn]


def test_alt_codes_are_code_points_on_the_keypad():
    assert alt_strokes("健") == [(56, 1), *(k for n in (80, 82, 76, 72, 79) for k in tapped(n)), (56, 0)]


@NO_TABLES
def test_what_a_layout_has_no_key_for_is_an_error():
    with pytest.raises(KeyError):
        strokes_of("é", "us")


def test_payloads_differ_by_seed_and_are_the_same_for_the_same():
    assert all_payloads("one") == all_payloads("one")
    assert not {data for _, data in all_payloads("one")} & {data for _, data in all_payloads("two")}
