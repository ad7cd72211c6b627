"""France, AZERTY (KBDFR), 105 keys. Caps Lock is a lock of Shift for every key but two."""

from agent.core.reading.layouts.board import Layout, cells_of

CELLS = cells_of(
    "² &1 é2~ \"3# '4{ (5[ -6| è7` _8\\ ç9^ à0@ )°] =+}",
    "aA zZ eE€ rR tT yY uU iI oO pP ^¨ $£¤",
    "qQ sS dD fF gG hH jJ kK lL mM ù% *µ",
    "<> wW xX cC vV bB nN ,? ;. :/ !§",
)
LAYOUT = Layout(CELLS, frozenset(CELLS) - {41, 86, 57}, dead=frozenset({(26, 0), (26, 1), (3, 2), (8, 2)}))
