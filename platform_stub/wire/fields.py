"""Checks for single fields, in the words of the CDDL. Each takes anything and answers yes or no."""

import re
from collections.abc import Callable
from functools import lru_cache

Check = Callable[[object], bool]

TEXTS_REMEMBERED_MAX = 256
INT64_MAX = 9_223_372_036_854_775_807


def uint(highest: int = INT64_MAX) -> Check:
    """Accept integers from 0 to `highest`; never a boolean."""
    return lambda value: type(value) is int and 0 <= value <= highest


def one_of(*choices: int) -> Check:
    """Accept exactly these integers; never a boolean."""
    return lambda value: type(value) is int and value in choices


def octets(least: int, most: int | None = None) -> Check:
    """Accept byte strings of `least` bytes, or of `least` to `most`."""
    top = least if most is None else most
    return lambda value: type(value) is bytes and least <= len(value) <= top


def text(pattern: str) -> Check:
    """Accept text that matches the pattern as a whole."""
    matches = lru_cache(TEXTS_REMEMBERED_MAX)(re.compile(pattern).fullmatch)  # the same few words come all the time
    return lambda value: type(value) is str and matches(value) is not None


def short_text(most: int) -> Check:
    """Accept text of 1 to `most` bytes in UTF-8 without NUL, which not every database can hold."""
    return lambda value: type(value) is str and 1 <= len(value.encode()) <= most and "\0" not in value


def text_up_to(most: int) -> Check:
    """Accept text of at most `most` bytes in UTF-8, also none."""
    return lambda value: type(value) is str and len(value.encode()) <= most


def any_text(value: object) -> bool:
    """Accept any text."""
    return type(value) is str


def listed(item: Check, least: int, most: int) -> Check:
    """Accept lists of `least` to `most` such items."""
    return lambda value: type(value) is list and least <= len(value) <= most and all(map(item, value))


def row(*items: Check) -> Check:
    """Accept lists with exactly these items in this order."""
    count = len(items)

    def fits(value: object) -> bool:
        if type(value) is not list or len(value) != count:
            return False
        return all(check(part) for check, part in zip(items, value, strict=True))

    return fits


TERMINAL_ID = text(r"[a-z0-9-]{1,32}")
SITE_ID = TERMINAL_ID
LEDGER_ID = octets(16)
BATCH_ID = octets(16)
HASH = octets(32)
KID = octets(8)
SEQ = uint()
MILLISECONDS = uint()
REASON = text(r"[a-z0-9.-]{1,64}")
