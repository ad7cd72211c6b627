"""Fuzzing without coverage feedback, where atheris is not to be had: the seeds, edited at random by a known number."""

import hashlib
import math
import random
import sys
import time
from pathlib import Path

from fuzz.target import INPUT_BYTES_MAX, Target, Watched
from fuzz.targets import targets

_LENGTHS = (1, 2, 3, 8, 64, 1_000)
_LOOKS_AT_THE_CLOCK_EVERY = 64


class Found(Exception):
    """An execution raised; `data` is its input, the cause what it raised."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"input, in hexadecimal: {data.hex()}")
        self.data = data


def fuzz(target: Target, executions: int, *, seed: int = 0, seconds: float = math.inf) -> Watched:
    """Execute a target so often or so long, seeds first. Raises Found."""
    draw = random.Random(seed)  # noqa: S311  # repeatable, and no secret
    watched = Watched(target)
    ends = time.monotonic() + seconds
    for number in range(executions):
        if number % _LOOKS_AT_THE_CLOCK_EVERY == 0 and time.monotonic() > ends:
            break
        data = target.seeds[number] if number < len(target.seeds) else _edited(target, draw)
        try:
            watched(data)
        except Exception as error:
            raise Found(data) from error
    return watched


def _edited(target: Target, draw: random.Random) -> bytes:
    """Return a seed with a few bytes, words or pieces changed."""
    data = bytearray(draw.choice(target.seeds) if target.seeds else b"")
    for _ in range(draw.randrange(6)):
        at, length = draw.randrange(len(data) + 1), draw.choice(_LENGTHS)
        match draw.randrange(6):
            case 0 | 1:
                data[at : at + 1] = bytes((draw.randrange(256),))
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length]
            case 4 if target.words:
                data[at:at] = draw.choice(target.words)
            case _:
                data[at:at] = draw.randbytes(length)
    return bytes(data[:INPUT_BYTES_MAX])


def main() -> None:
    """Fuzz one target: NAME EXECUTIONS SECONDS FOLDER; leave an input that found something in the folder."""
    name, executions, seconds, folder = sys.argv[1:]
    try:
        watched = fuzz(targets()[name], int(executions), seed=time.monotonic_ns(), seconds=int(seconds))
    except Found as found:
        left = Path(folder) / f"{name}-{hashlib.sha256(found.data).hexdigest()[:16]}"
        left.write_bytes(found.data)
        print(f"input in {left}", flush=True)
        raise
    print(f"executed {watched.executions}")


if __name__ == "__main__":
    main()
