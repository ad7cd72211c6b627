"""Chunks answered by other processes."""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from agent.cli import main
from agent.commands import verify
from agent.commands.workers import CHUNKS_AHEAD, WorkerDied, _work, spread
from fakes.ehc_issuer import NOW_S, EhcIssuer, trust_list_file

END = b"end"


def shout(chunk: bytes) -> bytes:
    if chunk == END:
        os.kill(os.getpid(), signal.SIGKILL)
    return chunk.upper() * 100_000  # more than a pipe holds


def chunks(number: int) -> list[bytes]:
    return [f"chunk {at} ".encode() for at in range(number)]


def test_answers_come_in_order_however_large_they_are() -> None:
    with spread(shout, chunks(40), 3) as answers:
        assert [answer[:9].split()[1] for answer in answers] == [str(at).encode() for at in range(40)]


def test_no_more_is_taken_than_a_few_chunks_for_each_process() -> None:
    taken = 0

    def source() -> Iterator[bytes]:
        nonlocal taken
        for at in count():
            taken = at
            yield b"x"

    with spread(shout, source(), 2) as answers:
        for _ in range(5):
            next(answers)
        assert taken <= 5 + 2 * CHUNKS_AHEAD


def test_a_process_that_is_killed_is_said_and_not_waited_for() -> None:
    with pytest.raises(WorkerDied, match="killed by signal 9"), spread(shout, [*chunks(3), END, *chunks(9)], 2) as all_:
        list(all_)


def test_whoever_stops_taking_answers_does_not_wait_for_those_in_hand() -> None:
    def never(chunk: bytes) -> bytes:
        signal.pause()
        return chunk

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), spread(never, chunks(9), 2):
        raise KeyboardInterrupt
    assert time.monotonic() - started < 4


def test_a_process_whose_answer_nobody_took_ends_without_a_word() -> None:
    """The one that started it was killed: the kernel calls that a reset where an answer lay unread."""
    ours, its = multiprocessing.Pipe()

    def goes() -> None:
        ours.send_bytes(b"chunk")
        assert ours.poll(9)
        ours.close()

    before = signal.getsignal(signal.SIGINT)
    first = threading.Thread(target=goes)
    first.start()
    try:
        _work(bytes.upper, its, [])
    finally:
        signal.signal(signal.SIGINT, before)
        first.join()
        its.close()


def test_a_process_ends_when_the_one_that_started_it_is_gone() -> None:
    read, write = os.pipe()
    first = os.fork()
    if not first:
        os.close(read)
        held = spread(shout, [], 2)
        held.__enter__()  # starts them
        os._exit(0)  # and goes, as if killed: their copies of `write` stay open until they end, too
    os.close(write)
    os.waitpid(first, 0)
    with os.fdopen(read, "rb") as file:
        assert file.read() == b""  # the end of the file, once nobody has the other end


def test_verify_says_so_in_one_line_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = EhcIssuer()
    (tmp_path / "trust-list.json").write_bytes(trust_list_file(issuer.entry()))
    lines = [json.dumps({"id": at, "code": "x"}) for at in range(5 * verify.CHUNK_LINES)]
    (tmp_path / "codes.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr(verify.Judge, "answer_chunk", lambda self, chunk: shout(END))
    files = ["--in", str(tmp_path / "codes.jsonl"), "--out", str(tmp_path / "out"), "--workers", "2"]
    assert main(["verify", *files, "--trust", str(tmp_path / "trust-list.json"), "--now", str(NOW_S)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("scanward verify: a process that answers lines was killed by signal 9")
