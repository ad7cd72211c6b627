"""United Kingdom (KBDUK), 105 keys."""

from agent.core.reading.layouts.board import Layout, cells_of, letters_of

CELLS = cells_of(
    '`¬¦ 1! 2" 3£ 4$€ 5% 6^ 7& 8* 9( 0) -_ =+',
    "qQ wW eEéÉ rR tT yY uUúÚ iIíÍ oOóÓ pP [{ ]}",
    "aAáÁ sS dD fF gG hH jJ kK lL ;: '@ #~",
    "\\| zZ xX cC vV bB nN mM ,< .> /?",
)
LAYOUT = Layout(CELLS, letters_of(CELLS))
