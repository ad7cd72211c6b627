"""`scanward verify`: verdicts in bulk, JSON lines in, JSON lines out, in order, on all cores.

The law: every line gets exactly one answer, a malformed one too, and none stops the run; memory stays bounded however
long the input is. Exit status: 0 once every line was answered, 2 for usage or a file that cannot be read or written.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from agent.adapters.clock import SystemClock
from agent.adapters.vision.pictures import PICTURE_BYTES_MAX, PictureUnreadable, read_picture
from agent.commands.laboratory import (
    UNSIGNED_NOTICE,
    InputUnreadable,
    choose,
    instant,
    interval_at,
    parse_instant,
    parse_trust,
    present,
    read_file,
)
from agent.commands.output import OUTPUT_FULL
from agent.commands.workers import WorkerDied, spread
from agent.core.codes import UNREADABLE, recognise, shc
from agent.core.codes.parts import PARTS_MAX, PREFIX
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.trust_list import TRUST_LIST_BYTES_MAX, Trust, TrustListInvalid
from agent.core.verdict import Code, Outcome, Verdict
from agent.core.verification import verify

LINE_BYTES_MAX = 65_536  # the longest scan, written in JSON escapes
CHUNK_LINES = 200
CHUNK_BYTES_MAX = 262_144
"""And the line that goes beyond it. A card of 8 kB becomes 2 MB of objects; a chunk's are in memory together."""

WORKERS_MAX = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--in", dest="source", required=True, metavar="FILE",
        help='one JSON object a line: {"id", "code" | "image", "now"?}; code: a text, or a list of a card\'s parts; '
        "- is standard input; empty lines are skipped",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="FILE", help="the verdicts; - is standard output")
    parser.add_argument(
        "--trust", required=True, type=Path, metavar="FILE", help="an unsigned trust-list.json, for laboratory use"
    )
    parser.add_argument("--now", type=instant, metavar="T", help="judge at this time: Unix seconds or RFC 3339")
    parser.add_argument("--clear", action="store_true", help="do not mask personal data in the claims")
    parser.add_argument(
        "--workers", type=_workers, default=None, metavar="N", help="processes; all cores unless told otherwise"
    )


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= WORKERS_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes: 1 to {WORKERS_MAX}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Judge:
    """Answers lines. folder: where relative picture names start."""

    trust: Trust
    now: Interval | None
    clear: bool
    folder: Path

    def answer_chunk(self, chunk: bytes) -> bytes:
        """Return one line of JSON for each line; each has a newline behind it, the last of the input perhaps not."""
        return self.answer(chunk.removesuffix(b"\n").split(b"\n"))

    def answer(self, lines: list[bytes]) -> bytes:
        """Return one line of JSON for each line.

        Step by step over all lines, not line by line: what runs right behind a signature check runs at half its speed.
        """
        stamp = SystemClock().now()
        read = [self._read(line, stamp) for line in lines]
        trust = self.trust
        judged = [(id_, found if isinstance(found, Verdict) else verify(found, trust, now)) for id_, found, now in read]
        return _ENCODER.encode_lines([self._answer(id_, verdict) for id_, verdict in judged])

    def _read(self, line: bytes, stamp: Stamp) -> "_Read":
        if len(line) >= LINE_BYTES_MAX:
            return self._read_any(line, stamp)
        try:
            plain = _PLAIN.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_any(line, stamp)
        scan = Scan(plain.code.encode("utf-8"), "verify", stamp)
        return plain.id, recognise(scan), self.now or stamp.now

    def _read_any(self, line: bytes, stamp: Stamp) -> "_Read":
        asked = dict[str, object]()
        now = self.now or stamp.now
        found: Code | Verdict
        try:
            asked = _decode(line)
            found, now = self._code(asked, stamp), _now(asked) or now
        except _InputRefused as refused:
            found = Verdict(UNREADABLE, Outcome.REFUSED, refused.reason)
        id_ = asked.get("id")
        return id_ if isinstance(id_, str | int | float) else None, found, now

    def _answer(self, id_: "_Id", verdict: Verdict) -> "_Answer":
        family = verdict.family
        claims = present(family, verdict.claims, clear=self.clear)
        return _Answer(id_, family, verdict.outcome, verdict.reason, claims, verdict.unchecked)

    def _code(self, asked: dict[str, object], stamp: Stamp) -> Code:
        parts = asked.get("code")
        if not isinstance(parts, list):
            return recognise(self._scan(asked, stamp))
        texts = [part for part in parts if isinstance(part, str) and part.startswith(PREFIX)]
        if asked.get("image") is not None or len(texts) != len(parts) or not 1 < len(texts) <= PARTS_MAX:
            raise _InputRefused("input.code")
        return shc.join(texts)

    def _scan(self, asked: dict[str, object], stamp: Stamp) -> Scan:
        code, image = asked.get("code"), asked.get("image")
        if isinstance(code, str) and image is None:
            return Scan(code.encode("utf-8"), "verify", stamp)
        if isinstance(image, str) and code is None:
            return self._scan_picture(image, stamp)
        raise _InputRefused("input.code")

    def _scan_picture(self, image: str, stamp: Stamp) -> Scan:
        try:
            scans = read_picture(read_file(self.folder / image, PICTURE_BYTES_MAX), stamp)
        except (InputUnreadable, PictureUnreadable, ValueError) as error:  # ValueError: a name with a NUL in it
            raise _InputRefused("input.image") from error
        if not scans:
            raise _InputRefused("scan.no-code")
        return scans[choose(scans)]


