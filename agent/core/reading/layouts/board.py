"""How a layout is written down: rows of cells, and what dead keys make of the character behind them.

The layouts are those of Windows (as CLDR's keyboard data and the drivers describe them), because scanners type for
Windows; where Windows leaves a place empty that the X keyboard extension fills, its file says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

NOTHING = "∅"  # the place in a cell that gives no character

ROW_E = (41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
ROW_D = (16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27)
ROW_C = (30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 43)
ROW_B = (86, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53)

PLAIN, SHIFT, ALT_GR, SHIFT_ALT_GR = range(4)

_COMPOSED = {
    "`": "aàAÀeèEÈiìIÌoòOÒuùUÙ",
    "´": "aáAÁeéEÉiíIÍoóOÓuúUÚyýYÝ",
    "^": "aâAÂeêEÊiîIÎoôOÔuûUÛ",
    "¨": "aäAÄeëEËiïIÏoöOÖuüUÜyÿ",
    "~": "aãAÃnñNÑoõOÕ",
}
COMPOSED = {(accent, pairs[i]): pairs[i + 1] for accent, pairs in _COMPOSED.items() for i in range(0, len(pairs), 2)}

_CONTROLS = {26: "\x1b", 27: "\x1d", 43: "\x1c", 86: "\x1c", 7: "\x1e", 12: "\x1f", 3: "\x00"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What the keys of one country's board give.

    cells: by key code, the characters plain, with Shift, AltGr, Shift+AltGr; dead: (key code, level) that only put an
    accent on what follows; caps: keys whose Shift is turned round by Caps Lock; controls: what Ctrl makes of keys that
    are no letters; keypad_dot: the decimal sign; caps_takes_shift: Caps Lock is a lock only together with Shift.
    """

    cells: Mapping[int, str]
    caps: frozenset[int]
    dead: frozenset[tuple[int, int]] = frozenset()
    has_alt_gr: bool = True
    controls: Mapping[int, str] = field(default_factory=lambda: _CONTROLS)
    keypad_dot: str = "."
    caps_takes_shift: bool = False

    def char(self, code: int, level: int) -> str | None:
        """Return the character, or None where the layout has none."""
        cell = self.cells.get(code, "")
        return cell[level] if level < len(cell) and cell[level] != NOTHING else None


def cells_of(row_e: str, row_d: str, row_c: str, row_b: str) -> dict[int, str]:
    """Return the cells of a board written down as its four rows, from the left, without the space bar.

    Row E begins left of the 1, row B with the key between Shift and Z; row C ends with the key left of Enter.
    """
    rows = zip((ROW_E, ROW_D, ROW_C, ROW_B), (row_e, row_d, row_c, row_b), strict=True)
    cells = {code: cell for codes, row in rows for code, cell in zip(codes, row.split(), strict=True)}
    return cells | {57: "  "}


def letters_of(cells: Mapping[int, str]) -> frozenset[int]:
    """Return the keys with a letter and its capital."""
    return frozenset(
        code for code, cell in cells.items() if len(cell) > 1 and cell[0].isalpha() and cell[0].upper() == cell[1]
    )
