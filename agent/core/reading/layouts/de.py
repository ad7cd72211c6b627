"""Germany (KBDGR), 105 keys. Caps Lock turns the Shift of digits and most signs round, too."""

from agent.core.reading.layouts.board import Layout, cells_of, letters_of

CELLS = cells_of(
    '^° 1! 2"² 3§³ 4$ 5% 6& 7/{ 8([ 9)] 0=} ß?\\ ´`',
    "qQ@ wW eE€ rR tT zZ uU iI oO pP üÜ +*~",
    "aA sS dD fF gG hH jJ kK lL öÖ äÄ #'",
    "<>| yY xX cC vV bB nN mMµ ,; .: -_",
)
DIGITS_AND_SIGNS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 27, 43, 51, 52})
LAYOUT = Layout(
    CELLS, letters_of(CELLS) | DIGITS_AND_SIGNS, dead=frozenset({(41, 0), (13, 0), (13, 1)}), keypad_dot=","
)
