"""Spain (KBDSP), 105 keys."""

from agent.core.reading.layouts.board import Layout, cells_of, letters_of

CELLS = cells_of(
    "ºª\\ 1!| 2\"@ 3·# 4$~ 5%€ 6&¬ 7/ 8( 9) 0= '? ¡¿",
    "qQ wW eE€ rR tT yY uU iI oO pP `^[ +*]",
    "aA sS dD fF gG hH jJ kK lL ñÑ ´¨{ çÇ}",
    "<> zZ xX cC vV bB nN mM ,; .: -_",
)
DEAD = frozenset({(26, 0), (26, 1), (40, 0), (40, 1), (5, 2)})
LAYOUT = Layout(CELLS, letters_of(CELLS), dead=DEAD)
