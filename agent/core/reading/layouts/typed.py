"""The keys that a scanner presses for a text: the inverse of reading them, for tests and the laboratory."""

from functools import cache

from agent.core.reading import keys
from agent.core.reading.alt_codes import AltCodes, digits_of
from agent.core.reading.keys import PRESSED, RELEASED, Stroke
from agent.core.reading.layouts.board import ALT_GR, COMPOSED, SHIFT, Layout

_Place = tuple[int, int]
_DIGIT_KEYS = {digit: code for code, digit in keys.KEYPAD_DIGITS.items()}
_KEYS = {"\r": keys.ENTER, "\t": keys.TAB, "\b": keys.BACKSPACE, "\x1b": keys.ESCAPE, "\x7f": keys.DELETE}


def keys_for(text: str, layout: Layout, *, caps_on: bool = False, alt_codes: AltCodes = "none") -> list[Stroke]:
    """Return what a scanner set to this layout types; caps_on: for a machine whose Caps Lock is on.

    Raises ValueError for a character that is neither on the board nor has an ALT code.
    """
    return [stroke for char in text for stroke in _strokes(char, layout, caps_on, alt_codes)]


def alt_code_for(char: str, alt_codes: AltCodes) -> list[Stroke]:
    """Return the character as a number on the keypad. Raises ValueError where it has none."""
    digits = [stroke for digit in digits_of(char, alt_codes) for stroke in _tap(_DIGIT_KEYS[digit])]
    return _within([keys.LEFT_ALT], digits)


def _strokes(char: str, layout: Layout, caps_on: bool, alt_codes: AltCodes) -> list[Stroke]:
    places = _places(layout)
    if char in _KEYS:
        return _tap(_KEYS[char])
    if char in places:
        return _at(places[char], layout, caps_on)
    if char in _accented(layout):
        return [s for place in _accented(layout)[char] for s in _at(place, layout, caps_on)]
    if char < " ":
        return _control(char, layout)
    if alt_codes == "none":
        raise ValueError(f"no key for U+{ord(char):04X}")
    return alt_code_for(char, alt_codes)


def _control(char: str, layout: Layout) -> list[Stroke]:
    for code, control in layout.controls.items():
        if control == char:
            return _within([keys.LEFT_CTRL], _tap(code))
    return _within([keys.LEFT_CTRL], _tap(_places(layout)[chr(ord(char) + ord("a") - 1)][0]))


def _at(place: _Place, layout: Layout, caps_on: bool) -> list[Stroke]:
    code, level = place
    is_turned = caps_on and level <= SHIFT and code in layout.caps
    modifiers = [keys.LEFT_SHIFT] if (level % 2 == SHIFT) != is_turned else []
    if level >= ALT_GR:
        modifiers.append(keys.RIGHT_ALT)
    return _within(modifiers, _tap(code))


def _tap(code: int) -> list[Stroke]:
    return [Stroke(code, PRESSED), Stroke(code, RELEASED)]


def _within(modifiers: list[int], strokes: list[Stroke]) -> list[Stroke]:
    pressed = [Stroke(m, PRESSED) for m in modifiers]
    return pressed + strokes + [Stroke(m, RELEASED) for m in reversed(modifiers)]


@cache
def _places_of(cells: tuple[tuple[int, str], ...], dead: frozenset[_Place]) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    for level in range(4):
        for code, cell in cells:
            if level < len(cell) and (code, level) not in dead:
                places.setdefault(cell[level], (code, level))
    return places


def _places(layout: Layout) -> dict[str, _Place]:
    """Return where each character stands, the lowest level first."""
    return _places_of(tuple(layout.cells.items()), layout.dead)


def _accented(layout: Layout) -> dict[str, tuple[_Place, _Place]]:
    """Return the two keys of each character that takes a dead key; the accent itself is one before a space."""
    places, found = _places(layout), {}
    for code, level in sorted(layout.dead):
        accent = layout.cells[code][level]
        found[accent] = ((code, level), (keys.SPACE, 0))
        for (mark, base), char in COMPOSED.items():
            if mark == accent and base in places:
                found[char] = ((code, level), places[base])
    return found
