"""Japan, JIS (KBD106), 106 and 109 keys. The yen key gives the backslash, as in Windows; kana are not typed."""

from agent.core.reading.layouts.board import Layout, cells_of, letters_of

RO, YEN = 89, 124
CELLS = cells_of(
    "∅ 1! 2\" 3# 4$ 5% 6& 7' 8( 9) 0 -= ^~",
    "qQ wW eE rR tT yY uU iI oO pP @` [{",
    "aA sS dD fF gG hH jJ kK lL ;+ :* ]}",
    "∅ zZ xX cC vV bB nN mM ,< .> /?",
) | {RO: "\\_", YEN: "\\|"}
LAYOUT = Layout(
    CELLS,
    letters_of(CELLS),
    has_alt_gr=False,
    controls={27: "\x1b", 43: "\x1d", YEN: "\x1c", 7: "\x1e", RO: "\x1f", 3: "\x00"},
    caps_takes_shift=True,
)
