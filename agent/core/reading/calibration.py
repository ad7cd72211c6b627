"""What one scan of a known text tells about how a scanner is set: pure. A first form, for scanners that send bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.reading.keys import KeyEvent

CALIBRATION_TEXT = "SCANWARD-1:aZ yM qW;:'\"@#$%^&*()_+-=[]{}\\|<>,./?~`!\x1d0123456789:END"


@dataclass(frozen=True, slots=True)
class Finding:
    """Settings that fit, by their names; None: as it is by default. why: what keeps anything from fitting."""

    layout: str | None = None
    caps_lock: str | None = None
    terminator: str | None = None
    framing: str | None = None
    prefix: str = ""
    suffix: str = ""
    aim_id: bool = False
    gs: str = ""
    why: str = ""


_ENDS = {b"\r\n": "crlf", b"\r": "cr", b"\n": "lf", b"\t": "tab", b"\x03": "etx"}


def calibrate_keys(events: Sequence[KeyEvent]) -> Finding:
    """Find how a keyboard scanner is set."""
    return Finding(why=f"{len(events)} key events, and no layout is known here")


def calibrate_bytes(data: bytes) -> Finding:
    """Find how a scanner that sends bytes is set."""
    end = next((mark for mark in _ENDS if data.endswith(mark)), b"")
    payload = data.removesuffix(end)
    before, found, behind = payload.partition(CALIBRATION_TEXT.encode())
    if not found:
        return Finding(why="the calibration text is not in what came")
    aim = len(before) >= 3 and before[-3:-2] == b"]"
    return Finding(
        framing=_ENDS.get(end, "idle"),
        prefix=before[: len(before) - 3 * aim].decode("utf-8", "replace"),
        suffix=behind.decode("utf-8", "replace"),
        aim_id=aim,
    )
