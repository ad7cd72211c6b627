"""Keyboard layouts: which characters a key gives. One layout a file, loaded when it is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from agent.core.reading.layouts.board import Layout

LayoutName = Literal["us", "uk", "de", "fr", "es", "it", "jp", "cn"]
LAYOUTS: tuple[LayoutName, ...] = get_args(LayoutName)


def layout_of(name: LayoutName) -> "Layout":
    """Return the layout of that name."""
    layout: Layout = import_module(f"{__name__}.{name}").LAYOUT
    return layout
