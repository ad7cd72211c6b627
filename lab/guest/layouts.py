"""What a scanner presses for a text in a country's layout, from the X keyboard extension's tables.

Not from the agent's own layouts: a wrong key there must not be typed just as wrongly here. Where X and Windows, for
which scanners type, have a character in different places, WINDOWS says so.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SYMBOLS = Path("/usr/share/X11/xkb/symbols")
NAMES = {"us": "us", "uk": "gb", "de": "de", "fr": "fr", "es": "es", "it": "it", "jp": "jp", "cn": "cn"}
SHIFT, ALT_GR, CTRL, ENTER, SPACE = 42, 100, 29, 28, 57
WINDOWS = {"it": {"{": (26, 3), "}": (27, 3)}}
DEPTH_MAX = 8
ALT, CAPS_LOCK = 56, 58
KEYPAD = {"7": 71, "8": 72, "9": 73, "4": 75, "5": 76, "6": 77, "1": 79, "2": 80, "3": 81, "0": 82}
# A dead key by the mark that it puts on the next letter.
DEAD = {
    "\u0300": "dead_grave", "\u0301": "dead_acute", "\u0302": "dead_circumflex", "\u0308": "dead_diaeresis",
}  # fmt: skip

# Names of keys (ISO/IEC 9995-1, rows A to E) and the kernel's key codes (linux/input-event-codes.h).
KEYS = {
    **{f"AE{n:02}": n + 1 for n in range(1, 13)},
    **{f"AD{n:02}": n + 15 for n in range(1, 13)},
    **{f"AC{n:02}": n + 29 for n in range(1, 12)},
    **{f"AB{n:02}": n + 43 for n in range(1, 11)},
    "AC12": 43, "BKSL": 43, "TLDE": 41, "LSGT": 86, "AE13": 124, "AB11": 89,
}  # fmt: skip
SIGNS = {
    "exclam": "!", "quotedbl": '"', "numbersign": "#", "dollar": "$", "percent": "%", "ampersand": "&",
    "apostrophe": "'", "parenleft": "(", "parenright": ")", "asterisk": "*", "plus": "+", "comma": ",", "minus": "-",
    "period": ".", "slash": "/", "colon": ":", "semicolon": ";", "less": "<", "equal": "=", "greater": ">",
    "question": "?", "at": "@", "bracketleft": "[", "backslash": "\\", "bracketright": "]", "asciicircum": "^",
    "underscore": "_", "grave": "`", "braceleft": "{", "bar": "|", "braceright": "}", "asciitilde": "~",
}  # fmt: skip
Strokes = list[tuple[int, int]]

_KEY = re.compile(r"key\s*<(\w+)>\s*\{[^}]*?\[([^\]]*)\][^}]*\}", re.DOTALL)
_PART = re.compile(r'include\s+"(\w+)(?:\((\w+)\))?"|' + _KEY.pattern, re.DOTALL)


def strokes_of(text: str, layout: str) -> Strokes:
    """Return (key code, 1 down or 0 up) for a text; ends with no Enter. Raises KeyError for what has no key.

    A letter with a mark on it is the mark's dead key and then the letter.
    """
    places = _places(layout)
    return [stroke for char in text for name in _keys_of(char) for stroke in _press(*places[name])]


def alt_strokes(text: str) -> Strokes:
    """Return what a scanner presses that types every character as its code point on the keypad while Alt is held."""
    strokes: Strokes = []
    for char in text:
        digits = [stroke for digit in str(ord(char)) for stroke in ((KEYPAD[digit], 1), (KEYPAD[digit], 0))]
        strokes += [(ALT, 1), *digits, (ALT, 0)]
    return strokes


def caps_strokes(text: str, layout: str) -> Strokes:
    """Return what a scanner presses that switches Caps Lock on for a scan and off behind it; ASCII letters."""
    turn = [(CAPS_LOCK, 1), (CAPS_LOCK, 0)]
    return [*turn, *strokes_of(text.swapcase(), layout), *turn]


def _keys_of(char: str) -> list[str]:
    letter, *marks = list(unicodedata.normalize("NFD", char))
    return [*(DEAD.get(mark, mark) for mark in marks), letter]


def _press(code: int, level: int) -> Strokes:
    held = [key for key, is_held in ((CTRL, level < 0), (SHIFT, level in {1, 3}), (ALT_GR, level in {2, 3})) if is_held]
    return [*((key, 1) for key in held), (code, 1), (code, 0), *((key, 0) for key in reversed(held))]


@cache
def _places(layout: str) -> dict[str, tuple[int, int]]:
    """Return key code and level of each character and dead key: the lowest level, the layout's own before a base's."""
    places: dict[str, tuple[int, int]] = {" ": (SPACE, 0)}
    keys = list(_keys(NAMES[layout]))
    for level in range(4):
        for code, symbols in keys:
            char = _char(symbols[level]) if level < len(symbols) else None
            if char is not None:
                places.setdefault(char, (code, level))
    places |= WINDOWS.get(layout, {})
    code, level = places["]"]
    places["\x1d"] = (code if level == 0 else KEYS["AD12"], -1)  # Ctrl+], on whatever stands where ] does elsewhere
    return places


def _keys(name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the keys of a layout with their symbols, each key once, as its last definition has it; own keys first."""
    seen = set[str]()
    for _, key, symbols in sorted(_defined(name, None, 0), key=lambda found: found[0]):
        if key in KEYS and key not in seen:
            seen.add(key)
            yield KEYS[key], [symbol.strip() for symbol in symbols.split(",")]


def _defined(name: str, variant: str | None, depth: int) -> Iterator[tuple[int, str, str]]:
    """Yield (depth, key, symbols) of one section of a file and of all it includes."""
    if depth > DEPTH_MAX:
        raise ValueError(f"{name} includes itself")
    text = re.sub(r"//.*|\w+\[Group1\]\s*=", "", (SYMBOLS / name).read_text(encoding="utf-8"))
    start = f'xkb_symbols "{variant}"' if variant else "default"
    section = text[text.index(start) if start in text else text.index("xkb_symbols") :].partition("\n};")[0]
    for part in _PART.finditer(section):
        other, other_variant, key, symbols = part.groups()
        if key:
            yield depth, key, symbols
        elif other not in {"level3", "kpdl", "keypad"}:
            yield from _defined(other, other_variant, depth + 1)


def _char(symbol: str) -> str | None:
    if len(symbol) == 1 or symbol in DEAD.values():
        return symbol
    return SIGNS.get(symbol)
