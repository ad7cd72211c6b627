"""Lines on a real pipe or file: whoever puts one never waits, whatever becomes of the reader."""

import io
import logging
import os
import threading
from collections.abc import Iterator

import pytest

from agent.adapters.console.lines import FLUSH_S_MAX, LINES_WAITING_MAX, Lines

PIPE_LINES = 70  # of 1,000 bytes: more than a pipe holds


@pytest.fixture
def pipe() -> Iterator[tuple[io.FileIO, io.TextIOWrapper]]:
    reader, writer = os.pipe()
    with io.FileIO(reader) as read, io.TextIOWrapper(io.FileIO(writer, "w"), encoding="utf-8") as write:
        yield read, write


def test_lines_arrive_in_order(pipe):
    read, write = pipe
    lines = Lines(write)
    for number in range(100):
        lines.write(f"line {number} 健康\n")
    lines.close()
    assert read.read(100_000).decode().splitlines() == [f"line {number} 健康" for number in range(100)]


def test_a_reader_that_stops_costs_lines_and_never_time_and_they_are_counted(pipe):
    read, write = pipe
    lines = Lines(write)
    put = LINES_WAITING_MAX + PIPE_LINES + 500
    for number in range(put):
        lines.write(f"{number:0999}\n")
    got = b""
    while f"{LINES_WAITING_MAX - 1:0999}\n".encode() not in got:
        got += read.read(65_536)
    lines.write("after the gap\n")
    lines.close()
    while b"after the gap\n" not in got:
        got += read.read(65_536)
    told = got.decode().splitlines()
    assert told.pop() == "after the gap"
    gaps, due = 0, 0
    for line in told:  # more than one gap where the machine gave the writing thread its turn late
        if "missing here" in line:
            gaps, due = gaps + 1, due + int(line.split()[3])
        else:
            assert int(line) == due
            due += 1
    assert gaps >= 1
    assert due == put, "each line is there or counted"


def test_the_end_does_not_wait_for_a_reader_that_has_stopped(pipe):
    read, write = pipe
    lines = Lines(write)
    for _ in range(PIPE_LINES * 2):
        lines.write("x" * 999 + "\n")
    ended = threading.Event()
    threading.Thread(target=lambda: (lines.close(), ended.set()), daemon=True).start()
    assert ended.wait(FLUSH_S_MAX * 2 + 5)
    read.close()
    lines._thread.join(5)  # or its last words would be the next test's


@pytest.mark.parametrize("fault", ["full disk", "closed pipe", "closed stream"])
def test_a_stream_that_fails_ends_the_lines_with_one_word_to_the_log(fault, pipe, caplog):
    read, write = pipe
    match fault:
        case "full disk":
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, write.fileno())
            os.close(full)
            stream = write
        case "closed pipe":
            stream = write
            read.close()
        case _:
            stream = io.StringIO()
            stream.close()
    lines = Lines(stream)
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            lines.write("a line\n")
        lines.close()
    assert lines.is_over
    assert [r.getMessage().partition(":")[0] for r in caplog.records] == ["no more lines are written"]


def test_what_a_stream_cannot_say_is_replaced(pipe):
    read, write = pipe
    write.reconfigure(encoding="ascii")
    lines = Lines(write)
    lines.write("拒绝 refused\n")
    lines.close()
    assert read.read(100) == b"?? refused\n"


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for(pipe):
    read, write = pipe
    os.set_blocking(write.fileno(), False)
    lines = Lines(write)
    for number in range(PIPE_LINES * 2):
        lines.write(f"{number:0999}\n")
    got = b""
    while f"{PIPE_LINES * 2 - 1:0999}\n".encode() not in got:
        got += read.read(65_536)
    assert not lines.is_over
    lines.close()
    assert [int(line) for line in got.decode().splitlines()] == list(range(PIPE_LINES * 2))
