"""China: the board is the American one. Chinese text comes as ALT codes."""

from agent.core.reading.layouts import us

LAYOUT = us.LAYOUT
