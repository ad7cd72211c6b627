"""Documents with something odd in one place or two: what a law about a reader needs beside noise, to reach its end."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Place = tuple[int | str, ...]
HOW = ["put", "put", "put", "gone", "beside"]


@st.composite
def altered(draw: st.DrawFn, documents: Sequence[Any], odd: st.SearchStrategy[Any]) -> Any:
    """Draw one of the documents (maps and lists), with one or two of its values put, taken out or added."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 2))):
        if places := list(_places(document)):
            _alter(document, draw(st.sampled_from(places)), draw(st.sampled_from(HOW)), copy.deepcopy(draw(odd)))
    return document


def _places(value: Any, at: Place = ()) -> Iterator[Place]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, under in inner:
        yield (*at, key)
        yield from _places(under, (*at, key))


def _alter(document: Any, place: Place, how: str, odd: Any) -> None:
    for key in place[:-1]:
        document = document[key]
    if how == "gone":
        del document[place[-1]]
    elif how == "put":
        document[place[-1]] = odd
    elif isinstance(document, list):
        document.append(odd)
    else:
        document[f"x{place[-1]}" if isinstance(place[-1], str) else place[-1] + 1] = odd