_Id = str | int | float | None
_Read = tuple[_Id, Code | Verdict, Interval]
"""A line that was read: its id; its code, or the verdict where it has none; the time to judge at."""


class _Plain(msgspec.Struct, gc=False):
    """A line as nearly all are: a text and perhaps an id. Whatever else a line may say is read by _read_any."""

    code: str
    id: _Id = None
    image: None = None
    now: None = None


class _Answer(msgspec.Struct, gc=False):
    """A line of the answer."""

    id: _Id
    family: str
    verdict: Outcome
    reason: str
    claims: dict[str, object]
    unchecked: tuple[str, ...]


_PLAIN = msgspec.json.Decoder(_Plain)
_ENCODER = msgspec.json.Encoder()


class _InputRefused(Exception):
    """A line that cannot be judged; the reason is its answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _decode(line: bytes) -> dict[str, object]:
    if len(line) >= LINE_BYTES_MAX:
        raise _InputRefused("input.over-long")
    try:
        asked = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _InputRefused("input.json") from error
    if not isinstance(asked, dict):
        raise _InputRefused("input.object")
    return asked


def _now(asked: dict[str, object]) -> Interval | None:
    now = asked.get("now")
    if now is None:
        return None
    try:
        match now:
            case bool():
                pass
            case int():
                return interval_at(now * 1000)
            case float() | str():
                return parse_instant(str(now))
    except ValueError as error:
        raise _InputRefused("input.now") from error
    raise _InputRefused("input.now")


def run(args: argparse.Namespace) -> int:
    """Answer every line; return the exit status."""
    workers: int = args.workers or len(os.sched_getaffinity(0))
    folder = Path() if args.source == "-" else Path(args.source).parent
    try:
        judge = Judge(parse_trust(read_file(args.trust, TRUST_LIST_BYTES_MAX)), args.now, args.clear, folder)
        with ExitStack() as files:
            source = _open(files, args.source, "rb")
            if "-" not in (args.source, args.out) and Path(args.out).exists() and Path(args.out).samefile(args.source):
                raise InputUnreadable(f"{args.out}: is the input, too")
            out = _open(files, args.out, "wb")
            print(UNSIGNED_NOTICE, file=sys.stderr)
            _answer_all(source, out, judge, workers)
            out.flush()
    except (InputUnreadable, WorkerDied) as error:
        print(f"scanward verify: {error}", file=sys.stderr)
        return 2
    except TrustListInvalid as error:
        print(f"scanward verify: {args.trust}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise  # whoever reads the verdicts has seen enough: no fault of a file (agent/cli.py)
    except OSError as error:
        if error.errno in OUTPUT_FULL:
            raise  # the same
        print(f"scanward verify: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _open(files: ExitStack, name: str, mode: Literal["rb", "wb"]) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
    try:
        return files.enter_context(Path(name).open(mode))
    except OSError as error:
        raise InputUnreadable(f"{name}: {error.strerror or 'cannot be opened'}") from error


def _answer_all(source: BinaryIO, out: BinaryIO, judge: Judge, workers: int) -> None:
    from tqdm import tqdm  # noqa: PLC0415  # only this command shows progress

    chunks = _chunks(source)
    head = list(islice(chunks, 2))
    everything = chain(head, chunks)
    with ExitStack() as processes:
        if workers == 1 or len(head) < 2:
            answers: Iterator[bytes] = map(judge.answer_chunk, everything)
        else:
            answers = processes.enter_context(spread(judge.answer_chunk, everything, workers))
        progress = processes.enter_context(tqdm(unit=" codes", file=sys.stderr, disable=not sys.stderr.isatty()))
        for answer in answers:
            out.write(answer)
            progress.update(answer.count(b"\n"))


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    """Yield lines together: CHUNK_LINES, or fewer that have CHUNK_BYTES_MAX bytes."""
    lines, size = list[bytes](), 0
    for line in _lines(source):
        lines.append(line)
        size += len(line)
        if len(lines) == CHUNK_LINES or size >= CHUNK_BYTES_MAX:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that are not empty; of one that is too long only as much as shows that it is."""
    while line := source.readline(LINE_BYTES_MAX + 1):
        rest = line
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = source.readline(LINE_BYTES_MAX + 1)
        if len(line) > LINE_BYTES_MAX:
            line = line[:LINE_BYTES_MAX] + b"\n"  # cut, and still a line
        if line.strip():
            yield line
