"""What the keys of one board say, one key after another, as Windows reads them: text, nothing, or what nobody can mean.

The law: every key that is no modifier and no lock gives text or is told as meaningless; none is passed over.
"""

from agent.core.reading import keys
from agent.core.reading.alt_codes import ALT_DIGITS_MAX, AltCodes, char_of
from agent.core.reading.keys import CapsLock
from agent.core.reading.layouts.board import COMPOSED, PLAIN, SHIFT, Layout

_SILENT = keys.MODIFIERS | {keys.CAPS_LOCK, keys.NUM_LOCK, keys.SCROLL_LOCK}
_PLAIN_KEYS = {
    keys.ENTER: "\r", keys.KEYPAD_ENTER: "\r", keys.TAB: "\t", keys.ESCAPE: "\x1b", keys.BACKSPACE: "\b",
    keys.DELETE: "\x7f",
}  # fmt: skip
_CTRL_KEYS = {keys.ENTER: "\n", keys.KEYPAD_ENTER: "\n", keys.BACKSPACE: "\x7f", keys.SPACE: " ", keys.ESCAPE: "\x1b"}


class Keyboard:
    """The state of one board. Keypad digits are digits whatever Num Lock says: a scanner moves no cursor.

    held: keys that are down at the start; lit: whether Caps Lock's light is on then.
    """

    def __init__(self, layout: Layout, caps_lock: CapsLock, alt_codes: AltCodes, *, lit: bool = False) -> None:
        self._layout = layout
        self._caps_lock = caps_lock
        self._alt_codes = alt_codes
        self._is_caps_on = caps_lock == "on" or (caps_lock == "as-told" and lit)
        self._was_caps_on = self._is_caps_on
        self._has_missed = False
        self._held: set[int] = set()
        self._accent = ""
        self._digits = ""
        self._is_hex = False

    @property
    def is_half(self) -> bool:
        """Say whether a character was begun and not finished."""
        return bool(self._accent or self._digits or self._is_hex)

    def rest(self) -> None:
        """Take note that a scan is over: what was half is gone, and Caps Lock is as it is between scans."""
        self._forget_half()
        if self._has_missed:  # Caps Lock may have been pressed unseen, and who presses it presses it again
            self._is_caps_on, self._has_missed = self._was_caps_on, False
        self._was_caps_on = self._is_caps_on

    def lose_track(self) -> None:
        """Take note that keys were not seen: none counts as held, and Caps Lock is as it was before this scan."""
        self._forget_half()
        self._held.clear()
        self._is_caps_on, self._has_missed = self._was_caps_on, True

    def press(self, code: int) -> str | None:
        """Return the text this key adds, "" for none yet, None where it means nothing."""
        if code in _SILENT:
            self._hold(code)
            return ""
        if self._holds(keys.METAS):
            self._forget_half()
            return None
        if self._is_alt_gr:
            return self._accented(code, 2 + self._holds(keys.SHIFTS))
        if self._holds(keys.ALTS):
            return self._dial(code)
        if self._holds(keys.CTRLS):
            return self._after_accent(self._control(code))
        if (char := _PLAIN_KEYS.get(code)) is not None:
            return self._after_accent(char)
        if code in keys.KEYPAD_DIGITS or code in keys.KEYPAD_SIGNS or code == keys.KEYPAD_DOT:
            sign = keys.KEYPAD_SIGNS.get(code, self._layout.keypad_dot)
            return self._compose(keys.KEYPAD_DIGITS.get(code, sign))
        is_shifted = self._holds(keys.SHIFTS) != (self._is_caps_on and code in self._layout.caps)
        return self._accented(code, SHIFT if is_shifted else PLAIN)

    def release(self, code: int) -> str | None:
        """Return the text that letting go of this key adds, as press does: Alt ends a number."""
        self._held.discard(code)
        if code not in keys.ALTS or self._holds(keys.ALTS) or not (self._digits or self._is_hex):
            return ""
        char = char_of(self._digits, self._alt_codes, is_hex=self._is_hex)
        self._digits, self._is_hex = "", False
        return self._after_accent(char)

    def _holds(self, modifiers: frozenset[int]) -> bool:
        return not self._held.isdisjoint(modifiers)

    @property
    def _is_alt_gr(self) -> bool:
        if not self._layout.has_alt_gr:
            return False
        return keys.RIGHT_ALT in self._held or (self._holds(keys.CTRLS) and self._holds(keys.ALTS))

    def _hold(self, code: int) -> None:
        if code in keys.MODIFIERS:
            self._held.add(code)
        elif code == keys.CAPS_LOCK and self._caps_lock == "as-told":
            is_turned = not self._layout.caps_takes_shift or self._holds(keys.SHIFTS)
            self._is_caps_on = self._is_caps_on != is_turned

    def _dial(self, code: int) -> str | None:
        """Take a digit of a number, keypad plus first for a hexadecimal one."""
        digit = keys.KEYPAD_DIGITS.get(code)
        if code == keys.KEYPAD_PLUS and not self._digits and not self._is_hex:
            self._is_hex = True
            return ""
        if digit is None and self._is_hex:
            char = self._layout.char(code, PLAIN) or ""
            digit = char if len(char) == 1 and char in "0123456789abcdef" else None
        if digit is None or self._alt_codes == "none" or len(self._digits) >= ALT_DIGITS_MAX:
            self._forget_half()
            return None
        self._digits += digit
        return ""

    def _control(self, code: int) -> str | None:
        letter = (self._layout.char(code, PLAIN) or "").lower()
        if letter.isascii() and letter.isalpha():
            return chr(ord(letter) - ord("a") + 1)
        return self._layout.controls.get(code) or _CTRL_KEYS.get(code)

    def _accented(self, code: int, level: int) -> str | None:
        char = self._layout.char(code, level)
        if char is not None and (code, level) in self._layout.dead and not self._accent:
            self._accent = char
            return ""
        return self._compose(char)

    def _compose(self, char: str | None) -> str | None:
        """Put a waiting accent on the character, or before it where they do not go together."""
        accent, self._accent = self._accent, ""
        if char is None or not accent:
            return char
        return accent if char == " " else COMPOSED.get((accent, char), accent + char)

    def _after_accent(self, char: str | None) -> str | None:
        """Return the character; None behind an accent that waits for a letter."""
        accent, self._accent = self._accent, ""
        return None if accent else char

    def _forget_half(self) -> None:
        self._accent = self._digits = ""
        self._is_hex = False
