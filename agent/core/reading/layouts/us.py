"""United States (KBDUS), 104 keys; the key between Shift and Z, which that board lacks, as Windows has it."""

from agent.core.reading.layouts.board import Layout, cells_of, letters_of

CELLS = cells_of(
    "`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) -_ =+",
    "qQ wW eE rR tT yY uU iI oO pP [{ ]}",
    "aA sS dD fF gG hH jJ kK lL ;: '\" \\|",
    "\\| zZ xX cC vV bB nN mM ,< .> /?",
)
LAYOUT = Layout(CELLS, letters_of(CELLS), has_alt_gr=False)
