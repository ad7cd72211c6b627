import io
import logging

import pytest

from agent.adapters.log import LINE_CHARS_MAX, KeyValueFormatter, log_to


def line(message: str, *args: object, **extra: object) -> str:
    record = logging.getLogger("agent.x").makeRecord(
        "agent.x", logging.WARNING, "", 0, message, args, None, extra=extra
    )
    return KeyValueFormatter().format(record)


def test_a_line_names_level_logger_and_what_came_with_it():
    assert line("cursor moved", to_seq=7, why="restored") == "warning agent.x: cursor moved to_seq=7 why='restored'"


def test_a_line_stays_one_line_of_bounded_length():
    text = line("a\nb\x1b[31m%s", "x" * 10_000)
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) == LINE_CHARS_MAX


@pytest.mark.parametrize(("is_verbose", "count"), [(False, 1), (True, 2)])
def test_our_own_debug_lines_come_only_when_asked_for(is_verbose, count):
    stream, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        log_to(stream, is_verbose=is_verbose)
        logging.getLogger("agent.x").info("one")
        logging.getLogger("agent.x").debug("two")
        logging.getLogger("library").info("three")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.getLogger("agent").setLevel(logging.NOTSET)
    assert len(stream.getvalue().splitlines()) == count
