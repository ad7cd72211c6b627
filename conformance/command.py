"""Runs the real `scanward verify`, and reads pictures with the reader it uses.

The law: what is compared came out of the command as an engineer would run it: a file of lines in, a file of lines out,
an unsigned trust list. A run that ends badly is an answer too, not a crash of ours.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agent.adapters.vision.pictures import PictureUnreadable, read_picture
from agent.core.time_interval import Interval, Stamp

ROOT = Path(__file__).parent.parent
RUN_S_MAX = 300
_AT = Stamp(bytes(16), 0, Interval(0, 0), "conformance")

Answer = Mapping[str, Any]
"""One line that `scanward verify` wrote."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line for `scanward verify`. code: text, or the texts of a code in parts. image: a picture instead.

    now: Unix seconds or RFC 3339.
    """

    id: str
    code: str | list[str] | None = None
    image: Path | None = None
    now: int | str | None = None

    def as_json(self) -> bytes:
        """Return the line."""
        said = {"id": self.id, "code": self.code, "image": self.image and str(self.image.resolve()), "now": self.now}
        return json.dumps({name: value for name, value in said.items() if value is not None}).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in a picture: (bytes, AIM identifier) of each code; trouble: why it could not be looked at."""

    codes: tuple[tuple[bytes, str | None], ...]
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs with that many processes."""

    workers: int

    def verify(self, lines: Sequence[Line], trust: bytes) -> dict[str, Answer]:
        """Return the answer to each line by its id. Ids are unique."""
        if not lines:
            return {}
        with tempfile.TemporaryDirectory(prefix="conformance-") as name:
            folder = Path(name)
            (folder / "trust-list.json").write_bytes(trust)
            (folder / "in.jsonl").write_bytes(b"".join(line.as_json() for line in lines))
            command = [
                sys.executable, "-m", "agent", "verify", "--in", str(folder / "in.jsonl"),
                "--out", str(folder / "out.jsonl"), "--trust", str(folder / "trust-list.json"), "--clear",
                "--workers", str(self.workers),
            ]  # fmt: skip
            try:
                ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=RUN_S_MAX, check=False)
            except subprocess.TimeoutExpired:
                return {line.id: _no_answer(f"the command took more than {RUN_S_MAX} s") for line in lines}
            if ended.returncode:
                words = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["said nothing"]
                why = words[0].replace(f"{folder}/", "")
                return {line.id: _no_answer(f"the command ended with {ended.returncode}: {why}") for line in lines}
            answers = (json.loads(line) for line in (folder / "out.jsonl").read_bytes().splitlines())
            found = {str(answer["id"]): answer for answer in answers}
        return {line.id: found.get(line.id) or _no_answer("no line came back") for line in lines}

    def read(self, pictures: Sequence[Path]) -> list[Reading]:
        """Return what stands in each picture."""
        if self.workers == 1 or len(pictures) < 2:
            return [read_file(picture) for picture in pictures]
        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn")) as pool:
            return list(pool.map(read_file, pictures, chunksize=1))


def read_file(picture: Path) -> Reading:
    """Return what stands in one picture."""
    try:
        scans = read_picture(picture.read_bytes(), _AT)
    except PictureUnreadable as error:
        return Reading((), str(error))
    codes = tuple((scan.data, scan.aim) for scan in scans if scan.fault is None)
    faults = sorted({f"refused scan.{scan.fault.value}" for scan in scans if scan.fault is not None})
    return Reading(codes, ", ".join(faults) if faults and not codes else None)


def _no_answer(why: str) -> Answer:
    return {"family": "", "verdict": "no answer", "reason": why, "claims": {}, "unchecked": []}


def say(answer: Answer) -> str:
    """Return an answer in words: "verified", "unverifiable national.static", "refused time.expired"."""
    verdict, reason = str(answer["verdict"]), str(answer["reason"])
    return verdict if verdict == "verified" else f"{verdict} {reason}"
