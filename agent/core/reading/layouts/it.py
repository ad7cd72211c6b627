"""Italy (KBDIT), 105 keys. Windows has no key for ` and ~: they are where X has them, AltGr of the keys ' and ì."""

from agent.core.reading.layouts.board import Layout, cells_of, letters_of

CELLS = cells_of(
    "\\| 1! 2\" 3£ 4$ 5%€ 6& 7/ 8( 9) 0= '?` ì^~",
    "qQ wW eE€ rR tT yY uU iI oO pP èé[{ +*]}",
    "aA sS dD fF gG hH jJ kK lL òç@ à°# ù§",
    "<> zZ xX cC vV bB nN mM ,; .: -_",
)
LAYOUT = Layout(CELLS, letters_of(CELLS))
